"""What a result depends on beside its inputs: a hash of the code that a job runs, and versions of packages."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("cmarr", "extractors")
DATA = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*\.(?!py$)\w+")
"""relative path of a file that is no module"""


def code_fingerprint(*modules: str) -> str:
    """Short hash over the named modules and everything of this project that they import, directly or not.

    Comments, docstrings and layout do not count. A data file counts with every byte where a module has its path,
    relative to the module's own folder, as a text. Only static imports are followed, inside functions too; a module
    that is imported by name at run time has to be given here.
    """
    seen: set[str] = set()
    waiting = [name for module in modules for name in _with_parents(module)]
    while waiting:
        name = waiting.pop()
        if name not in seen and _source(name):
            seen.add(name)
            waiting.extend(_read(name)[1])
    text = "\n".join(f"{name} {_read(name)[0]}" for name in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Installed versions of distribution packages."""
    return {package: version(package) for package in packages}


def _source(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


@cache
def _read(module: str) -> tuple[str, tuple[str, ...]]:
    """Hash of one module's code and data files, and the names that it imports from this project."""
    path = _source(module)
    assert path is not None, module
    tree = ast.parse(path.read_bytes())
    imports = tuple(_imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [line for line in node.body if not _is_text(line)] or [ast.Pass()]
    digest = hashlib.sha256(ast.dump(tree).encode())
    for data in data_files(path, tree):
        digest.update(data.read_bytes())
    return digest.hexdigest(), imports


def data_files(path: Path, tree: ast.Module) -> list[Path]:
    """Files of the module at `path`, beside or below it, that its code names by a text of its own."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    named = [path.parent / text for text in sorted(texts) if DATA.fullmatch(text)]
    return [file for file in named if file.is_file()]


def _is_text(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant) and isinstance(line.value.value, str)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield from _with_parents(name)
