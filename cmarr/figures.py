"""Verb `figures`: UAR per condition and system as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmarr.metrics import interval
from cmarr.table2 import ROWS, Row, cells
from extractors.files import publish, read_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="PNG: a panel per corpus, a group of bars per condition"
    )


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    origins = ", ".join(dict.fromkeys(row["origin"] for row in scores))
    with publish(args.out) as draft:
        draw(scores).savefig(draft, dpi=150, metadata={"Description": f"origin: {origins}"})


def draw(scores: list[Row]) -> Figure:
    """A panel per corpus, with the chance level of its number of classes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    table = cells(scores)
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    systems = list(dict.fromkeys(row["system"] for row in scores))
    figure, panels = pyplot.subplots(
        len(corpora), 1, figsize=(8, 0.6 + 3 * len(corpora)), squeeze=False, sharex=True, layout="constrained"
    )
    width = 0.8 / len(systems)
    for corpus, panel in zip(corpora, panels[:, 0], strict=True):
        own = next(row for row in scores if row["corpus"] == corpus)
        for number, system in enumerate(systems):
            uars = [table[corpus, system, condition].uar for condition in ROWS]
            places = np.arange(len(ROWS)) + (number - (len(systems) - 1) / 2) * width
            errors = [interval(values) for values in uars]
            panel.bar(places, [values.mean() for values in uars], width, yerr=errors, capsize=10 * width, label=system)
        panel.axhline(100 / int(own["classes"]), color="black", linestyle=":", linewidth=1, label="chance")
        panel.set_ylim(0, 100)
        panel.set_ylabel("UAR (%)")
        title = f"{corpus} ({own['origin']}), {own['classes']} classes, {len(uars[0])} folds"
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_title(own["notes"], fontsize=7, loc="right")
    panel.set_xticks(range(len(ROWS)), [name if name == "average" else ",".join(name) for name in ROWS])
    panel.set_xlabel("available modalities (t text, s speech, v video); bars: mean and 95 % interval over folds")
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), fontsize=8, frameon=False)
    return figure
