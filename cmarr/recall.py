"""Verb `recall`: recall of every class under every condition."""

from __future__ import annotations

import argparse
from pathlib import Path

from cmarr.aggregate import FACTS, ROWS, Row, conditions_of, facts, noted, values
from extractors.files import read_csv, write_csv

COLUMNS = (
    "corpus", "system", "condition", "class", "recall_mean", "recall_std", "recall_low", "recall_high",
    "recall_seed_std", "support", "folds", "seeds", *FACTS,
)  # fmt: skip
Recalls = dict[str, dict[str, dict[tuple[str, str], list[int]]]]
"""condition, class and (fold, seed) to the utterances that were recognised, and to all with that label"""


def recalls(confusions: list[Row]) -> Recalls:
    """What one system recognised on one corpus; classes in order of first appearance."""
    found: Recalls = {}
    for row in confusions:
        runs = found.setdefault(row["condition"], {}).setdefault(row["label"], {})
        pair = runs.setdefault((row["fold"], row["seed"]), [0, 0])
        pair[0] += int(row["count"]) * (row["label"] == row["predicted"])
        pair[1] += int(row["count"])
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--confusions", type=Path, required=True)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="CSV, one row per corpus, system, condition and class; recall in percent",
    )


def main(args: argparse.Namespace) -> None:
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in read_csv(args.confusions):
        groups.setdefault((row["corpus"], row["system"]), []).append(row)
    rows = []
    for (corpus, system), own in groups.items():
        found, about = recalls(own), facts(own)
        for condition in ROWS:
            wanted = conditions_of(condition)
            for label in found[wanted[0]]:
                runs = [(run, pair) for name in wanted for run, pair in found[name][label].items() if pair[1]]
                recall = values((fold, seed, 100 * hits / total) for (fold, seed), (hits, total) in runs)
                tested = {fold: total for (fold, _), (_, total) in runs}
                rows.append(
                    {"corpus": corpus, "system": system, "condition": condition, "class": label}
                    | recall.statistics("recall")
                    | {"support": str(sum(tested.values())), "folds": str(len(tested)), "seeds": str(len(recall.seeds))}
                    | noted(about, recall)
                )
    write_csv(args.out, COLUMNS, rows)
