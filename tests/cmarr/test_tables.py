"""Verbs `table1`, `table2` and `figures`, recomputed independently."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cmarr.__main__ import VERBS
from cmarr.aggregate import CUT, ONE_SEED
from cmarr.figures import draw
from cmarr.table2 import pooled_scores
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, write_csv, write_json
from tests.cmarr.random_results import (
    CORPORA,
    NOTES,
    SYSTEMS,
    random_results,
    recomputed,
    recomputed_pooled,
    score,
)

FILES = {
    "out": "table2.csv", "markdown": "table2.md", "latex": "table2.tex", "text": "table2.txt",
    "published": "table2_paper.csv",
    "difference": "table2_difference.csv",
}  # fmt: skip
LAST = ("mean rank", "trials", "epochs", "steps", "parameters")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = random_results(tmp_path_factory)
    tabulate(folder)
    return folder


def table2(folder: Path, confusions: Path, *more: str) -> int:
    """From the scores in a folder, and confusions, to table2 in it; `toy` is taken for IEMOCAP."""
    out = [f"--{name}={folder / file}" for name, file in FILES.items()]
    made = [f"--scores={folder / 'scores.csv'}", f"--confusions={confusions}"]
    return run("cmarr", VERBS, ["table2", *made, *out, "--types", "toy=iemocap", "clips=table", *more])


def tabulate(folder: Path) -> None:
    """From the scores and confusions in a folder to table2 and the figure in it."""
    assert table2(folder, folder / "confusions.csv") == 0
    scores = ["--scores", str(folder / "scores.csv")]
    assert run("cmarr", VERBS, ["figures", *scores, "--out", str(folder / "conditions.png")]) == 0


@pytest.mark.parametrize(("corpus", "quantile"), [("toy", 4.302653), ("clips", 12.706205)])
def test_every_number_of_table_2_follows_from_the_prediction_files(results: Path, corpus: str, quantile: float) -> None:
    """`quantile` is that of t with one degree of freedom less than folds."""
    table = pd.read_csv(results / "table2.csv").set_index(["corpus", "system", "condition"])
    assert len(table) == 2 * 3 * 8
    folds = len(CORPORA[corpus][1])
    for system in SYSTEMS:
        for condition in (*CONDITIONS, "average"):
            conditions = MISSING_CONDITIONS if condition == "average" else (condition,)
            row = table.loc[(corpus, system, condition)]
            found = recomputed(results, corpus, system, conditions)
            beyond = False
            for metric, values in (("war", found[..., 0]), ("uar", found[..., 1])):
                means = values.mean(axis=1)  # (folds,)
                half = quantile * means.std(ddof=1) / np.sqrt(folds)
                assert row[f"{metric}_mean"] == pytest.approx(means.mean(), abs=0.006)
                assert row[f"{metric}_std"] == pytest.approx(means.std(ddof=1), abs=0.006)
                beyond |= means.mean() < half or means.mean() + half > 100
                assert row[f"{metric}_low"] == pytest.approx(max(means.mean() - half, 0), abs=0.006)
                assert row[f"{metric}_high"] == pytest.approx(min(means.mean() + half, 100), abs=0.006)
                assert row[f"{metric}_seed_std"] == pytest.approx(values.mean(axis=0).std(ddof=1), abs=0.006)
            pooled = recomputed_pooled(results, corpus, system, conditions)
            assert (row["war_pooled"], row["uar_pooled"]) == pytest.approx(pooled, abs=0.006)
            assert (row["folds"], row["seeds"], row["origin"]) == (folds, 2, "synthetic")
            assert tuple(row[["trials", "epochs", "steps", "parameters"]]) == (4, 10, 2250, 1234567)
            assert row[["candidates", "minus_linear_uar"]].isna().all()
            assert (row["protocol"], row["choice"], row["encoders"]) == ("paper_besttest", "test", "frozen")
            assert row["notes"] == "; ".join([*NOTES[corpus], *[CUT] * int(beyond)])


def test_the_printed_table_has_the_papers_rows_and_says_synthetic(results: Path) -> None:
    text = (results / "table2.md").read_text()
    first = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert first == 2 * ["available", "t", "s", "v", "v,t", "s,v", "s,t", "average", "s,v,t", *LAST]
    sections = dict(zip(CORPORA, text.split("## ")[1:], strict=True))
    for corpus, (_, folds) in CORPORA.items():
        assert sections[corpus].startswith(f"{corpus} (synthetic)\n")
        assert f"{len(folds)} folds, 2 seeds." in sections[corpus]
        assert "The data are synthetic" in sections[corpus]
        assert f"**Note: {'; '.join(NOTES[corpus])}.**" in sections[corpus]
        assert "Scores that chose the epoch: test." in sections[corpus]
        war, uar = recomputed(results, corpus, "cm_arr", ("t",)).mean(axis=1).T
        cell = f"{war.mean():.2f} ± {war.std(ddof=1):.2f} / {uar.mean():.2f} ± {uar.std(ddof=1):.2f}"
        assert cell in sections[corpus]


@pytest.mark.parametrize("corpus", CORPORA)
def test_ranks_are_those_of_the_printed_scores(results: Path, corpus: str) -> None:
    table = pd.read_csv(results / "table2.csv").query("corpus == @corpus")
    section = (results / "table2.md").read_text().split("## ")[1 + [*CORPORA].index(corpus)]
    for metric in ("war", "uar"):
        wanted = table.groupby("condition")[f"{metric}_mean"].rank(ascending=False)
        assert list(table[f"rank_{metric}"]) == list(wanted)
    own = table[table["condition"] != "average"].groupby("system", sort=False)[["rank_war", "rank_uar"]].mean()
    (last,) = (line.split("|")[2:-1] for line in section.splitlines() if line.startswith("| mean rank "))
    assert [cell.strip() for cell in last] == [f"{war:.2f} / {uar:.2f}" for war, uar in own.to_numpy()]
    assert list(own.index) == list(SYSTEMS)
    assert "1 is the best, and scores that are printed alike share a rank" in section


def test_latex_has_the_numbers_of_markdown(results: Path) -> None:
    tables = (results / "table2.tex").read_text().split(r"\begin{tabular}")[1:]
    sections = (results / "table2.md").read_text().split("## ")[1:]
    for corpus, latex, section in zip(CORPORA, tables, sections, strict=True):
        rows = [line for line in section.splitlines() if line.startswith("| ")]
        plain = latex.replace("$_{\\pm", " ± ").replace("}$", "").replace("{", "").replace("}", "")
        plain = plain.replace(r"\textbf", "").replace(r"\underline", "").replace(r"\_", "_")
        shown = [line.removesuffix(r" \\") for line in plain.splitlines() if line.endswith(r" \\")]
        assert [row.split(" & ") for row in shown] == [[*map(str.strip, row.split("|")[1:-1])] for row in rows]
        (_, folds) = CORPORA[corpus]
        assert f"{len(folds)} folds, 2 seeds." in latex
        best = max((float(number), number) for number in re.findall(r"([\d.]+)[}$_{]*\\pm", latex.split("average")[-1]))
        assert rf"\textbf{{{best[1]}}}" in latex


def test_published_scores_and_differences_lie_beside_the_table(results: Path) -> None:
    paper = pd.read_csv(results / "table2_paper.csv").set_index(["corpus", "system", "condition"])
    table = pd.read_csv(results / "table2.csv").set_index(["corpus", "system", "condition"])
    rows = read_csv(results / "table2_difference.csv")
    assert [(row["corpus"], row["system"]) for row in rows] == [("toy", "cm_arr")] * 8
    for row in rows:
        own, printed = (table.loc["toy", "cm_arr", row["condition"]], paper.loc["iemocap", "cm_arr", row["condition"]])
        for metric in ("war", "uar"):
            assert float(row[f"{metric}_difference"]) == pytest.approx(
                own[f"{metric}_mean"] - printed[metric], abs=0.011
            )
        assert row["notes"].endswith("the data are synthetic: differences to the paper say nothing")


def test_a_line_below_each_table_says_what_is_significant(results: Path, tmp_path: Path) -> None:
    for name in ("scores.csv", "confusions.csv"):
        (tmp_path / name).write_bytes((results / name).read_bytes())
    base = {"full": "cm_arr", "difference": "2.00", "low": "1.00", "high": "3.00", "draws": "900", "unit": "dialogue"}
    base |= {"units": "40", "strata": "3", "folds": "3", "system": "baseline", "condition": "average"}
    tests = [
        base
        | {"corpus": corpus, "metric": metric, "family": family}
        | {"p_holm": p, "bound": bound, "significant": answer, "few_units": "no"}
        for corpus, metric, family, p, bound, answer in (
            ("toy", "war", "secondary", "0.200000", "no", "no"), ("toy", "uar", "primary", "0.002220", "yes", "yes"),
            ("clips", "war", "repeated", "0.300000", "no", "no"), ("clips", "uar", "primary", "0.300000", "no", "no"),
        )
    ]  # fmt: skip
    write_csv(tmp_path / "significance.csv", list(tests[0]), tests)
    assert table2(tmp_path, tmp_path / "confusions.csv", "--significance", str(tmp_path / "significance.csv")) == 0
    words = [[": significant against baseline (+2.00 [1.00, 3.00], p < 0.0022). ", "0 of 1 are significant"]]
    words += [[": not significant against baseline (+2.00 [1.00, 3.00], p = 0.3). ", "so that WAR is UAR"]]
    for name, mark in (("table2.md", "## "), ("table2.tex", r"\begin{table*}")):
        for text, wanted in zip((tmp_path / name).read_text().split(mark)[1:], words, strict=True):
            plain = text.replace(r"\textless{}", "<")
            assert all(word in plain for word in wanted)
            assert "over 40 dialogues, drawn within folds (900 draws)" in text
    assert "significant" not in (results / "table2.md").read_text() + (results / "table2.tex").read_text()


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
        title = panel.get_title(loc="left")
        assert title.startswith(f"{corpus} (synthetic), {len(classes)} classes, protocol paper_besttest")
        assert f"{len(folds)} folds, 2 seeds" in title
        for system, bars in zip(SYSTEMS, panel.containers, strict=True):
            assert bars.get_label() == system
            assert list(bars.lines[0].get_ydata()) == pytest.approx(
                [*table.loc[(corpus, system)]["uar_mean"]], abs=0.006
            )
            assert all(low <= x < low + 1 for low, x in enumerate(bars.lines[0].get_xdata() + 0.5))


def test_one_fold_and_one_seed_have_no_deviation(results: Path, tmp_path: Path) -> None:
    for name in ("scores.csv", "confusions.csv"):
        rows = [row for row in read_csv(results / name) if (row["fold"], row["seed"]) == ("1", "1")]
        write_csv(tmp_path / name, list(rows[0]), rows)
    tabulate(tmp_path)
    row = read_csv(tmp_path / "table2.csv")[0]
    assert (row["war_pooled"], row["uar_pooled"]) == (row["war_mean"], row["uar_mean"])
    assert {row[f"uar_{name}"] for name in ("std", "low", "high", "seed_std")} == {""}
    text = (tmp_path / "table2.md").read_text()
    assert "±" not in text.split("| available")[1]
    assert ONE_SEED in text
    assert ONE_SEED not in (results / "table2.md").read_text()


def test_pooled_scores_weigh_folds_by_their_utterances() -> None:
    """Text alone is always wrong; else two seeds agree on fold 1 and differ on fold 2, which lacks one label."""
    right = {("1", "1"): (3, 1), ("1", "2"): (3, 1), ("2", "1"): (0, 4), ("2", "2"): (0, 6)}
    of_label = {"1": (4, 2), "2": (0, 6)}
    rows = []
    for condition in CONDITIONS:
        for (fold, seed), hits in right.items():
            for label, other, hit, count in zip("ab", "ba", hits, of_label[fold], strict=True):
                base = {"corpus": "c", "system": "s", "fold": fold, "seed": seed, "condition": condition}
                good = 0 if condition == "t" else hit
                rows.append(base | {"label": label, "predicted": label, "count": str(good)})
                rows.append(base | {"label": label, "predicted": other, "count": str(count - good)})
    found = pooled_scores(rows)
    war = (100 * 8 / 12 + 100 * 10 / 12) / 2
    uar = ((75 + 100 * 5 / 8) / 2 + (75 + 100 * 7 / 8) / 2) / 2
    assert found["c", "s", "t"] == {"war_pooled": "0.00", "uar_pooled": "0.00"}
    assert found["c", "s", "svt"] == {"war_pooled": f"{war:.2f}", "uar_pooled": f"{uar:.2f}"}
    assert found["c", "s", "average"] == {"war_pooled": f"{5 * war / 6:.2f}", "uar_pooled": f"{5 * uar / 6:.2f}"}


def test_scores_without_their_confusions_are_a_user_error(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row for row in read_csv(results / "confusions.csv") if row["system"] != "baseline"]
    write_csv(tmp_path / "confusions.csv", list(rows[0]), rows)
    (tmp_path / "scores.csv").write_bytes((results / "scores.csv").read_bytes())
    assert table2(tmp_path, tmp_path / "confusions.csv") == 1
    assert "confusions: have no baseline on toy" in capsys.readouterr().err
    assert not any((tmp_path / name).exists() for name in FILES.values())


def corpus_files(folder: Path, rows: list[dict[str, str]], classes: tuple[str, ...], status: str) -> None:
    write_csv(folder / "manifest.csv", list(rows[0]), rows)
    write_json(folder / "check.json", {"status": status, "classes": classes, "rejected": 1})


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


@pytest.mark.parametrize("system", ["cm_arr", "baseline"])
def test_three_classes_go_from_training_to_the_tables(clips, system: str, tmp_path: Path) -> None:
    folds = ("Actor_10", "B_2")
    for fold in folds:
        model = tmp_path / f"models/clips/{system}/fold{fold}/seed1"
        assert run("cmarr", VERBS, clips.train_arguments(model, system, fold)) == 0
        out = tmp_path / f"predictions/clips/{system}/fold{fold}/seed1"
        assert run("cmarr", VERBS, clips.predict_arguments(model, out)) == 0
        for condition in CONDITIONS:
            frame = pd.read_csv(out / f"{condition}.csv")
            assert list(frame)[:4] == ["utterance", "dialogue", "speaker", "label"]
            assert list(frame)[4:] == ["p_sad", "p_joy", "p_very angry", "origin"]
            for name in ("utterance", "dialogue", "speaker", "label"):
                assert list(frame[name]) == [row[name] for row in clips.rows if row["session"] == fold]
            np.testing.assert_allclose(frame.iloc[:, 4:7].sum(axis=1), 1, atol=1e-6)
    score(tmp_path, [f"clips/{system}/fold{fold}/seed1" for fold in folds])
    tabulate(tmp_path)
    table = pd.read_csv(tmp_path / "table2.csv").set_index("condition")
    assert table.loc["svt", "uar_mean"] > 50  # the label is in every modality
    assert set(table["folds"]) == {2}
    assert (tmp_path / "conditions.png").stat().st_size > 10_000
