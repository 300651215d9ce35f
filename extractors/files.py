"""Files that appear whole or not at all, their hashes, and paths that stay under their root."""

from __future__ import annotations

import csv
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from extractors.errors import UserError as UserError
from extractors.errors import line, number
from extractors.locks import BusyError, Lock, is_elsewhere

DRAFT = ".draft"
UMASK = os.umask(0)
os.umask(UMASK)
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
PLAIN_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|nan)")


@contextmanager
def publish(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; when the block ends well it is synced to disk and renamed to `path`.

    It is of the same name in a hidden folder of its own, so that several writers of one file do not meet: the last
    one to end wins. What killed writers have left is removed. When the block raises, the temporary file is removed and
    whatever stood at `path` before is untouched. A full disk and the like are a UserError that names `path`.
    """
    folder = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_abandoned(path)
        folder, lock = _draft_folder(path)
        yield (draft := folder / path.name)
        with suppress(PermissionError):  # some network file systems have no rights to set
            draft.chmod(0o666 & ~UMASK)
        _sync(draft)
        draft.replace(path)
        _sync(path.parent)
    except Exception as error:
        if number(error) is None or not _about(error, path, folder):
            raise
        raise UserError(line(error, path)) from error
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _draft_folder(path: Path) -> tuple[Path, Lock]:
    while True:
        folder = Path(tempfile.mkdtemp(DRAFT, f".{path.name}.", path.parent))
        try:
            return folder, Lock(folder)
        except (BusyError, FileNotFoundError):  # another writer took it for abandoned
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


def remove_abandoned(path: Path) -> None:
    """Remove the drafts of writers that live no more, where the file system can tell."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.????????{DRAFT}"):
        with suppress(BusyError, OSError):
            if is_elsewhere(folder):
                continue
            lock = Lock(folder)
            if lock.certain:
                shutil.rmtree(folder, ignore_errors=True)
            lock.close()


def _about(error: Exception, path: Path, folder: Path | None) -> bool:
    """Whether an error is about the published file or its draft, or names no file."""
    named = getattr(error, "filename", None)
    return not named or not folder or Path(os.fsdecode(named)) in (path, folder, folder / path.name)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:  # which some network file systems say of a folder
            raise
    finally:
        os.close(handle)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, content: Any) -> None:
    """Publish `content` as indented JSON."""
    with publish(path) as draft:
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Content of a JSON file; UserError when it is missing or broken."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); delete it and run again") from error


def _unreadable(path: Path, error: OSError) -> UserError:
    missing = isinstance(error, FileNotFoundError) or number(error) is None
    return UserError(f"{path}: {error.strerror}; run the rule that makes it" if missing else line(error, path))


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Publish `rows` as UTF-8 CSV with a header line and LF line ends; every row has exactly `columns`.

    A text that a spreadsheet would take for a formula gets an apostrophe before it, which `read_csv` takes off again.
    """
    with publish(path) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        usual = csv.DictWriter(stream, columns, lineterminator="\n")
        quoted = csv.DictWriter(stream, columns, lineterminator="\n", quoting=csv.QUOTE_ALL)
        usual.writeheader()
        for row in rows:
            cells = {key: _harmless(value) for key, value in row.items()}
            (quoted if any("\r" in str(cell) for cell in cells.values()) else usual).writerow(cells)


def _harmless(value: object) -> object:
    text = str(value)
    return f"'{text}" if FORMULA.match(text) and not PLAIN_NUMBER.fullmatch(text) else value


def _as_written(text: str) -> str:
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def read_csv(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV by `write_csv`; UserError when the file is missing or no CSV."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                {key: _as_written(value) if isinstance(value, str) else value for key, value in row.items()}
                for row in csv.DictReader(stream)
            ]
    except OSError as error:
        raise _unreadable(path, error) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); delete it and run again") from error


def inside(root: Path, relative: str | Path) -> Path:
    """`root / relative`, resolved; ValueError when that (or a symbolic link on the way) leaves `root`."""
    base = root.resolve()
    path = (base / relative).resolve()
    if not path.is_relative_to(base):
        raise ValueError(f"{relative} leaves {root}")
    return path
