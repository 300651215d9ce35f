from pathlib import Path

import jsonschema
import pytest
import yaml

from cmarr.__main__ import VERBS
from cmarr.schema import PAGE, SCHEMA, rendered
from extractors.console import run
from extractors.files import read_json

ROOT = Path(__file__).resolve().parents[2]


def test_the_committed_files_are_up_to_date() -> None:
    for path, content in rendered().items():
        assert (ROOT / path).read_text(encoding="utf-8") == content, "run `make schema`"


def test_the_page_lists_keys_with_type_default_and_meaning() -> None:
    page = rendered()[PAGE]
    assert "| `corpora.<name>.root` | text | required | folder of the unpacked release |" in page
    assert "| `systems.cm_arr.training.epochs` | integer | `100` |" in page
    assert "| `corpora.<name>.classes` | list of text or null | `null` |" in page
    assert "| `variants` | list of text | `[]` |" in page
    assert "| `studies.alpha` | list of number | `[0.1, 0.5, 1.0, 2.0, 5.0]` |" in page
    assert "| `protocol` | `clean`, `clean_session`, `paper_last`," in page
    assert "<class" not in page
    assert "annotation=" not in page
    assert '| `systems.cm_arr.size` | `paper`, `lite`, `tiny` | `"paper"` |' in page


def test_the_page_has_common_keys_of_corpora_once_and_marks_those_of_one_type() -> None:
    rows = [line.split(" | ") for line in rendered()[PAGE].splitlines() if line.startswith("| `corpora.")]
    keys = [row[0].strip("| `").removeprefix("corpora.<name>.") for row in rows]
    common = ["type", "root", "origin", "sessions"]
    policy = ["policy.empty_transcript", "policy.no_face", "policy.shortest_seconds"]
    assert keys == [*common, *policy, "greys.mean", "greys.std", "policy.scripted", "subset", "file", "classes"]
    assert rows[0][1] == "`iemocap`, `msp_improv`, `table`"
    assert [row[3].split(")")[0] for row in rows if row[3].startswith("(")] == [
        "(type iemocap", "(type msp_improv", "(type table", "(type table",
    ]  # fmt: skip


def test_check_finds_an_outdated_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cmarr", VERBS, ["schema", "--root", str(tmp_path)]) == 0
    assert run("cmarr", VERBS, ["schema", "--root", str(tmp_path), "--check"]) == 0
    (tmp_path / SCHEMA).write_text("{}")
    assert run("cmarr", VERBS, ["schema", "--root", str(tmp_path), "--check"]) == 1
    assert "run `make schema`" in capsys.readouterr().err


def test_the_schema_accepts_the_projects_files_and_refuses_unknown_keys() -> None:
    schema = read_json(ROOT / SCHEMA)
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    jsonschema.validate(content, schema)
    table = {"type": "table", "root": "x", "classes": ["a", "b"]}
    jsonschema.validate(content | {"corpora": {"c": table}}, schema)
    for change in ({"protocl": "clean"}, {"corpora": {"c": table | {"subset": "all"}}}, {"corpora": {"c": {}}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(content | change, schema)
