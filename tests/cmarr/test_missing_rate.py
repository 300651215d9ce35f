from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmarr.__main__ import VERBS
from cmarr.aggregate import CUT
from cmarr.missing_rate import RATES, weights
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from tests.cmarr.random_results import CORPORA, NOTES, SEEDS, SYSTEMS, guessed, random_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """random_results with missing_rate.csv and missing_rate.png."""
    results = random_results(tmp_path_factory)
    out = ["--out", str(results / "missing_rate.csv"), "--figure", str(results / "missing_rate.png")]
    assert run("cmarr", VERBS, ["missing_rate", "--scores", str(results / "scores.csv"), *out]) == 0
    return results


@pytest.mark.parametrize("rate", RATES)
def test_weights_are_a_distribution_with_the_wanted_share_missing(rate: float) -> None:
    found = weights(rate)
    assert set(found) == set(CONDITIONS)
    assert min(found.values()) >= 0
    assert sum(found.values()) == pytest.approx(1)
    assert sum(weight * (3 - len(name)) / 3 for name, weight in found.items()) == pytest.approx(min(rate, 2 / 3))


def drawn(rng: np.random.Generator, rate: float, count: int) -> list[str]:
    """Conditions of `count` utterances: one modality stays, each of the others is missing with its probability."""
    found = []
    for _ in range(count):
        stays = rng.integers(3)
        kept = ["tsv"[place] for place in range(3) if place == stays or rng.random() >= 1.5 * rate]
        found.append(next(name for name in CONDITIONS if set(name) == set(kept)))
    return found


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7])
def test_scores_are_the_expectation_over_drawn_masks(folder: Path, rate: float) -> None:
    corpus, system, draws = "clips", "cm_arr", 120
    classes, folds = CORPORA[corpus]
    rng = np.random.default_rng(int(10 * rate))
    samples = np.zeros((draws, 2))
    for fold in folds:
        for seed in SEEDS:
            files = {name: guessed(folder, f"{corpus}/{system}/fold{fold}/seed{seed}", name) for name in CONDITIONS}
            labels = files["t"][0]
            for draw in range(draws):
                mask = drawn(rng, rate, len(labels))
                right = [files[name][1][row] == labels[row] for row, name in enumerate(mask)]
                recalls = [np.mean([hit for hit, own in zip(right, labels, strict=True) if own == c]) for c in classes]
                samples[draw] += np.array([np.mean(right), np.mean(recalls)]) * 100 / len(folds) / len(SEEDS)
    row = pd.read_csv(folder / "missing_rate.csv").set_index(["corpus", "system", "rate"]).loc[(corpus, system, rate)]
    errors = samples.std(axis=0) / np.sqrt(draws)
    for place, metric in enumerate(("war", "uar")):
        assert row[f"{metric}_mean"] == pytest.approx(samples[:, place].mean(), abs=4 * errors[place] + 0.006)


def test_the_table_has_every_rate_and_the_notes(folder: Path) -> None:
    table = pd.read_csv(folder / "missing_rate.csv")
    assert len(table) == len(CORPORA) * len(SYSTEMS) * len(RATES)
    assert list(table["rate"].unique()) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert {note.removesuffix(f"; {CUT}") for note in table["notes"]} == {"; ".join(notes) for notes in NOTES.values()}
    full = pd.read_csv(folder / "scores.csv").query("condition == 'svt' and corpus == 'toy' and system == 'cm_arr'")
    none = table.query("rate == 0 and corpus == 'toy' and system == 'cm_arr'").iloc[0]
    assert none["uar_mean"] == pytest.approx(full["uar"].mean(), abs=0.006)
    assert none["uar_std"] == pytest.approx(full.groupby("fold")["uar"].mean().std(), abs=0.006)


def test_the_figure_is_a_picture_that_names_its_origin(folder: Path) -> None:
    from PIL import Image

    with Image.open(folder / "missing_rate.png") as picture:
        assert picture.size[0] > 1000
        assert picture.info["Description"] == "origin: synthetic"
