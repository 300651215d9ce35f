"""Files of a corpus: whether they are there, below its root, and what went wrong with one in a few words."""

from __future__ import annotations

import os
from pathlib import Path

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
