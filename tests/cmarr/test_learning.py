from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cmarr.__main__ import VERBS
from cmarr.learning import Run, draw, panels_of
from extractors.console import run
from extractors.files import read_csv, read_json, write_csv, write_json


def written(folder: Path, rows: str, system: str = "cm_arr") -> list[Path]:
    """Histories of two folds with two seeds; the metric is pooled UAR."""
    found = []
    for fold in ("1", "2"):
        for seed in (1, 2):
            path = folder / f"{system}/fold{fold}/seed{seed}/history.csv"
            best = int(fold) + seed
            record = {
                "corpus": "toy", "system": system, "fold": fold, "seed": seed, "protocol": "mmin_script",
                "choice": rows, "encoders": "frozen", "origin": "synthetic", "notes": ["epoch chosen on test data"],
                "best_epoch": best, "best_epochs": {"teacher": 2, "main": best}, "speech": "logmel",
            }  # fmt: skip
            write_json(path.with_name("record.json"), record)
            table = [
                {
                    "stage": "main",
                    "epoch": epoch,
                    "learning_rate": 0.1,
                    "loss_total": 10 / epoch + best,
                    "loss_udcl": epoch - 3,
                }
                | ({f"{rows}_uar_t": 40, f"{rows}_pooled_uar": 50 + epoch} if rows != "none" else {})
                | {"origin": "synthetic"}
                for epoch in range(1, 6)
            ]
            write_csv(path, list(table[0]), table)
            found.append(path)
    return found


def runs_of(paths: list[Path]) -> list[Run]:
    return [Run(read_json(path.with_name("record.json")), read_csv(path)) for path in paths]


def test_panels_are_the_losses_and_what_chose_the_epoch(tmp_path: Path) -> None:
    found = panels_of(runs_of(written(tmp_path, "test")))
    assert list(found) == [("main", "loss_total"), ("main", "loss_udcl"), ("main", "test_pooled_uar")]
    assert found["main", "test_pooled_uar"] == "pooled UAR on test utterances (%)"
    (smooth, *_) = runs_of(written(tmp_path, "test"))
    smooth.history[0]["test_pooled_uar_smoothed"] = "51.0"
    assert panels_of([smooth])["main", "test_pooled_uar_smoothed"] == "pooled UAR smoothed on test utterances (%)"
    none = panels_of(runs_of(written(tmp_path / "none", "none")))
    assert list(none) == [("main", "loss_total"), ("main", "loss_udcl")]


def test_stages_have_panels_of_their_own(tmp_path: Path) -> None:
    (first, *_) = runs_of(written(tmp_path, "validation"))
    empty = dict.fromkeys(first.history[0], "")
    teacher = [empty | {"stage": "teacher", "epoch": str(e), "loss_total": f"{7 - e}"} for e in (1, 2)]
    staged = Run(first.record, [*teacher, *first.history])
    assert list(panels_of([staged]).items())[:2] == [
        (("teacher", "loss_total"), "teacher: loss: total"), (("main", "loss_total"), "main: loss: total"),
    ]  # fmt: skip
    curve, dot = (line for line in draw([staged]).axes[0].lines if len(line.get_xdata()))
    assert (list(curve.get_xdata()), list(curve.get_ydata())) == ([1, 2], [6, 5])
    assert list(dot.get_xdata()) == [2]


def test_every_run_is_a_line_with_the_kept_epoch_marked(tmp_path: Path) -> None:
    runs = runs_of(written(tmp_path, "validation"))
    panels = draw(runs).axes
    for panel, column in zip(panels, ("loss_total", "loss_udcl", "validation_pooled_uar"), strict=True):
        lines = [line for line in panel.lines if len(line.get_xdata())]
        for run_, curve, dot in zip(runs, lines[::2], lines[1::2], strict=True):
            assert list(curve.get_ydata()) == pytest.approx([float(row[column]) for row in run_.history])
            best = run_.record["best_epoch"]
            assert (list(dot.get_xdata()), dot.get_ydata()[0]) == ([best], float(run_.history[best - 1][column]))
    assert [panel.get_yscale() for panel in panels] == ["log", "linear", "linear"]  # one loss falls below zero
    looks = {(line.get_color(), line.get_linestyle()) for line in panels[0].lines[:8:2]}
    assert len(looks) == len(runs)


def test_the_verb_draws_one_system_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "learning.png"
    paths = written(tmp_path, "test")
    assert run("cmarr", VERBS, ["learning", "--models", *map(str, paths), "--out", str(out)]) == 0
    assert b"origin: synthetic" in out.read_bytes()
    paths += written(tmp_path, "test", "baseline")
    assert run("cmarr", VERBS, ["learning", "--models", *map(str, paths), "--out", str(out)]) == 1
    assert "these are of several" in capsys.readouterr().err


def test_a_loss_of_nothing_but_zeros_is_drawn(tmp_path: Path) -> None:
    runs = runs_of(written(tmp_path, "none"))
    for one in runs:
        for row in one.history:
            row["loss_total"] = "0.0"
    assert draw(runs).axes[0].get_yscale() == "linear"
    assert np.isfinite(draw(runs).axes[0].get_ylim()).all()
