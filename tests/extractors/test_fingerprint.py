from pathlib import Path

import pytest

from extractors import fingerprint
from extractors.fingerprint import code_fingerprint


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project: cmarr.top imports extractors.low, cmarr.other imports nothing."""
    files = {
        "cmarr/__init__.py": "",
        "cmarr/top.py": "import os\nfrom extractors.low import name\n\ndef f():\n    return name\n",
        "cmarr/other.py": "x = 1\n",
        "extractors/__init__.py": "",
        "extractors/low.py": '"""Text."""\nname = 1\n',
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    fingerprint._read.cache_clear()
    yield tmp_path
    fingerprint._read.cache_clear()


def edited(tree: Path, path: str, text: str) -> str:
    (tree / path).write_text(text)
    fingerprint._read.cache_clear()
    return code_fingerprint("cmarr.top")


def test_an_edit_of_the_module_or_of_its_imports_changes_the_fingerprint(tree: Path) -> None:
    before = code_fingerprint("cmarr.top")
    assert edited(tree, "extractors/low.py", "name = 2\n") != before
    assert edited(tree, "extractors/low.py", "name = 1\n") == before
    assert edited(tree, "cmarr/top.py", "y = 3\n") != before


def test_comments_docstrings_and_other_modules_do_not_count(tree: Path) -> None:
    before = code_fingerprint("cmarr.top")
    assert edited(tree, "extractors/low.py", '"""Other text."""\n# why\nname  =  1\n') == before
    assert edited(tree, "cmarr/other.py", "x = 2\n") == before


def test_imports_inside_functions_and_cycles_are_followed(tree: Path) -> None:
    (tree / "cmarr/top.py").write_text("def f():\n    from cmarr import other\n")
    (tree / "cmarr/other.py").write_text("import cmarr.top\n")
    fingerprint._read.cache_clear()
    before = code_fingerprint("cmarr.top")
    assert edited(tree, "cmarr/other.py", "import cmarr.top\nx = 3\n") != before


def test_training_does_not_depend_on_encoders_nor_extraction_on_stage_2() -> None:
    root = Path(__file__).resolve().parents[2]
    seen: set[str] = set()

    def walk(name: str) -> None:
        if name not in seen and fingerprint._source(name):
            seen.add(name)
            for child in fingerprint._read(name)[1]:
                walk(child)

    walk("cmarr.train")
    assert root.joinpath("cmarr/train.py").exists()
    assert "extractors.store" in seen
    assert not seen & {"extractors.text", "extractors.speech", "extractors.video", "extractors.manifest"}
    for verb in ("manifest", "text", "speech", "video", "pack"):
        seen.clear()
        walk(f"extractors.{verb}")
        assert not {name for name in seen if name.startswith("cmarr")}
