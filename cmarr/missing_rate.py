"""Verb `missing_rate`: scores when a share of all modalities is missing at random at test."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmarr.aggregate import FACTS, SCORES, Cell, Row, Table, cells, described, facts, noted, weighted
from cmarr.metrics import reach
from cmarr.picture import MARKERS, colour, legend, notes_of, panels, save
from cmarr.vocabulary import CONDITIONS, FULL
from extractors.files import read_csv, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RATES = tuple(rate / 10 for rate in range(8))
COLUMNS = ("corpus", "system", "rate", *SCORES, *FACTS)
Curves = dict[tuple[str, str], list[Cell]]
"""(corpus, system) to its scores at each of RATES"""


def weights(rate: float) -> dict[str, float]:
    """Probability of every condition when a share `rate` of all modalities is missing, at most two thirds.

    One modality, drawn uniformly, always stays, and each of the other two is missing with probability
    q = min(1, 1.5 rate), the protocol of GCNet and works after it.
    """
    q = min(1.0, 1.5 * rate)
    by_count = {1: q * q / 3, 2: 2 * q * (1 - q) / 3, 3: (1 - q) ** 2}
    return {condition: by_count[len(condition)] for condition in CONDITIONS}


def expected(table: Table, corpus: str, system: str, rate: float) -> Cell:
    """Exact expectation of a system's scores over masks; both are means over utterances, hence linear in conditions."""
    return weighted([(weight, table[corpus, system, condition]) for condition, weight in weights(rate).items()])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="CSV, one row per corpus, system and rate")
    parser.add_argument("--figure", type=Path, required=True, help="PNG: per corpus a panel for WAR and one for UAR")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    curves = {
        (corpus, system): [expected(table, corpus, system, rate) for rate in RATES]
        for corpus, system, condition in table if condition == FULL
    }  # fmt: skip
    rows = []
    for (corpus, system), curve in curves.items():
        about = facts(row for row in scores if (row["corpus"], row["system"]) == (corpus, system))
        for rate, cell in zip(RATES, curve, strict=True):
            row = {"corpus": corpus, "system": system, "rate": f"{rate:.1f}"} | cell.statistics()
            rows.append(row | noted(about, cell.war, cell.uar))
    write_csv(args.out, COLUMNS, rows)
    origin = facts(scores)["origin"]
    title = f"Share of modalities missing at random at test ({origin}); bands: 95 % interval over folds"
    save(draw(curves, scores), args.figure, title, notes_of(scores), origin)


def draw(curves: Curves, scores: list[Row]) -> Figure:
    """A row of panels per corpus, WAR and UAR; lines are means over folds, bands 95 % intervals."""
    corpora = list(dict.fromkeys(corpus for corpus, _ in curves))
    systems = list(dict.fromkeys(system for _, system in curves))
    figure, axes = panels(len(corpora), 2, 3.6 * len(corpora), sharex=True, sharey="row")
    for corpus, pair in zip(corpora, axes, strict=True):
        own = [row for row in scores if row["corpus"] == corpus]
        for metric, panel in zip(("war", "uar"), pair, strict=True):
            for number, system in enumerate(systems):
                if (corpus, system) not in curves:
                    continue
                found = [getattr(cell, metric).array for cell in curves[corpus, system]]
                mean, below, above = np.array([(folds.mean(), *np.nan_to_num(reach(folds))) for folds in found]).T
                style = {"color": colour(number), "marker": MARKERS[number % len(MARKERS)]}
                panel.plot(RATES, mean, markersize=4, linewidth=1.3, label=system, **style)
                panel.fill_between(RATES, mean - below, mean + above, color=colour(number), alpha=0.08, linewidth=0)
            panel.set_ylabel(f"{metric.upper()} (%)")
            panel.tick_params(labelleft=True)
            panel.grid(color="#eeeeee")
            panel.set_axisbelow(True)
        pair[0].set_title(f"{corpus} ({own[0]['origin']}), {described(own)}", fontsize=10, loc="left")
    for panel in axes[-1]:
        panel.set_xlabel("missing rate (0.7: two thirds, the most there is)")
    legend(figure)
    return figure
