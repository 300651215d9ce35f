"""Verb `learning`: learning curves of one system on one corpus."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmarr.aggregate import Row, described, facts_of
from cmarr.choice import METRICS
from cmarr.picture import colour, legend, notes_of, panels, save
from extractors.files import UserError, read_csv, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Run:
    """One training run."""

    record: dict[str, Any]
    history: list[Row]

    @property
    def axis(self) -> str:
        """Column of the history that curves are drawn against: epochs, or candidates of a system that is solved."""
        return "epoch" if "epoch" in self.history[0] else "candidate"

    def row(self) -> Row:
        """The run as tables describe it."""
        return {key: str(value) for key, value in self.record.items()} | facts_of(self.record)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--models", nargs="+", type=Path, required=True, help="history.csv of every run, with record.json beside it"
    )
    parser.add_argument("--out", type=Path, required=True, help="PNG: a panel per part of the loss, one for the choice")


def main(args: argparse.Namespace) -> None:
    runs = [Run(read_json(path.with_name("record.json")), read_csv(path)) for path in args.models]
    rows = [run.row() for run in runs]
    if len({(row["corpus"], row["system"]) for row in rows}) > 1:
        raise UserError("--models: histories of one system on one corpus, please; these are of several")
    corpus, system, origin = (rows[0][key] for key in ("corpus", "system", "origin"))
    title = f"Learning curves of {system} on {corpus} ({origin}), {described(rows)}"
    save(draw(runs), args.out, title, notes_of(rows), origin)


def panels_of(runs: list[Run]) -> dict[tuple[str, str], str]:
    """Stages and columns of the histories that are shown, with titles: losses of a stage, then what chose its epoch.

    None for a system that is solved without a choice.
    """
    history = [row for row in runs[0].history if row.get(runs[0].axis)]
    stages = list(dict.fromkeys(row["stage"] for row in history))
    found = {}
    for stage in stages:
        row = next(row for row in history if row["stage"] == stage)
        prefix = f"{stage}: " if len(stages) > 1 else ""
        columns = [name for name, value in row.items() if value]
        for name in columns:
            if name.startswith("loss_"):
                found[stage, name] = f"{prefix}loss: {name.removeprefix('loss_')}"
        for name in columns:
            rows, _, metric = name.partition("_")
            if metric in METRICS:
                found[stage, name] = (
                    f"{prefix}{metric.replace('_', ' ').replace('uar', 'UAR')} on {rows} utterances (%)"
                )
    return found


def draw(runs: list[Run]) -> Figure:
    """A thin line per run, coloured by fold and dashed by seed; a dot marks the epoch or candidate that was kept."""
    shown, axis = panels_of(runs), runs[0].axis
    across = min(3, max(1, len(shown)))
    down = max(1, -(-len(shown) // across))
    figure, axes = panels(down, across, 2.9 * down)
    folds = sorted({str(run.record["fold"]) for run in runs})
    seeds = sorted({int(run.record["seed"]) for run in runs})
    for panel, ((stage, column), title) in zip(axes.flat, shown.items(), strict=False):
        for run in runs:
            place = folds.index(str(run.record["fold"]))
            style = STYLES[seeds.index(int(run.record["seed"])) % len(STYLES)]
            _curve(panel, run, stage, column, colour(place), style)
        panel.set_title(title, fontsize=10, loc="left")
        panel.grid(color="#eeeeee")
        if axis == "epoch":
            panel.xaxis.get_major_locator().set_params(integer=True)
    for panel in axes.flat[len(shown) :]:
        panel.set_axis_off()
    for panel in axes.flat[max(0, len(shown) - across) : len(shown)]:
        panel.set_xlabel(axis)
    if not shown:
        words = "This system is solved for, and nothing was chosen: there is no curve."
        axes[0, 0].text(0.5, 0.5, words, horizontalalignment="center", transform=axes[0, 0].transAxes)
    for place, fold in enumerate(folds):
        axes[0, 0].plot([], [], color=colour(place), label=f"fold {fold}")
    for place, seed in enumerate(seeds):
        axes[0, 0].plot([], [], color="#555555", linestyle=STYLES[place % len(STYLES)], label=f"seed {seed}")
    axes[0, 0].plot([], [], "o", color="#555555", markersize=4, label=f"{axis} kept")
    legend(figure)
    return figure


def _curve(panel: Axes, run: Run, stage: str, column: str, line_colour: str, style: str) -> None:
    from matplotlib.ticker import LogLocator

    rows = [row for row in run.history if row["stage"] == stage]
    values = np.array([float(row[column]) for row in rows])
    places = np.array([float(row[run.axis]) for row in rows])
    if run.axis == "epoch":
        kept = places == run.record["best_epochs"][stage]
    else:
        kept = np.array([row["kept"] == "1" for row in rows])
        if places.min() > 0:
            panel.set_xscale("log")
    panel.plot(places, values, color=line_colour, linestyle=style, linewidth=0.8)
    panel.plot(
        places[kept], values[kept], "o", color=line_colour, markersize=4, markeredgecolor="white", markeredgewidth=0.4
    )
    if column.startswith("loss_") and values.min() > 0:
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        panel.yaxis.set_major_formatter("{x:g}")
        panel.yaxis.set_minor_formatter("")
