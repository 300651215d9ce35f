from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import scipy.stats

from cmarr.__main__ import VERBS
from cmarr.aggregate import ROWS, named
from cmarr.table3 import heading
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, write_csv
from tests.cmarr.random_results import CORPORA, NOTES, SYSTEMS, random_results, recomputed, recomputed_pooled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """random_results with table3.csv and table3.md."""
    results = random_results(tmp_path_factory)
    assert table3(results, "cm_arr") == 0
    return results


def table3(folder: Path, full: str) -> int:
    out = ["--out", str(folder / "table3.csv"), "--markdown", str(folder / "table3.md")]
    made = ["--scores", str(folder / "scores.csv"), "--confusions", str(folder / "confusions.csv")]
    return run("cmarr", VERBS, ["table3", *made, "--full", full, *out])


@pytest.mark.parametrize(
    ("system", "head"),
    [
        ("cm_arr", "ours"),
        ("baseline", "baseline"),
        ("baseline-width-32", "baseline, width 32"),
        ("cm_arr-ablation-no_udcl", "no_udcl"),
        ("cm_arr-ablation-no_udcl-x_source-R", "no_udcl, x_source R"),
        ("cm_arr-alpha-0-beta-0", "alpha 0, beta 0"),
    ],
)
def test_heads_of_columns_are_words(system: str, head: str) -> None:
    assert heading(system, "cm_arr") == head


@pytest.mark.filterwarnings("ignore:Precision loss")  # differences of two folds happen to be equal
@pytest.mark.parametrize("corpus", CORPORA)
def test_pooled_scores_and_paired_differences_follow_from_the_prediction_files(folder: Path, corpus: str) -> None:
    table = pd.read_csv(folder / "table3.csv").set_index(["corpus", "system", "condition"])
    for system in SYSTEMS:
        for condition in (*CONDITIONS, "average"):
            row = table.loc[(corpus, system, condition)]
            conditions = MISSING_CONDITIONS if condition == "average" else (condition,)
            pooled = recomputed_pooled(folder, corpus, system, conditions)
            assert (row["war_pooled"], row["uar_pooled"]) == pytest.approx(pooled, abs=0.006)
            if system == "cm_arr":
                assert (row["column"], row.filter(like="minus").notna().any()) == ("ours", False)
                continue
            ours, theirs = (recomputed(folder, corpus, name, conditions).mean(axis=1).T for name in ("cm_arr", system))
            for metric, one, other in zip(("war", "uar"), theirs, ours, strict=True):
                low, high = scipy.stats.ttest_rel(one, other).confidence_interval()
                found = [row[f"{metric}_minus_full{name}"] for name in ("", "_low", "_high")]
                assert found == pytest.approx([(one - other).mean(), max(low, -100), min(high, 100)], abs=0.006)
                assert row[f"{metric}_mean"] == pytest.approx(one.mean(), abs=0.006)


def test_the_printed_table_has_a_column_per_system_and_its_difference(folder: Path) -> None:
    sections = dict(zip(CORPORA, (folder / "table3.md").read_text().split("## ")[1:], strict=True))
    table = pd.read_csv(folder / "table3.csv").set_index(["corpus", "column", "condition"])
    for corpus, text in sections.items():
        lines = [
            [cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")
        ]
        assert lines[0] == ["available", "baseline", "beta 0.5", "ours"]
        assert [line[0] for line in lines[1:]] == [*map(named, ROWS), "average minus ours"]
        row = table.loc[(corpus, "beta 0.5", "average")]
        parts = (
            f"{row[f'{metric}_minus_full']:+.2f} "
            f"[{row[f'{metric}_minus_full_low']:.2f}, {row[f'{metric}_minus_full_high']:.2f}]"
            for metric in ("war", "uar")
        )
        assert lines[-1][2:] == [" / ".join(parts), ""]
        assert "; ".join(NOTES[corpus]) in text


def test_systems_below_the_linear_reference_are_named_where_the_study_has_it(folder: Path, tmp_path: Path) -> None:
    assert "below that of linear" not in (folder / "table3.md").read_text()
    for name in ("scores.csv", "confusions.csv"):
        rows = read_csv(folder / name)
        for row in rows:
            row["system"] = row["system"].replace("baseline", "linear")
        write_csv(tmp_path / name, list(rows[0]), rows)
    assert table3(tmp_path, "cm_arr") == 0
    table = pd.read_csv(tmp_path / "table3.csv").set_index(["corpus", "column", "condition"])["uar_mean"]
    for corpus, text in zip(CORPORA, (tmp_path / "table3.md").read_text().split("## ")[1:], strict=True):
        (line,) = [line for line in text.splitlines() if line.startswith("UAR below that of linear")]
        for column in ("beta 0.5", "ours"):
            lower = [name for name in ROWS if table[corpus, column, name] < table[corpus, "linear", name]]
            assert f"{column} ({'all' if len(lower) == len(ROWS) else ', '.join(lower)})" in line


def test_the_full_model_has_to_be_among_the_scores(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.csv").write_bytes((folder / "scores.csv").read_bytes())
    assert table3(tmp_path, "mmin") == 1
    assert "scores.csv: has no mmin on toy" in capsys.readouterr().err
    assert not (tmp_path / "table3.csv").exists()
