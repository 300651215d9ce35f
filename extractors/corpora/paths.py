"""Files of a corpus that may not be there: whether they are, and what is there under nearly the same name."""

from __future__ import annotations

import os
import unicodedata
from functools import cache
from pathlib import Path, PurePosixPath

from extractors.files import inside


def missing(root: Path, path: Path) -> str:
    """Why `path` is not a file below `root`, or an empty string; it may be a link as long as it stays there."""
    try:
        if not path.is_file():
            return "no file but a folder, a device or a broken link" if os.path.lexists(path) else "missing"
        inside(root, path.relative_to(root))
    except OSError as error:
        return f"unreadable ({one_line(error)})"
    except ValueError:
        return "a link that leaves the corpus folder"
    return ""


def one_line(error: Exception) -> str:
    """What went wrong without the path, which would differ between machines."""
    return (getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)).strip()


class Neighbours:
    """What stands below `root` under nearly the name of a file that is missing; a folder is listed once at most."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._names = cache(self._listed)

    def hint(self, relative: str) -> str:
        """`there is clips/A.WAV` or `there is no folder clips`, empty when nothing is known.

        Names count as near when they differ in capitals, in their Unicode form, in blanks at the ends or in their
        extension, or when the path begins one folder too high.
        """
        path = PurePosixPath(relative)
        for tried in (path, PurePosixPath(*path.parts[1:])):
            if near := self._near(tried):
                same = unicodedata.normalize("NFC", near) == unicodedata.normalize("NFC", relative)
                return f"there is {near}" + ", in another Unicode form" * same
        folder = next((folder for folder in reversed(path.parents) if not self._is_folder(folder)), None)
        return f"there is no folder {folder}" if folder else ""

    def _is_folder(self, relative: PurePosixPath) -> bool:
        return os.path.isdir(self.root / relative)  # noqa: PTH112 (Path.is_dir raises for a name that is too long)

    def _near(self, path: PurePosixPath) -> str:
        if not path.name:
            return ""
        found = PurePosixPath()
        for part in path.parts[:-1]:
            near = part if self._is_folder(found / part) else self._names(str(found)).get(_key(part), "")
            if not near:
                return ""
            found /= near
        names = self._names(str(found))
        near = names.get(_key(path.name)) or names.get(_stem(path.name), "")
        return str(found / near) if near else ""

    def _listed(self, folder: str) -> dict[str, str]:
        """Names in a folder by what counts of them, and by what counts of their stems."""
        try:
            names = sorted(os.listdir(inside(self.root, folder)))  # noqa: PTH208 (names are all that is needed)
        except (OSError, ValueError):
            return {}
        names = [name for name in names if name.isprintable() and not name.startswith("._")]
        return {_stem(name): name for name in reversed(names)} | {_key(name): name for name in reversed(names)}


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold()).strip(" '")


def _stem(name: str) -> str:
    """As no whole name can be, so that both kinds of keys fit in one table."""
    return f"/{PurePosixPath(_key(name)).stem}"
