"""Verb `figures`: UAR per condition and system as a picture."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from cmarr.metrics import interval
from cmarr.table2 import ROWS, cells
from cmarr.vocabulary import CLASSES
from extractors.files import publish, read_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="PNG: a panel per corpus, a group of bars per condition"
    )


def main(args: argparse.Namespace) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    scores = read_csv(args.scores)
    table = cells(scores)
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    systems = list(dict.fromkeys(row["system"] for row in scores))
    figure, panels = pyplot.subplots(
        len(corpora), 1, figsize=(8, 3.6 * len(corpora)), squeeze=False, layout="constrained"
    )
    for corpus, panel in zip(corpora, panels[:, 0], strict=True):
        own = next(row for row in scores if row["corpus"] == corpus)
        width = 0.8 / len(systems)
        for number, system in enumerate(systems):
            uars = [table[corpus, system, condition].uar for condition in ROWS]
            places = np.arange(len(ROWS)) + (number - (len(systems) - 1) / 2) * width
            errors = [interval(values) for values in uars]
            panel.bar(places, [values.mean() for values in uars], width, yerr=errors, capsize=3, label=system)
        panel.axhline(100 / len(CLASSES), color="black", linestyle=":", linewidth=1, label="chance")
        panel.set_xticks(range(len(ROWS)), [name if name == "average" else ",".join(name) for name in ROWS])
        panel.set_ylim(0, 100)
        panel.set_ylabel("UAR (%)")
        panel.set_xlabel("available modalities (t text, s speech, v video)")
        panel.set_title(f"{corpus} ({own['origin']}): mean and 95 % interval over folds", fontsize=10)
        panel.legend(ncols=len(systems) + 1, fontsize=8, loc="upper left")
        if own["notes"]:
            panel.annotate(own["notes"], (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=7)
    with publish(args.out) as draft:
        figure.savefig(draft, dpi=150, metadata={"Description": f"origin: {scores[0]['origin']}"})
