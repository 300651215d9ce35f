"""Verb `confusion`: what a system takes for what, under every condition."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cmarr.aggregate import Row, described, facts, named
from cmarr.metrics import uar, war
from cmarr.picture import SMALL, notes_of, panels, save
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def pooled(confusions: list[Row], classes: list[str], condition: str) -> NDArray[np.int64]:
    """Counts (classes, classes) under a condition, all folds and seeds together; rows are the true class."""
    counts = np.zeros((len(classes), len(classes)), np.int64)
    for row in confusions:
        if row["condition"] == condition:
            counts[classes.index(row["label"]), classes.index(row["predicted"])] += int(row["count"])
    return counts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--confusions", type=Path, required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--system", required=True)
    parser.add_argument("--out", type=Path, required=True, help="PNG: a panel per condition")


def main(args: argparse.Namespace) -> None:
    wanted = (args.corpus, args.system)
    own = [row for row in read_csv(args.confusions) if (row["corpus"], row["system"]) == wanted]
    if not own:
        raise UserError(f"{args.confusions}: has no {args.system} on {args.corpus}; make the scores again with it")
    origin = facts(own)["origin"]
    title = f"Confusions of {args.system} on {args.corpus} ({origin}), {described(own)}"
    save(draw(own), args.out, title, notes_of(own), origin)


def draw(confusions: list[Row]) -> Figure:
    """Seven panels with percentages of the true class, WAR and UAR of the pooled counts above."""
    classes = list(dict.fromkeys(row["label"] for row in confusions))
    figure, axes = panels(2, 4, 6.4, sharex=True, sharey=True)
    for condition, panel in zip(CONDITIONS, axes.flat, strict=False):
        counts = pooled(confusions, classes, condition)
        shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
        panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
        for (row, column), share in np.ndenumerate(shares):
            shade = "white" if share > 55 else "black"
            panel.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=9, color=shade)
        panel.set_title(f"{named(condition)}: WAR {war(counts):.1f}, UAR {uar(counts):.1f}", fontsize=10)
        panel.set_xticks(range(len(classes)), classes, rotation=40, ha="right", fontsize=SMALL)
        panel.set_yticks(range(len(classes)), classes, fontsize=SMALL)
        panel.tick_params(labelbottom=True)
    for panel in axes[:, 0]:
        panel.set_ylabel("true class")
    for panel in axes[1]:
        panel.set_xlabel("predicted")
    axes[1, 3].set_axis_off()
    text = (
        "cells: % of the true class\n\nabove: what is available\n(t text, s speech, v video)\n"
        "and percent, all folds and\nseeds together"
    )
    axes[1, 3].text(0.05, 0.5, text, transform=axes[1, 3].transAxes, verticalalignment="center", fontsize=10)
    return figure
