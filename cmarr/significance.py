"""Verb `significance`: is a system better than each of the others, by a paired bootstrap over utterances.

A resample draws the utterances of every test fold with replacement, once for all systems, seeds and conditions; the
statistic is the mean over folds of WAR or UAR, each the mean over seeds. Intervals and p-values therefore cover what
other test utterances of the same recordings would change. They do not cover what other trainings (seeds are
averaged), other speakers or another corpus would: utterances are drawn as if they were independent of each other,
though they share speakers and dialogues.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cmarr.aggregate import FACTS, ROWS, Row, conditions_of, facts, facts_of, named, number, setting
from cmarr.bootstrap import Floats, compared, holm, limits, two_sided
from cmarr.picture import MARKERS, colour, legend, notes_of, panels, save
from cmarr.ranks import METRICS
from cmarr.scores import add_run_arguments, guesses
from cmarr.seeds import derive
from cmarr.variants import base
from cmarr.vocabulary import CONDITIONS
from extractors.files import UserError, read_json, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL = 0.05
COLUMNS = (
    "corpus", "full", "system", "condition", "metric", "difference", "low", "high", "p", "p_holm", "significant",
    "draws", "utterances", "folds", "seeds", *FACTS,
)  # fmt: skip
Runs = dict[tuple[str, str], str]
"""(fold, seed) to <corpus>/<system>/fold<k>/seed<s>, in order of first appearance"""


def recognised(
    predictions: Path, runs: Mapping[str, Sequence[str]], classes: list[str]
) -> tuple[list[str], NDArray[np.int64], dict[str, Floats]]:
    """Utterances and labels of one fold, and per system how often its runs recognise each utterance.

    That is (utterances, ROWS), from 0 to 1. UserError when the files are not of the same utterances.
    """
    known: tuple[list[str], list[int]] | None = None
    found = {}
    for system, own in runs.items():
        shares = {}
        for condition in CONDITIONS:
            right = []
            for run in own:
                path = predictions / run / f"{condition}.csv"
                ids, labels, guessed = guesses(path, classes)
                known = known or (ids, labels.tolist())
                if (ids, labels.tolist()) != known:
                    raise UserError(f"{path}: other utterances or labels than in its fold's first file; predict again")
                right.append(guessed == labels)
            shares[condition] = np.mean(right, axis=0)
        columns = [np.mean([shares[name] for name in conditions_of(row)], axis=0) for row in ROWS]
        found[system] = np.stack(columns, axis=1)
    return ids, labels, found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run_arguments(parser)
    parser.add_argument("--full", required=True, help="system that is compared with each of the others")
    parser.add_argument("--draws", type=int, default=10_000, help="resamples of the bootstrap")
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
            rows.append(row | facts(map(facts_of, [*ours, *records[corpus, row["system"]]])))
    write_csv(args.out, COLUMNS, rows)
    origin = facts(rows)["origin"]
    title = f"{args.full} less each other system ({origin}); full marks: significant after Holm's correction"
    save(draw(rows), args.figure, title, notes_of(rows), origin)


def check(corpus: str, systems: Mapping[str, Runs], full: str, draws: int) -> None:
    """UserError when the runs of a corpus cannot be compared, or with too few draws to find anything."""
    rivals = [system for system in systems if base(system) != base(full)]
    if full not in systems or not rivals:
        there = ", ".join(systems)
        raise UserError(f"--runs: {corpus} needs runs of {full} and of another system, to compare; it has {there}")
    for system, own in systems.items():
        if set(own) != set(systems[full]):
            raise UserError(
                f"--runs: {system} and {full} have not the same folds and seeds on {corpus}; train them all"
            )
    tests = len(rivals) * len(ROWS)
    if 2 * tests / (draws + 1) >= LEVEL:
        more = math.ceil(2 * tests / LEVEL)
        raise UserError(f"--draws: {tests} corrected p-values of {draws} draws are never below {LEVEL}; use {more}")


def rows_of(args: argparse.Namespace, corpus: str, systems: Mapping[str, Runs], classes: list[str]) -> list[Row]:
    """Rows of one corpus without the facts of their runs."""
    rivals = [system for system in systems if base(system) != base(args.full)]
    names = list(dict.fromkeys(fold for fold, _ in systems[args.full]))
    seeds = {seed for _, seed in systems[args.full]}
    folds, streams = [], []  # a fold that is there twice is drawn alike
    for fold in names:
        own = {
            system: [run for (name, _), run in systems[system].items() if name == fold]
            for system in (args.full, *rivals)
        }
        ids, labels, shares = recognised(args.predictions, own, classes)
        streams.append(derive(corpus, args.seed, "bootstrap", *ids))
        folds.append((np.hstack([shares[args.full] - shares[rival] for rival in rivals]), labels))

    differences, resamples = compared(folds, args.draws, lambda place: np.random.default_rng(streams[place]))
    rows = []
    for metric, found, draws in zip(METRICS, differences, resamples, strict=True):
        p = two_sided(draws)
        numbers = zip(found, *limits(draws), p, holm(p), strict=True)
        places = [(rival, condition) for rival in rivals for condition in ROWS]
        for (rival, condition), (difference, low, high, single, corrected) in zip(places, numbers, strict=True):
            rows.append(
                {"corpus": corpus, "full": args.full, "system": rival, "condition": condition, "metric": metric}
                | {"difference": number(difference), "low": number(low), "high": number(high)}
                | {"p": number(single, 4), "p_holm": number(corrected, 4)}
                | {"significant": "yes" if corrected < LEVEL else "no", "draws": str(args.draws)}
                | {"utterances": str(sum(len(labels) for _, labels in folds))}
                | {"folds": str(len(folds)), "seeds": str(len(seeds))}
            )
    return rows


def verdict(rows: Sequence[Row], corpus: str) -> list[str]:
    """A line below a table: which differences on the average are significant, by which metric, and which are not."""
    own = [row for row in rows if (row["corpus"], row["condition"]) == (corpus, "average")]
    if not own:
        return []
    parts = []
    for metric in METRICS:
        for answer, words in (("yes", "significant"), ("no", "not significant")):
            found = [
                f"{row['system']} ({float(row['difference']):+.2f} [{row['low']}, {row['high']}])"
                for row in own if (row["metric"], row["significant"]) == (metric, answer)
            ]  # fmt: skip
            parts += [f"{metric.upper()} {words} against {', '.join(found)}"] * bool(found)
    return [
        f"{own[0]['full']} on the average: {'; '.join(parts)}. In brackets uncorrected 95 % intervals of a paired "
        f"bootstrap over test utterances within folds ({own[0]['draws']} draws); significant is p < {LEVEL} after "
        "Holm's correction for all systems and conditions of a metric. Seeds are averaged; other trainings, speakers "
        "and corpora are not covered."
    ]


def draw(rows: Sequence[Row]) -> Figure:
    """A row of panels per corpus, WAR and UAR; each system has a point with its interval under each condition."""
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    rivals = list(dict.fromkeys(row["system"] for row in rows))
    figure, axes = panels(len(corpora), len(METRICS), 3.6 * len(corpora), sharex=True, sharey="row")
    for corpus, pair in zip(corpora, axes, strict=True):
        for metric, panel in zip(METRICS, pair, strict=True):
            for row in rows:
                if (row["corpus"], row["metric"]) != (corpus, metric):
                    continue
                rank = rivals.index(row["system"])
                place = ROWS.index(row["condition"]) + (rank - (len(rivals) - 1) / 2) * 0.8 / len(rivals)
                shade = colour(rank)
                panel.plot([place] * 2, [float(row["low"]), float(row["high"])], color=shade, linewidth=1)
                panel.plot(
                    place, float(row["difference"]), MARKERS[rank % len(MARKERS)], markersize=5, color=shade,
                    markerfacecolor=shade if row["significant"] == "yes" else "white", label=f"minus {row['system']}",
                )  # fmt: skip
            panel.axhline(0, color="black", linestyle=":", linewidth=1)
            panel.set_xticks(range(len(ROWS)), [named(name) for name in ROWS])
            panel.set_ylabel(f"{metric.upper()} (points)")
            panel.grid(axis="y", color="#eeeeee")
            panel.set_axisbelow(True)
        own = [row for row in rows if row["corpus"] == corpus]
        sizes = ", ".join(f"{name}: {own[0][name]}" for name in ("utterances", "folds", "seeds"))
        pair[0].set_title(f"{corpus} ({own[0]['origin']}), {setting(own)}, {sizes}", fontsize=10, loc="left")
    for panel in axes[-1]:
        panel.set_xlabel("available modalities; 95 % bootstrap intervals over utterances")
    legend(figure)
    return figure
