from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix

from cmarr.__main__ import VERBS
from cmarr.scores import COLUMNS, predictions
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from extractors.files import UserError, read_csv, write_csv
from tests.cmarr.random_results import CORPORA, NOTES, RUNS, SPEECH, guessed, random_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_results(tmp_path_factory)


def test_confusions_hold_every_pair_of_every_file(results: Path) -> None:
    frame = pd.read_csv(results / "confusions.csv", dtype={"fold": str})
    assert len(frame) == sum(len(CONDITIONS) * len(CORPORA[name.split("/")[0]][0]) ** 2 for name in RUNS)
    for name in RUNS:
        corpus, system, fold, seed = name.split("/")
        classes = CORPORA[corpus][0]
        keys = [(frame["corpus"] == corpus), (frame["system"] == system), (frame["fold"] == fold[4:])]
        own = frame[keys[0] & keys[1] & keys[2] & (frame["seed"] == int(seed[4:]))]
        for condition, group in own.groupby("condition"):
            table = group.pivot(index="label", columns="predicted", values="count").loc[[*classes], [*classes]]
            assert (table.to_numpy() == confusion_matrix(*guessed(results, name, str(condition)), labels=classes)).all()
    assert (frame["count"] == 0).any()
    assert set(frame[frame["corpus"] == "toy"]["notes"]) == {"; ".join(NOTES["toy"])}


def test_scores_have_a_row_per_run_and_condition(results: Path) -> None:
    rows = read_csv(results / "scores.csv")
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == len(RUNS) * len(CONDITIONS)
    assert {(row["protocol"], row["choice"], row["utterances"]) for row in rows} == {("paper_besttest", "test", "30")}
    assert {row["speech"] for row in rows} == {SPEECH}
    assert {(row["corpus"], row["classes"]) for row in rows} == {("toy", "4"), ("clips", "3")}


def test_ties_go_to_the_first_class(tmp_path: Path) -> None:
    where = {"utterance": "u", "dialogue": "d", "speaker": "s"}
    row = where | {"label": "b", "p_a": "0.4", "p_b": "0.4", "p_c": "0.2"}
    write_csv(tmp_path / "t.csv", list(row), [row])
    found = predictions(tmp_path / "t.csv", ["a", "b", "c"])
    assert found.names == {name: [value] for name, value in where.items()}
    assert (found.labels.tolist(), found.guesses.tolist()) == ([1], [0])


@pytest.mark.parametrize("column", ["dialogue", "speaker"])
def test_a_file_of_an_older_version_is_a_user_error(tmp_path: Path, column: str) -> None:
    row = {"utterance": "u", "dialogue": "d", "speaker": "s", "label": "a", "p_a": "1"}
    del row[column]
    write_csv(tmp_path / "t.csv", list(row), [row])
    with pytest.raises(UserError, match=f"t.csv: has no column `{column}`.*predict again"):
        predictions(tmp_path / "t.csv", ["a"])


def test_a_file_without_predictions_is_a_user_error(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_csv(tmp_path / RUNS[0] / "t.csv", ["utterance"], [])
    places = ["--models", str(results / "models"), "--predictions", str(tmp_path), "--runs", RUNS[0]]
    out = ["--out", str(tmp_path / "scores.csv"), "--confusions", str(tmp_path / "confusions.csv")]
    assert run("cmarr", VERBS, ["scores", *places, *out]) == 1
    assert "t.csv: no predictions in it" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()
