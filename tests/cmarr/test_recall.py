from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from cmarr.__main__ import VERBS
from cmarr.aggregate import CUT, FACTS
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, write_csv
from tests.cmarr.random_results import CORPORA, NOTES, SEEDS, SYSTEMS, guessed, random_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_results(tmp_path_factory)


def test_recalls_are_those_of_the_prediction_files(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "recall.csv"
    assert run("cmarr", VERBS, ["recall", "--confusions", str(results / "confusions.csv"), "--out", str(out)]) == 0
    table = pd.read_csv(out).set_index(["corpus", "system", "condition", "class"])
    assert len(table) == len(SYSTEMS) * 8 * sum(len(classes) for classes, _ in CORPORA.values())
    for corpus, (classes, folds) in CORPORA.items():
        for condition in (*CONDITIONS, "average"):
            conditions = MISSING_CONDITIONS if condition == "average" else (condition,)
            found = np.zeros((len(folds), len(classes)))
            support = np.zeros(len(classes))
            for place, fold in enumerate(folds):
                for seed in SEEDS:
                    for name in conditions:
                        labels, guesses = guessed(results, f"{corpus}/cm_arr/fold{fold}/seed{seed}", name)
                        found[place] += 100 * recall_score(labels, guesses, average=None, labels=classes)
                support += [labels.count(label) for label in classes]
            found /= len(SEEDS) * len(conditions)
            rows = table.loc[[(corpus, "cm_arr", condition, label) for label in classes]]
            assert list(rows["recall_mean"]) == pytest.approx(found.mean(0), abs=0.006)
            assert list(rows["recall_std"]) == pytest.approx(found.std(0, ddof=1), abs=0.006)
            assert list(rows["support"]) == list(support)
            assert rows["recall_low"].ge(0).all()
            assert rows["recall_high"].le(100).all()
            assert {note.removesuffix(f"; {CUT}") for note in rows["notes"]} == {"; ".join(NOTES[corpus])}


def test_a_fold_without_a_class_does_not_count_for_it(tmp_path: Path) -> None:
    base = {"corpus": "c", "system": "s", "seed": "1"} | dict.fromkeys(FACTS, "x")
    counts = {("1", "a", "a"): 3, ("1", "a", "b"): 1, ("1", "b", "a"): 0, ("1", "b", "b"): 0}
    counts |= {("2", "a", "a"): 1, ("2", "a", "b"): 1, ("2", "b", "a"): 1, ("2", "b", "b"): 4}
    rows = [
        base | {"condition": condition, "fold": fold, "label": label, "predicted": predicted, "count": count}
        for condition in CONDITIONS for (fold, label, predicted), count in counts.items()
    ]  # fmt: skip
    write_csv(tmp_path / "confusions.csv", list(rows[0]), rows)
    arguments = ["--confusions", str(tmp_path / "confusions.csv"), "--out", str(tmp_path / "recall.csv")]
    assert run("cmarr", VERBS, ["recall", *arguments]) == 0
    found = {(row["condition"], row["class"]): row for row in read_csv(tmp_path / "recall.csv")}
    for condition in ("t", "average"):
        assert found[condition, "a"]["recall_mean"] == "62.50"
        assert found[condition, "b"]["recall_mean"] == "80.00"
        assert (found[condition, "b"]["recall_std"], found[condition, "b"]["support"]) == ("", "5")
        assert (found[condition, "a"]["folds"], found[condition, "b"]["folds"]) == ("2", "1")
