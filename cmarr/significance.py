"""Verb `significance`: is a system better than each of the others, by a paired bootstrap over dialogues.

A resample draws whole dialogues of every test fold with replacement, once for all systems, seeds and conditions; the
statistic is the mean over folds of WAR or UAR, each the mean over seeds. Intervals and p-values therefore cover what
other dialogues of the same speakers would change. They do not cover what other trainings (seeds are averaged), other
speakers or another corpus would. Speakers or utterances are drawn instead of dialogues where that is asked for.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmarr.aggregate import FACTS, ROWS, Row, conditions_of, facts, facts_of, named, number, setting
from cmarr.bootstrap import (
    FEW,
    LEAST,
    LEVEL,
    Floats,
    Fold,
    bounds,
    compared,
    fewest_draws,
    floor,
    holm,
    limits,
    strata,
    two_sided,
)
from cmarr.picture import MARKERS, colour, legend, notes_of, panels, save
from cmarr.ranks import METRICS
from cmarr.scores import UNITS, Predictions, add_run_arguments, predictions
from cmarr.seeds import derive
from cmarr.variants import rivals
from cmarr.verdict import UNTESTED, hint, not_tested
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_json, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PRIMARY = ("uar", "average")
COLUMNS = (
    "corpus", "full", "system", "condition", "metric", "family", "difference", "low", "high", "p", "p_holm", "at_floor",
    "bound", "significant", "unit", "units", "few_units", "strata", "draws", "utterances", "folds", "seeds", *FACTS,
)  # fmt: skip
Runs = dict[tuple[str, str], str]
"""(fold, seed) to <corpus>/<system>/fold<k>/seed<s>, in order of first appearance"""


def recognised(
    folder: Path, runs: Mapping[str, Sequence[str]], classes: list[str]
) -> tuple[Predictions, dict[str, Floats]]:
    """One file of predictions of a fold, and per system how often its runs recognise each utterance.

    That is (utterances, ROWS), from 0 to 1. UserError when the files are not of the same utterances.
    """
    first: Predictions | None = None
    found = {}
    for system, own in runs.items():
        shares = {}
        for condition in CONDITIONS:
            right = []
            for run in own:
                path = folder / run / f"{condition}.csv"
                read = predictions(path, classes)
                first = first or read
                if read.names != first.names or not np.array_equal(read.labels, first.labels):
                    raise UserError(f"{path}: other utterances or labels than in its fold's first file; predict again")
                right.append(read.guesses == read.labels)
            shares[condition] = np.mean(right, axis=0)
        columns = [np.mean([shares[name] for name in conditions_of(row)], axis=0) for row in ROWS]
        found[system] = np.stack(columns, axis=1)
    assert first
    return first, found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--full", required=True, help="system that is compared with each of the others")
    parser.add_argument("--unit", choices=UNITS, default=UNITS[0], help="what a resample draws as a whole")
    parser.add_argument("--draws", type=int, default=100_000, help="resamples of the bootstrap")
    parser.add_argument("--seed", type=int, default=1, help="of the resamples")
    parser.add_argument("--out", type=Path, required=True, help="CSV, one row per corpus, system, condition and metric")
    parser.add_argument("--figure", type=Path, required=True, help="PNG: differences with their intervals")


def main(args: argparse.Namespace) -> None:
    runs: dict[str, dict[str, Runs]] = {}
    records: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for run in args.runs:
        record = read_json(args.models / run / "record.json")
        corpus, system = record["corpus"], record["system"]
        runs.setdefault(corpus, {}).setdefault(system, {})[str(record["fold"]), str(record["seed"])] = run
        records.setdefault((corpus, system), []).append(record)
    rows: list[Row] = []
    for corpus, systems in runs.items():
        check(corpus, systems, args.full, args.draws)
        ours = records[corpus, args.full]
        for row in rows_of(args, corpus, systems, ours[0]["classes"]):
            rows.append(row | facts(map(facts_of, [*ours, *records.get((corpus, row["system"]), [])])))
    write_csv(args.out, COLUMNS, rows)
    origin = facts(rows)["origin"]
    title = f"{args.full} less each other system ({origin}); full marks: significant after Holm's correction"
    save(draw(rows), args.figure, title, [*notes_of(rows), *hints(rows)], origin)


def check(corpus: str, systems: Mapping[str, Runs], full: str, draws: int) -> None:
    """UserError when the runs of a corpus cannot be compared, or with too few draws to find anything."""
    others = rivals(systems, full)
    if full not in systems or not others:
        there = ", ".join(systems)
        raise UserError(f"--runs: {corpus} needs runs of {full} and of another system, to compare; it has {there}")
    for system, own in systems.items():
        if set(own) != set(systems[full]):
            raise UserError(
                f"--runs: {system} and {full} have not the same folds and seeds on {corpus}; train them all"
            )
    if lacking := too_few_draws(len(others), draws):
        raise UserError(f"--draws: {lacking}")


def too_few_draws(others: int, draws: int) -> str:
    """What is wrong with draws that can find no difference to so many others in the secondary family; else empty."""
    tests = others * (len(METRICS) * len(ROWS) - 1)
    least = fewest_draws(tests)
    return f"{tests} corrected p-values of {draws} draws are never below {LEVEL}; {least} is the least" * (
        draws < least
    )


def rows_of(args: argparse.Namespace, corpus: str, systems: Mapping[str, Runs], classes: list[str]) -> list[Row]:
    """Rows of one corpus without the facts of their runs; a single one, UNTESTED, when it has too few units."""
    others = rivals(systems, args.full)
    folds = folds_of(args, systems, classes)
    units = len({unit for fold in folds for unit in fold.units})
    sizes = {
        "units": units, "strata": len(strata(folds)), "draws": args.draws, "folds": len(folds),
        "utterances": sum(len(fold.labels) for fold in folds), "seeds": len({seed for _, seed in systems[args.full]}),
    }  # fmt: skip
    about = dict.fromkeys(COLUMNS, "") | {"corpus": corpus, "full": args.full, "unit": args.unit}
    about |= {key: str(size) for key, size in sizes.items()} | {"few_units": "yes" if units < FEW else "no"}
    if units < LEAST:
        return [about | {"family": UNTESTED}]
    found, resamples = compared(folds, args.draws, np.random.default_rng(derive(corpus, args.seed, "bootstrap")))
    places = [(rival, condition) for rival in others for condition in ROWS]
    tested = [metric for metric in METRICS if metric == PRIMARY[0] or not balanced(folds)]
    rows: list[Row] = []
    p: list[float] = []
    for metric, differences, drawn in zip(METRICS, found, resamples, strict=True):
        if metric in tested:
            for (rival, condition), *numbers in zip(places, differences, *limits(drawn), strict=True):
                family = "primary" if (metric, condition) == PRIMARY else "secondary"
                row = about | {"system": rival, "condition": condition, "metric": metric, "family": family}
                rows.append(row | dict(zip(("difference", "low", "high"), map(number, numbers), strict=True)))
            p += [*two_sided(drawn)]
    rows = with_p(rows, np.array(p), floor(args.draws))
    again = [row | {"metric": name, "family": "repeated"} for name in METRICS if name not in tested for row in rows]
    return again + rows


def folds_of(args: argparse.Namespace, systems: Mapping[str, Runs], classes: list[str]) -> list[Fold]:
    """Test folds of one corpus, with the full system less each of its rivals under each of ROWS."""
    others, folds = rivals(systems, args.full), []
    for name in dict.fromkeys(fold for fold, _ in systems[args.full]):
        own = {
            system: [run for (fold, _), run in systems[system].items() if fold == name]
            for system in (args.full, *others)
        }
        read, shares = recognised(args.predictions, own, classes)
        right = np.hstack([shares[args.full] - shares[rival] for rival in others])
        folds.append(Fold(right, read.labels, read.names[args.unit]))
    return folds


def balanced(folds: Sequence[Fold]) -> bool:
    """Whether the classes of every fold are equally frequent in it: then its WAR is its UAR."""
    return all(len(set(np.unique(fold.labels, return_counts=True)[1])) == 1 for fold in folds)


def with_p(rows: Sequence[Row], p: Floats, least: float) -> list[Row]:
    """Rows with their p-values, corrected within each family; `least` is that of so many draws."""
    families = np.array([row["family"] for row in rows])
    corrected, bound = np.empty_like(p), np.empty(len(p), bool)
    for family in np.unique(families):
        own = families == family
        corrected[own], bound[own] = holm(p[own]), bounds(p[own], least)
    return [
        row
        | {"p": number(single, 6), "p_holm": number(holms, 6), "at_floor": "yes" if single <= least else "no"}
        | {"bound": "yes" if at_most else "no", "significant": "yes" if holms < LEVEL else "no"}
        for row, single, holms, at_most in zip(rows, p, corrected, bound, strict=True)
    ]


def hints(rows: Sequence[Row]) -> list[str]:
    """`hint` of each tested corpus that needs one."""
    first = {row["corpus"]: row for row in rows if row["family"] != UNTESTED}
    return [f"{corpus}: {words}" for corpus, row in first.items() for words in hint(row)]


def draw(rows: Sequence[Row]) -> Figure:
    """A row of panels per corpus, WAR and UAR; each system has a point with its interval under each condition.

    The panels of a corpus that was not tested say so.
    """
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    others = list(dict.fromkeys(row["system"] for row in rows if row["family"] != UNTESTED))
    figure, axes = panels(len(corpora), len(METRICS), 3.6 * len(corpora), sharex=True, sharey="row")
    for corpus, pair in zip(corpora, axes, strict=True):
        own = [row for row in rows if row["corpus"] == corpus]
        for metric, panel in zip(METRICS, pair, strict=True):
            panel.set_xticks(range(len(ROWS)), [named(name) for name in ROWS])
            panel.set_ylabel(f"{metric.upper()} (points)")
            if own[0]["family"] == UNTESTED:
                panel.set_yticks([])
                words = textwrap.fill(not_tested(own[0]), 40)
                panel.text(0.5, 0.5, words, transform=panel.transAxes, ha="center", va="center", fontsize=9)
                continue
            for row in own:
                if row["metric"] != metric:
                    continue
                rank = others.index(row["system"])
                place = ROWS.index(row["condition"]) + (rank - (len(others) - 1) / 2) * 0.8 / len(others)
                shade = colour(rank)
                panel.plot([place] * 2, [float(row["low"]), float(row["high"])], color=shade, linewidth=1)
                panel.plot(
                    place, float(row["difference"]), MARKERS[rank % len(MARKERS)], markersize=5, color=shade,
                    markerfacecolor=shade if row["significant"] == "yes" else "white", label=f"minus {row['system']}",
                )  # fmt: skip
            if metric == PRIMARY[0]:
                middle = ROWS.index(PRIMARY[1])
                panel.axvspan(middle - 0.5, middle + 0.5, color="#f0f0f0", zorder=0, label="primary tests")
            panel.axhline(0, color="black", linestyle=":", linewidth=1)
            panel.grid(axis="y", color="#eeeeee")
            panel.set_axisbelow(True)
        sizes = ", ".join(f"{name}: {own[0][name]}" for name in ("utterances", "folds", "seeds"))
        pair[0].set_title(f"{corpus} ({own[0]['origin']}), {setting(own)}, {sizes}", fontsize=10, loc="left")
    for panel in axes[-1]:
        panel.set_xlabel(f"available modalities; 95 % bootstrap intervals over {rows[0]['unit']}s")
    legend(figure)
    return figure
