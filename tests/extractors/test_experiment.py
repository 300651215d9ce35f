from pathlib import Path

import pytest

from extractors import experiment
from extractors.files import UserError


def test_sections_of_stage_1(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("seeds: [1]\nsystems: {x: 1}\nencoders: {text: {model: hashing}}\n")
    found = experiment.read(path)
    assert found.encoders.text.model == "hashing"
    assert (found.results, found.corpora) == ("results", {})
    path.write_text("results: r\ncorpora: {a: {type: table, root: x}}\n")
    assert experiment.read(path).corpora["a"].root == "x"
    path.write_text("")
    assert experiment.read(path).encoders.folder == "data/encoders"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("encoders: {txt: {}}", r"a\.yaml: encoders\.txt: unknown key"),
        ("corpora: {a: {type: tabel, root: x}}", r"a\.yaml: corpora\.a: .*tabel"),
        ("a: [", r"a\.yaml: not a configuration"),
        ("- 1", r"a\.yaml: "),
        ("a: 2026-01-01", r"a\.yaml: not a configuration"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, content: str, reason: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(UserError, match=reason) as problem:
        experiment.read(tmp_path / "a.yaml")
    assert "\n" not in str(problem.value)
    with pytest.raises(UserError, match=r"b\.yaml: No such file"):
        experiment.read(tmp_path / "b.yaml")
