"""Errors for users, those of the operating system among them: one line that names the file and what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

IN_THE_WAY = "a file is in the way of a folder; move it away and run again"
NO_SPACE = "make space there, or write to another disk, and run again"
NOT_ALLOWED = "let this user read and write there, and run again"
OPEN_FILES = "raise the limit with `ulimit -n 4096` and run again"
FIXES = {
    errno.ENOSPC: NO_SPACE,
    errno.EDQUOT: NO_SPACE,
    errno.EFBIG: "raise the limit with `ulimit -f unlimited`, or write to another disk, and run again",
    errno.EACCES: NOT_ALLOWED,
    errno.EPERM: NOT_ALLOWED,
    errno.EROFS: "write to another disk",
    errno.EMFILE: OPEN_FILES,
    errno.ENFILE: OPEN_FILES,
    errno.ENOTDIR: IN_THE_WAY,
    errno.EEXIST: IN_THE_WAY,
    errno.EISDIR: "a folder is in the way of a file; move it away and run again",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk or the network failed; have it looked at and run again",
    errno.ESTALE: "the network file system lost it; run again",
    errno.ENOLCK: "this file system has no locks; run again with HDF5_USE_FILE_LOCKING=FALSE",
    errno.ENOENT: "correct the path, or make it, and run again",
}


class UserError(Exception):
    """Something the user can put right; shown as one line that names the file and the fix."""


def number(error: BaseException) -> int | None:
    """The system's number of an error, which h5py and safetensors tell in their message only; None without one."""
    found = error.errno if isinstance(error, OSError) else None
    if found is None and (told := re.search(r"(?:\berrno = |\(os error )(\d+)", str(error))):
        found = int(told[1])
    return found if found in FIXES else None


def line(error: BaseException, path: Path | None = None) -> str:
    """`<file>: <what went wrong>; <what to do>` for an error that has a `number`; `path` where the error names none."""
    code = number(error)
    assert code is not None, error
    named = getattr(error, "filename", None)
    place = path or (Path(os.fsdecode(named)) if isinstance(named, str | bytes | os.PathLike) else None)
    if place and FIXES[code] == IN_THE_WAY:
        place = next((above for above in (place, *place.parents) if above.exists() and not above.is_dir()), place)
    return f"{f'{place}: ' if place else ''}{os.strerror(code)}; {FIXES[code]}"
