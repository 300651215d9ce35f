from __future__ import annotations

from pathlib import Path

import pytest

from extractors.corpora import table
from extractors.corpora.lines import split
from extractors.corpora.table_labels import alike, label_problem
from tests.extractors.corpora.table_rows import rows


def spelt(labels: list[str], classes: tuple[str, ...] | None = None) -> tuple[list[str], list[str]]:
    """Labels of the rows, and the remarks."""
    found = table.parse(split(rows(*({"label": label} for label in labels)).encode()), classes)
    assert found.size == len(labels)
    return [row.label for row in found.rows], [remark.remark for remark in found.remarks]


def test_a_class_may_be_written_in_several_ways() -> None:
    labels, remarks = spelt(["HAPPY", "Happy", " happy ", "ANGRY", "HAPPY", "HAPPY"])
    assert labels == ["happy"] * 3 + ["ANGRY"] + ["happy"] * 2
    why = "in case, blanks or Unicode form only: one class"
    assert remarks == [
        f"label 'HAPPY' differs from 'happy' {why} (3 rows)",
        f"label 'Happy' differs from 'happy' {why} (1 rows)",
    ]


@pytest.mark.parametrize(
    ("labels", "one"),
    [
        (["Calm", "calm", "Calm"], "Calm"),
        (["very  calm", "Very\u00a0calm", "very calm"], "very calm"),
        (["e\u0301nerve\u0301", "\u00e9nerv\u00e9", "\u00c9NERV\u00c9"], "\u00e9nerv\u00e9"),
        (["\uff21\uff22", "ab", "ab"], "ab"),
        (["Stra\u00dfe", "STRASSE", "Stra\u00dfe"], "Stra\u00dfe"),
        (["1.0", "1", "1.00"], "1"),
        (["'sad", "sad\u200b", "Sad"], "sad"),
    ],
)
def test_ways_to_write_a_class(labels: list[str], one: str) -> None:
    assert set(spelt(labels)[0]) == {one}


def test_classes_of_the_settings_decide_the_spelling() -> None:
    labels, remarks = spelt(["happy", "HAPPY", "sad ", "0.0"], ("Happy", "SAD", "0"))
    assert labels == ["Happy", "Happy", "SAD", "0"]
    assert len(remarks) == 3


def test_labels_that_differ_in_more_are_other_classes() -> None:
    labels = ["happy", "happy-ish", "hap py", "happy_", "unhappy"]
    assert spelt(labels) == (labels, [])


def test_which_labels_can_be_classes() -> None:
    assert label_problem("none", None) == label_problem("None", ("None", "sad")) == ""
    assert label_problem("None", None) == (
        "label 'None' stands for no value; if it is a class, list it under `classes`"
    )
    for label in ("\u0916\u0941\u0936\u0940", "\u0e40\u0e28\u0e23\u0e49\u0e32", "\u5f00\u5fc3", "q\u0307"):
        assert label_problem(label, None) == ""
    assert "it needs a letter or digit first" in label_problem("-a", None)
    assert label_problem("x", ("sad",)) == "label 'x' is not one of the classes"


def test_names_that_are_alike_are_told() -> None:
    assert [remark.remark for remark in alike("speaker", ["Ann", "ann", "Ben", "Ann"])] == [
        "speakers 'Ann', 'ann' differ in case or blanks only; they are not one"
    ]


def test_the_classes_of_a_table(tmp_path: Path) -> None:
    (tmp_path / "utterances.csv").write_text(rows(*({"label": label} for label in ("Sad", "sad", "HAPPY", "Zest"))))
    corpus = table.Table(type="table", root=str(tmp_path))
    assert table.classes(corpus) == ("sad", "HAPPY", "Zest")
