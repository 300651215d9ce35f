from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from cmarr.choice import METRICS, Choice
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS

LABELS = np.repeat(np.arange(4), 25)


def guesses() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        name: np.where(rng.random(100) < 0.1 * place, LABELS, rng.integers(0, 4, 100))
        for place, name in enumerate(CONDITIONS)
    }


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("rows", ["validation", "test"])
def test_scores_are_those_of_scikit_learn(rows: str, metric: str) -> None:
    found = guesses()
    scores = Choice(rows, metric).scores(LABELS, found, 4)
    single = {name: 100 * recall_score(LABELS, found[name], average="macro") for name in CONDITIONS}
    assert {name: scores[f"{rows}_uar_{name}"] for name in CONDITIONS} == pytest.approx(single)
    labels, pooled = np.tile(LABELS, 6), np.concatenate([found[name] for name in MISSING_CONDITIONS])
    expected = {
        "mean_uar": np.mean(list(single.values())),
        "pooled_uar": 100 * recall_score(labels, pooled, average="macro"),
        "pooled_macro_f1": 100 * f1_score(labels, pooled, average="macro"),
    }
    assert scores[f"{rows}_{metric}"] == pytest.approx(expected[metric])
    assert len(scores) == 8


def test_smoothed_scores_have_a_column_of_their_own_and_raw_ones_decide_without() -> None:
    choice, rows = Choice("test", "mean_uar"), [{"test_mean_uar": value} for value in (10.0, 40.0, 70.0)]
    assert choice.deciding(1) == choice.column == "test_mean_uar"
    assert choice.smoothed(rows, 1) == {}
    assert choice.deciding(2) == "test_mean_uar_smoothed"
    assert choice.smoothed(rows, 2) == {"test_mean_uar_smoothed": 55}
    assert choice.smoothed(rows, 9) == {"test_mean_uar_smoothed": 40}
    assert Choice("none", "mean_uar").smoothed(rows, 2) == {}


@pytest.mark.parametrize(("rows", "metric"), [("train", "mean_uar"), ("test", "war")])
def test_an_unknown_choice_is_refused(rows: str, metric: str) -> None:
    with pytest.raises(ValueError, match="unknown choice"):
        Choice(rows, metric)


def test_a_stage_that_knows_complete_utterances_only_is_judged_by_them() -> None:
    found = {"svt": guesses()["svt"]}
    expected = 100 * recall_score(LABELS, found["svt"], average="macro")
    for metric in ("mean_uar", "pooled_uar"):
        scores = Choice("validation", metric).scores(LABELS, found, 4)
        assert scores == pytest.approx({"validation_uar_svt": expected, f"validation_{metric}": expected})
