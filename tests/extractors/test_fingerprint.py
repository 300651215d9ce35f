import ast
import shutil
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
        "extractors/data.py": "from pathlib import Path\nLIST = Path(__file__).with_name('list.txt')\n",
        "extractors/list.txt": "one\n",
        "extractors/unnamed.txt": "one\n",
        "extractors/more/low.csv": "one\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
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


@pytest.mark.parametrize(
    "text",
    [
        '"""Text."""\nname = 1  # a comment\n',
        "\n\n'Another docstring.'\n\nname = 1\n",
        "name = (\n    1\n)\n",
        "name = 0x1\n",
        "'list.txt'\nname = 1\n",
    ],
)
def test_edits_that_change_nothing(tree: Path, text: str) -> None:
    before = code_fingerprint("cmarr.top")
    assert edited(tree, "extractors/low.py", text) == before


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("from extractors import data\n", "extractors/list.txt"),
        ("from pathlib import Path\nfile = Path(__file__).parent / 'own.json'\n", "cmarr/own.json"),
        ("from extractors.low import table\n", "extractors/more/low.csv"),
    ],
)
def test_a_data_file_that_a_module_names_counts(tree: Path, code: str, path: str) -> None:
    (tree / "cmarr/top.py").write_text(code)
    (tree / "extractors/low.py").write_text(
        "from pathlib import Path\ntable = Path(__file__).parent / 'more/low.csv'\n"
    )
    before = edited(tree, path, "one\n")
    assert edited(tree, path, "two\n") != before
    assert edited(tree, path, "one\n") == before
    assert edited(tree, "extractors/unnamed.txt", "two\n") == before
    (tree / path).unlink()
    assert edited(tree, "cmarr/other.py", "") != before


def test_every_data_file_of_the_packages_is_named_by_a_module() -> None:
    files = [path for name in fingerprint.PACKAGES for path in (fingerprint.ROOT / name).rglob("*.*") if path.is_file()]
    modules = [path for path in files if path.suffix == ".py"]
    found = {file for path in modules for file in fingerprint.data_files(path, ast.parse(path.read_bytes()))}
    assert found == {path for path in files if path.suffix not in (".py", ".pyc")}


@pytest.mark.parametrize(
    ("modules", "path"),
    [
        (("extractors.manifest", "extractors.corpora.msp_improv"), "extractors/corpora/msp_improv_excluded.txt"),
        (("cmarr.table2",), "cmarr/published.csv"),
        (("extractors.video",), "extractors/denseface/weights.safetensors"),
    ],
)
def test_a_job_runs_again_when_its_data_file_is_edited(
    modules: tuple[str, ...], path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in fingerprint.PACKAGES:
        shutil.copytree(fingerprint.ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = code_fingerprint(*modules)
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    fingerprint._read.cache_clear()
    assert code_fingerprint(*modules) == before
    content = (tmp_path / path).read_bytes()
    (tmp_path / path).write_bytes(content[:-1] + b"x")
    fingerprint._read.cache_clear()
    assert code_fingerprint(*modules) != before
    fingerprint._read.cache_clear()


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
