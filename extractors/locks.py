"""Working folders that belong to one process at a time; a lock ends with its process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import socket
import time
from functools import cache
from pathlib import Path

from extractors.errors import UserError

LOG = logging.getLogger("cmarr")
NAME = ".lock"
DAY = 86_400
_held: dict[Path, Lock] = {}


class BusyError(Exception):
    """Another process has the folder; the message names it."""


class Lock:
    """A folder as this process's own, until `close` or the end of the process; BusyError if it is another's.

    `certain` is false where the file system has no locks: then only a living process on this machine is seen.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.certain = True
        while True:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._take()
                if self._is_in_place():
                    break
            except BaseException:
                os.close(self._handle)
                raise
            os.close(self._handle)
        try:
            os.ftruncate(self._handle, 0)
            os.pwrite(self._handle, json.dumps([os.getpid(), socket.gethostname()]).encode(), 0)
        except OSError as error:
            self.close()
            error.filename = str(self._path)
            raise

    def close(self) -> None:
        """Let others have the folder."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _take(self) -> None:
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno == errno.EWOULDBLOCK:
                raise BusyError(_named(*self._holder())) from error
            self.certain = False
            _warn(str(error.strerror))
            pid, host = self._holder()
            if pid != os.getpid() and host == socket.gethostname() and _lives(pid):
                raise BusyError(_named(pid, host)) from error

    def _holder(self) -> tuple[int, str]:
        """Process and machine that wrote the file; 0 if it is just being written."""
        try:
            pid, host = json.loads(os.pread(self._handle, 1000, 0))
            return int(pid), str(host)
        except (ValueError, TypeError):
            return 0, ""

    def _is_in_place(self) -> bool:
        """Whether the file that is locked is still the one in the folder: its last holder may have removed it."""
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._handle))
        except FileNotFoundError:
            return False


def is_elsewhere(folder: Path) -> bool:
    """Whether a process of another machine took the folder in the last day; some file systems do not share locks."""
    path = folder / NAME
    try:
        host = json.loads(path.read_bytes())[1]
        return host != socket.gethostname() and time.time() - path.stat().st_mtime < DAY
    except (OSError, ValueError, LookupError, TypeError):
        return False


def hold(folder: Path, made: Path) -> Lock:
    """The lock of the folder in which `made` is being made; UserError names the process that is at it already.

    Asked for again by the same process, it is taken anew.
    """
    if earlier := _held.pop(folder, None):
        earlier.close()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        _held[folder] = Lock(folder)
    except BusyError as error:
        raise UserError(f"{made}: {error} is making it; wait for its end, or end it, and run again") from error
    return _held[folder]


@cache
def _warn(reason: str) -> None:
    LOG.warning("this file system has no locks (%s): do not run the same job twice at once", reason)


def _named(pid: int, host: str) -> str:
    return f"process {pid} on {host}" if pid else "another process"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
