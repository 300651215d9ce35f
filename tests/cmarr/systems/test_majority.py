from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cmarr.__main__ import VERBS
from cmarr.engine import probabilities
from cmarr.learning import Run, draw
from cmarr.scores import predictions
from cmarr.settings import Majority
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from extractors.files import read_csv, read_json
from tests.cmarr.systems.solved_data import TEST, TRAIN, dataset, solved


def test_gives_the_shares_of_the_training_classes(tmp_path: Path) -> None:
    data = dataset()
    system, outcome = solved("majority", Majority(), data, tmp_path)
    shares = np.bincount(data.labels[TRAIN], minlength=3) / len(TRAIN)
    for condition in CONDITIONS:
        found = probabilities(system, data, TEST, condition).numpy()
        np.testing.assert_allclose(found, np.tile(shares, (len(TEST), 1)), rtol=1e-6)
        assert outcome.history[-1][f"validation_uar_{condition}"] == pytest.approx(100 / 3)
    assert len(outcome.history) == 1


def test_a_class_that_training_lacks_has_no_share(tmp_path: Path) -> None:
    data = dataset()
    train = TRAIN[data.labels[TRAIN] != 0]
    system, _ = solved("majority", Majority(), data, tmp_path, train=train)
    found = probabilities(system, data, TEST, "svt")
    assert (found[:, 0] == 0).all()
    torch.testing.assert_close(found.sum(1), torch.ones(len(TEST)))


def test_trained_and_predicted_like_any_system_ties_go_to_the_first_class(toy, tmp_path: Path) -> None:
    """The toy corpus has as many utterances of each class."""
    model = tmp_path / "model"
    arguments = toy.train_arguments(model, "majority")
    arguments[arguments.index("--settings") + 1] = json.dumps({})
    assert run("cmarr", VERBS, arguments) == 0
    record = read_json(model / "record.json")
    assert (record["parameters"], record["candidates"]) == (4, 0)
    assert [row["stage"] for row in read_csv(model / "history.csv")] == ["all"]
    assert run("cmarr", VERBS, toy.predict_arguments(model, tmp_path / "out")) == 0
    labels = [row["label"] for row in toy.rows if row["utterance"] in read_json(toy.folds)["folds"]["1"]["train"]]
    counts = [labels.count(name) for name in toy.classes]
    for condition in CONDITIONS:
        found = predictions(tmp_path / f"out/{condition}.csv", list(toy.classes))
        assert set(found.guesses.tolist()) == {counts.index(max(counts))}
    arguments = ["learning", "--models", str(model / "history.csv"), "--out", str(tmp_path / "majority.png")]
    assert run("cmarr", VERBS, arguments) == 0
    (panel,) = draw([Run(record, read_csv(model / "history.csv"))]).axes
    (words,) = panel.texts
    assert "there is no curve" in words.get_text()
    assert panel.bbox.contains(*words.get_transform().transform(words.get_position()))
