from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from cmarr.__main__ import VERBS
from cmarr.aggregate import Cell, values
from cmarr.protocols import COLUMNS, below_reference, gained, pairs
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS
from extractors.console import run
from extractors.files import read_csv, read_json, write_json
from tests.cmarr.hand_made import table_of
from tests.cmarr.random_results import (
    CORPORA,
    RUNS,
    random_results,
    recomputed,
    recomputed_pooled,
    score,
)

OTHERS = {"cm_arr-beta-0.5": "paper_last", "cm_arr": "mmin_script"}
"""the random runs of a system (key) serve as runs of `baseline` under another protocol"""


def under(system: str) -> str:
    return f"baseline-protocol-{OTHERS[system]}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`baseline` under three protocols, the last of which has no fold 1 of `toy`; with protocols.csv and .md."""
    made, found = random_results(tmp_path_factory), tmp_path_factory.mktemp("protocols")
    runs = []
    for name in RUNS:
        corpus, system, fold, seed = name.split("/")
        if (corpus, system, fold) == ("toy", "cm_arr", "fold1"):
            continue
        protocol = OTHERS.get(system, "clean")
        renamed = f"{corpus}/{under(system) if system in OTHERS else system}/{fold}/{seed}"
        record = read_json(made / "models" / name / "record.json")
        record |= {"system": renamed.split("/")[1], "protocol": protocol}
        record["choice"] = "test" if system == "cm_arr" else "validation"
        write_json(found / "models" / renamed / "record.json", record)
        (found / "predictions" / renamed).parent.mkdir(parents=True, exist_ok=True)
        (found / "predictions" / renamed).symlink_to(made / "predictions" / name)
        runs.append(renamed)
    score(found, runs)
    assert protocols(found, found) == 0
    return found


def protocols(made: Path, out: Path) -> int:
    files = ["--out", str(out / "protocols.csv"), "--markdown", str(out / "protocols.md")]
    inputs = ["--scores", str(made / "scores.csv"), "--confusions", str(made / "confusions.csv")]
    return run("cmarr", VERBS, ["protocols", *inputs, *files])


def test_runs_under_another_protocol_go_with_their_system() -> None:
    names = ["cm_arr", "cm_arr-protocol-paper_last", "cm_arr-beta-0.5-protocol-mmin_script", "mmin"]
    expected = [
        ("cm_arr", "cm_arr-protocol-paper_last"), ("cm_arr-beta-0.5", "cm_arr-beta-0.5-protocol-mmin_script"),
    ]  # fmt: skip
    assert pairs(names) == expected
    last, best = "cm_arr-protocol-paper_last", "cm_arr-protocol-paper_besttest"
    assert pairs([*names, best]) == [*expected, ("cm_arr", best), (last, best)]


@pytest.mark.parametrize("folds", ["1", "13", "1234"])
def test_other_folds_are_compared_by_their_means_alone(folds: str) -> None:
    own = Cell(*[values([("1", "1", 50.0), ("2", "1", 60.0)])] * 2)
    other = Cell(*[values((fold, "1", 58.0) for fold in folds)] * 2)
    for which in (gained(own, other).war, gained(own, other).uar):
        found = which.statistics("x")
        assert (found["x_mean"], found["x_low"], found["x_high"]) == ("3.00", "", "")
    assert gained(own, own).war.statistics("x")["x_low"] == "0.00"


@pytest.mark.filterwarnings("ignore:Precision loss")
@pytest.mark.parametrize("corpus", CORPORA)
def test_scores_and_paired_differences_follow_from_the_prediction_files(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, corpus: str
) -> None:
    made = random_results(tmp_path_factory)
    table = pd.read_csv(folder / "protocols.csv").set_index(["corpus", "system", "other_protocol", "condition"])
    assert len(table) == len(CORPORA) * len(OTHERS) * 8
    folds = len(CORPORA[corpus][1])
    for other, protocol in OTHERS.items():
        paired = (corpus, other) != ("toy", "cm_arr")
        for condition in (*CONDITIONS, "average"):
            names = MISSING_CONDITIONS if condition == "average" else (condition,)
            row = table.loc[(corpus, "baseline", protocol, condition)]
            own, its = (recomputed(made, corpus, system, names).mean(axis=1).T for system in ("baseline", other))
            its = its if paired else its[:, 1:]
            pooled = recomputed_pooled(made, corpus, "baseline", names)
            assert (row["war_pooled"], row["uar_pooled"]) == pytest.approx(pooled, abs=0.006)
            for metric, one, two in zip(("war", "uar"), own, its, strict=True):
                assert row[metric] == pytest.approx(one.mean(), abs=0.006)
                assert row[f"{metric}_other"] == pytest.approx(two.mean(), abs=0.006)
                assert row[f"{metric}_difference"] == pytest.approx(two.mean() - one.mean(), abs=0.006)
                limits = [row[f"{metric}_low"], row[f"{metric}_high"]]
                if paired:
                    low, high = scipy.stats.ttest_rel(two, one).confidence_interval()
                    assert limits == pytest.approx([max(low, -100), min(high, 100)], abs=0.006)
                else:
                    assert np.isnan(limits).all()
            if paired:
                pooled = recomputed_pooled(made, corpus, other, names)
                assert (row["war_pooled_other"], row["uar_pooled_other"]) == pytest.approx(pooled, abs=0.006)
            assert (row["folds"], row["folds_other"], row["seeds"]) == (folds, folds - (not paired), 2)
            assert row["protocol"] == f"clean, {protocol}"
            assert row["choice"] == ("validation, test" if other == "cm_arr" else "validation")
            assert row["origin"] == "synthetic"


def test_the_printed_table_has_a_row_per_system_and_other_protocol(folder: Path) -> None:
    sections = dict(zip(CORPORA, (folder / "protocols.md").read_text().split("## ")[1:], strict=True))
    table = (
        pd.read_csv(folder / "protocols.csv").query("condition == 'average'").set_index(["corpus", "other_protocol"])
    )
    for corpus, text in sections.items():
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
        assert [row[:2] + row[3:4] for row in rows[1:]] == [["baseline", "clean", name] for name in OTHERS.values()]
        for row in rows[1:]:
            wanted = table.loc[(corpus, row[3])]
            for metric, cell in zip(("war", "uar"), row[5:], strict=True):
                low, high = wanted[f"{metric}_low"], wanted[f"{metric}_high"]
                within = "" if np.isnan(low) else f" [{low:.2f}, {high:.2f}]"
                assert cell == f"{wanted[f'{metric}_difference']:+.2f}{within}"
            assert f"{wanted['war_other']:.2f} ±" in row[4]
            assert f"{wanted['uar']:.2f} ±" in row[2]
        assert "The data are synthetic" in text
        assert "mean ± standard deviation over folds" in text
        assert "Gained: score under the other protocol less that under the first" in text
        assert "Scores that chose the epoch: validation, test." in text
    assert list(read_csv(folder / "protocols.csv")[0]) == list(COLUMNS)


def test_a_system_without_its_own_protocol_is_a_user_error(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("scores.csv", "confusions.csv"):
        rows = (folder / name).read_text().splitlines()
        kept = [row for row in rows if not row.startswith("clips,baseline,")]
        (tmp_path / name).write_text("\n".join(kept) + "\n")
    assert protocols(tmp_path, tmp_path) == 1
    message = "has no baseline on clips, which baseline-protocol-paper_last is compared with; train it"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "protocols.csv").exists()


def test_each_protocol_names_the_systems_below_its_own_linear_reference() -> None:
    other = "-protocol-paper_last"
    names = {"linear": {}, "mmin": {"t": 49.0}, f"linear{other}": {"t": 48.0}, f"mmin{other}": {"v": 49.0}, "cra": {}}
    rows = [{"system": name, "protocol": "paper_last" if other in name else "clean"} for name in names]
    assert below_reference(table_of(names), "c", rows) == [
        "clean: UAR below that of linear: mmin (t).",
        "paper_last: UAR below that of linear: mmin (v).",
    ]
    assert below_reference(table_of(names), "c", rows[1:2] + rows[3:]) == []
