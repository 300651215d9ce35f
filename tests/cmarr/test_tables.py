"""Verbs `scores`, `table1`, `table2` and `figures`, recomputed independently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score

from cmarr.__main__ import VERBS
from cmarr.vocabulary import CLASSES, CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import write_csv, write_json

FOLDS, SEEDS, SYSTEMS = ("1", "2", "3"), (1, 2), ("cm_arr", "baseline")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random predictions of two systems, three folds, two seeds; all verbs run over them."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    runs = [f"toy/{system}/fold{fold}/seed{seed}" for system in SYSTEMS for fold in FOLDS for seed in SEEDS]
    for name in runs:
        _, system, fold, seed = name.split("/")
        record = {
            "corpus": "toy", "system": system, "protocol": "clean", "encoders": "frozen", "fold": fold[4:],
            "seed": int(seed[4:]), "best_epoch": 1, "origin": "synthetic", "notes": ["untrained face model"],
        }  # fmt: skip
        write_json(folder / "models" / name / "record.json", record)
        for condition in CONDITIONS:
            labels = rng.choice(CLASSES, 30)
            p = rng.dirichlet([1] * 4, 30)
            frame = pd.DataFrame(p, columns=[f"p_{label}" for label in CLASSES])
            frame.insert(0, "utterance", [f"u{i}" for i in range(30)])
            frame.insert(1, "label", labels)
            target = folder / "predictions" / name / f"{condition}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.assign(origin="synthetic").to_csv(target, index=False)
    out = str(folder / "scores.csv")
    places = ["--models", str(folder / "models"), "--predictions", str(folder / "predictions")]
    assert run("cmarr", VERBS, ["scores", *places, "--out", out, "--runs", *runs]) == 0
    table = ["--out", str(folder / "table2.csv"), "--markdown", str(folder / "table2.md")]
    assert run("cmarr", VERBS, ["table2", "--scores", out, *table]) == 0
    assert run("cmarr", VERBS, ["figures", "--scores", out, "--out", str(folder / "conditions.png")]) == 0
    return folder


def recomputed(results: Path, system: str, conditions: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """WAR and UAR per fold, straight from the prediction files."""
    war, uar = [], []
    for fold in FOLDS:
        values = []
        for seed in SEEDS:
            for condition in conditions:
                frame = pd.read_csv(results / f"predictions/toy/{system}/fold{fold}/seed{seed}/{condition}.csv")
                guess = frame[[f"p_{label}" for label in CLASSES]].to_numpy().argmax(axis=1)
                guess = [CLASSES[number] for number in guess]
                recall = recall_score(frame["label"], guess, average="macro", labels=CLASSES)
                values.append((100 * accuracy_score(frame["label"], guess), 100 * recall))
        war.append(np.mean([value[0] for value in values]))
        uar.append(np.mean([value[1] for value in values]))
    return np.array(war), np.array(uar)


def test_every_number_of_table_2_follows_from_the_prediction_files(results: Path) -> None:
    table = pd.read_csv(results / "table2.csv").set_index(["system", "condition"])
    assert len(table) == 2 * 8
    for system in SYSTEMS:
        for condition in (*CONDITIONS, "average"):
            conditions = MISSING_CONDITIONS if condition == "average" else (condition,)
            war, uar = recomputed(results, system, conditions)
            row = table.loc[(system, condition)]
            assert row["war_mean"] == pytest.approx(war.mean(), abs=0.006)
            assert row["war_std"] == pytest.approx(war.std(ddof=1), abs=0.006)
            assert row["uar_mean"] == pytest.approx(uar.mean(), abs=0.006)
            assert row["uar_std"] == pytest.approx(uar.std(ddof=1), abs=0.006)
            half = 4.302653 * uar.std(ddof=1) / np.sqrt(3)  # t quantile of 2 degrees of freedom
            assert row["uar_low"] == pytest.approx(uar.mean() - half, abs=0.006)
            assert row["uar_high"] == pytest.approx(uar.mean() + half, abs=0.006)
            assert (row["folds"], row["seeds"], row["origin"]) == (3, 2, "synthetic")
            assert row["notes"] == "untrained face model"


def test_the_printed_table_has_the_papers_rows_and_says_synthetic(results: Path) -> None:
    text = (results / "table2.md").read_text()
    first = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert first == ["available", "t", "s", "v", "v,t", "s,v", "s,t", "average", "s,v,t"]
    assert "## toy (synthetic)" in text
    assert "The data are synthetic" in text
    assert "Note: untrained face model." in text
    war, uar = recomputed(results, "cm_arr", ("t",))
    assert f"{war.mean():.2f} ± {war.std(ddof=1):.2f} / {uar.mean():.2f} ± {uar.std(ddof=1):.2f}" in text


def test_the_figure_is_a_picture(results: Path) -> None:
    from PIL import Image

    with Image.open(results / "conditions.png") as picture:
        assert picture.size[0] > 800
        assert picture.info["Description"] == "origin: synthetic"


def test_table_1_counts_classes(toy, tmp_path: Path) -> None:
    folder = tmp_path / "corpora/toy"
    folder.mkdir(parents=True)
    (folder / "manifest.csv").write_bytes(toy.manifest.read_bytes())
    write_csv(folder / "rejected.csv", ["utterance"], [{"utterance": "x"}])
    write_json(folder / "check.json", {"status": "not a release"})
    out = tmp_path / "table1.csv"
    assert run("cmarr", VERBS, ["table1", "--corpora", str(folder.parent), "--names", "toy", "--out", str(out)]) == 0
    (row,) = pd.read_csv(out).to_dict("records")
    assert [row[label] for label in CLASSES] == [18] * 4
    assert (row["total"], row["rejected"], row["sessions"], row["check"]) == (72, 1, 3, "not a release")
