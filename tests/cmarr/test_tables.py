"""Verbs `scores`, `table1`, `table2` and `figures`, recomputed independently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score

from cmarr.__main__ import VERBS
from cmarr.figures import draw
from cmarr.vocabulary import CLASSES, CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, write_csv, write_json

SEEDS, SYSTEMS = (1, 2), ("cm_arr", "baseline")
CORPORA = {"toy": (CLASSES, ("1", "2", "3")), "clips": (("sad", "joy", "very angry"), ("a", "b_1"))}
"""name to classes and folds"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random predictions of two systems, three or two folds, two seeds on two corpora; all verbs run over them."""
    folder = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    runs = [
        f"{corpus}/{system}/fold{fold}/seed{seed}"
        for corpus, (_, folds) in CORPORA.items() for system in SYSTEMS for fold in folds for seed in SEEDS
    ]  # fmt: skip
    for name in runs:
        corpus, system, fold, seed = name.split("/")
        classes = CORPORA[corpus][0]
        record = {
            "corpus": corpus, "system": system, "protocol": "clean", "encoders": "frozen", "fold": fold[4:],
            "seed": int(seed[4:]), "best_epoch": 1, "origin": "synthetic", "notes": ["untrained face model"],
            "classes": classes,
        }  # fmt: skip
        write_json(folder / "models" / name / "record.json", record)
        for condition in CONDITIONS:
            labels = rng.choice(classes, 30)
            p = rng.dirichlet([1] * len(classes), 30)
            frame = pd.DataFrame(p, columns=[f"p_{label}" for label in classes])
            frame.insert(0, "utterance", [f"u{i}" for i in range(30)])
            frame.insert(1, "label", labels)
            target = folder / "predictions" / name / f"{condition}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.assign(origin="synthetic").to_csv(target, index=False)
    tabulate(folder, runs)
    return folder


def tabulate(folder: Path, runs: list[str]) -> None:
    """From the predictions below a folder to scores.csv, table2 and the figure in it."""
    out = str(folder / "scores.csv")
    places = ["--models", str(folder / "models"), "--predictions", str(folder / "predictions")]
    assert run("cmarr", VERBS, ["scores", *places, "--out", out, "--runs", *runs]) == 0
    table = ["--out", str(folder / "table2.csv"), "--markdown", str(folder / "table2.md")]
    assert run("cmarr", VERBS, ["table2", "--scores", out, *table]) == 0
    assert run("cmarr", VERBS, ["figures", "--scores", out, "--out", str(folder / "conditions.png")]) == 0


def recomputed(results: Path, corpus: str, system: str, conditions: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """WAR and UAR per fold, straight from the prediction files."""
    war, uar = [], []
    classes, folds = CORPORA[corpus]
    for fold in folds:
        values = []
        for seed in SEEDS:
            for condition in conditions:
                frame = pd.read_csv(results / f"predictions/{corpus}/{system}/fold{fold}/seed{seed}/{condition}.csv")
                guess = frame[[f"p_{label}" for label in classes]].to_numpy().argmax(axis=1)
                guess = [classes[number] for number in guess]
                recall = recall_score(frame["label"], guess, average="macro", labels=classes)
                values.append((100 * accuracy_score(frame["label"], guess), 100 * recall))
        war.append(np.mean([value[0] for value in values]))
        uar.append(np.mean([value[1] for value in values]))
    return np.array(war), np.array(uar)


@pytest.mark.parametrize(("corpus", "quantile"), [("toy", 4.302653), ("clips", 12.706205)])
def test_every_number_of_table_2_follows_from_the_prediction_files(results: Path, corpus: str, quantile: float) -> None:
    """`quantile` is that of t with one degree of freedom less than folds."""
    table = pd.read_csv(results / "table2.csv").set_index(["corpus", "system", "condition"])
    assert len(table) == 2 * 2 * 8
    folds = len(CORPORA[corpus][1])
    for system in SYSTEMS:
        for condition in (*CONDITIONS, "average"):
            conditions = MISSING_CONDITIONS if condition == "average" else (condition,)
            war, uar = recomputed(results, corpus, system, conditions)
            row = table.loc[(corpus, system, condition)]
            assert row["war_mean"] == pytest.approx(war.mean(), abs=0.006)
            assert row["war_std"] == pytest.approx(war.std(ddof=1), abs=0.006)
            assert row["uar_mean"] == pytest.approx(uar.mean(), abs=0.006)
            assert row["uar_std"] == pytest.approx(uar.std(ddof=1), abs=0.006)
            half = quantile * uar.std(ddof=1) / np.sqrt(folds)
            assert row["uar_low"] == pytest.approx(uar.mean() - half, abs=0.006)
            assert row["uar_high"] == pytest.approx(uar.mean() + half, abs=0.006)
            assert (row["folds"], row["seeds"], row["origin"]) == (folds, 2, "synthetic")
            assert row["notes"] == "untrained face model"


def test_the_printed_table_has_the_papers_rows_and_says_synthetic(results: Path) -> None:
    text = (results / "table2.md").read_text()
    first = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert first == 2 * ["available", "t", "s", "v", "v,t", "s,v", "s,t", "average", "s,v,t"]
    sections = dict(zip(CORPORA, text.split("## ")[1:], strict=True))
    for corpus, (_, folds) in CORPORA.items():
        assert sections[corpus].startswith(f"{corpus} (synthetic)\n")
        assert f"{len(folds)} folds, 2 seed(s)." in sections[corpus]
        assert "The data are synthetic" in sections[corpus]
        assert "Note: untrained face model." in sections[corpus]
        war, uar = recomputed(results, corpus, "cm_arr", ("t",))
        cell = f"{war.mean():.2f} ± {war.std(ddof=1):.2f} / {uar.mean():.2f} ± {uar.std(ddof=1):.2f}"
        assert cell in sections[corpus]


def test_the_figure_is_a_picture(results: Path) -> None:
    from PIL import Image

    with Image.open(results / "conditions.png") as picture:
        assert picture.size[0] > 800
        assert picture.info["Description"] == "origin: synthetic"


def test_the_figure_has_a_panel_per_corpus_with_its_chance_level(results: Path) -> None:
    scores = read_csv(results / "scores.csv")
    table = pd.read_csv(results / "table2.csv").set_index(["corpus", "system"])
    panels = draw(scores).axes
    for corpus, panel in zip(CORPORA, panels, strict=True):
        classes, folds = CORPORA[corpus]
        chance = next(line for line in panel.lines if line.get_label() == "chance")
        assert list(chance.get_ydata()) == pytest.approx([100 / len(classes)] * 2)
        assert panel.get_title(loc="left") == f"{corpus} (synthetic), {len(classes)} classes, {len(folds)} folds"
        heights = [bar.get_height() for bar in panel.patches]
        assert heights == pytest.approx([*table.loc[corpus]["uar_mean"]], abs=0.006)
    assert {(row["corpus"], row["classes"]) for row in scores} == {("toy", "4"), ("clips", "3")}


def corpus_files(folder: Path, rows: list[dict[str, str]], classes: tuple[str, ...], status: str) -> None:
    write_csv(folder / "manifest.csv", list(rows[0]), rows)
    write_csv(folder / "rejected.csv", ["utterance"], [{"utterance": "x"}])
    write_json(folder / "check.json", {"status": status, "classes": classes})


def test_table_1_counts_the_classes_of_each_corpus(toy, clips, tmp_path: Path) -> None:
    corpus_files(tmp_path / "clips", clips.rows, (*clips.classes, "happy"), "nothing to compare with")
    corpus_files(tmp_path / "toy", toy.rows, toy.classes, "not a release")
    out = tmp_path / "table1.csv"
    names = ["clips", "toy"]
    assert run("cmarr", VERBS, ["table1", "--corpora", str(tmp_path), "--names", *names, "--out", str(out)]) == 0
    assert out.read_text().splitlines() == [
        "corpus,angry,happy,neutral,sad,joy,very angry,total,rejected,speakers,sessions,check,origin",
        "clips,,0,,18,18,18,54,1,3,3,nothing to compare with,composite",
        "toy,18,18,18,18,,,72,1,3,3,not a release,synthetic",
    ]


def test_a_class_may_be_called_like_a_column_of_table_1(toy, tmp_path: Path) -> None:
    corpus_files(tmp_path / "toy", toy.rows, (*toy.classes, "total"), "not a release")
    out = tmp_path / "table1.csv"
    assert run("cmarr", VERBS, ["table1", "--corpora", str(tmp_path), "--names", "toy", "--out", str(out)]) == 0
    (row,) = read_csv(out)
    assert (row["label total"], row["total"]) == ("0", "72")


@pytest.mark.parametrize("system", SYSTEMS)
def test_three_classes_go_from_training_to_the_tables(clips, system: str, tmp_path: Path) -> None:
    folds = ("Actor_10", "B_2")
    for fold in folds:
        model = tmp_path / f"models/clips/{system}/fold{fold}/seed1"
        assert run("cmarr", VERBS, clips.train_arguments(model, system, fold)) == 0
        for condition in CONDITIONS:
            out = tmp_path / f"predictions/clips/{system}/fold{fold}/seed1/{condition}.csv"
            assert run("cmarr", VERBS, clips.predict_arguments(model, condition, out)) == 0
            frame = pd.read_csv(out)
            assert list(frame) == ["utterance", "label", "p_sad", "p_joy", "p_very angry", "origin"]
            assert list(frame["label"]) == [row["label"] for row in clips.rows if row["session"] == fold]
            np.testing.assert_allclose(frame.iloc[:, 2:5].sum(axis=1), 1, atol=1e-6)
    tabulate(tmp_path, [f"clips/{system}/fold{fold}/seed1" for fold in folds])
    table = pd.read_csv(tmp_path / "table2.csv").set_index("condition")
    assert table.loc["svt", "uar_mean"] > 50  # the label is in every modality
    assert set(table["folds"]) == {2}
    assert (tmp_path / "conditions.png").stat().st_size > 10_000
