"""Verb `figures`: UAR per condition and system as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmarr.aggregate import ROWS, Row, cells, described, facts, named
from cmarr.metrics import reach
from cmarr.picture import MARKERS, colour, legend, notes_of, panels, save
from extractors.files import read_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="PNG: a panel per corpus, a group of points per condition"
    )


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    about = facts(scores)
    title = f"UAR per missing condition ({about['origin']})"
    save(draw(scores), args.out, title, notes_of(scores), about["origin"])


def draw(scores: list[Row]) -> Figure:
    """A panel per corpus, with the chance level of its number of classes."""
    table = cells(scores)
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    systems = list(dict.fromkeys(row["system"] for row in scores))
    figure, axes = panels(len(corpora), 1, 3.6 * len(corpora), sharex=True)
    places = np.arange(len(ROWS))
    for corpus, panel in zip(corpora, axes[:, 0], strict=True):
        own = [row for row in scores if row["corpus"] == corpus]
        classes = own[0]["classes"]
        for number, system in enumerate(systems):
            if (corpus, system, ROWS[0]) not in table:
                continue
            uars = [table[corpus, system, condition].uar.array for condition in ROWS]
            panel.errorbar(
                places + (number - (len(systems) - 1) / 2) * 0.8 / len(systems), [uar.mean() for uar in uars],
                np.nan_to_num([reach(uar) for uar in uars]).T, fmt=MARKERS[number % len(MARKERS)], markersize=5,
                capsize=2, linewidth=1, color=colour(number), label=system,
            )  # fmt: skip
        panel.axhline(100 / int(classes), color="black", linestyle=":", linewidth=1, label="chance")
        for edge in places[:-1] + 0.5:
            panel.axvline(edge, color="#dddddd", linewidth=0.8)
        panel.grid(axis="y", color="#eeeeee")
        panel.set_axisbelow(True)
        panel.set_xlim(-0.5, len(ROWS) - 0.5)
        panel.set_ylabel("UAR (%)")
        panel.set_title(f"{corpus} ({own[0]['origin']}), {classes} classes, {described(own)}", fontsize=10, loc="left")
    panel.set_xticks(places, [named(name) for name in ROWS])
    panel.set_xlabel("available modalities (t text, s speech, v video); points: mean and 95 % interval over folds")
    legend(figure)
    return figure
