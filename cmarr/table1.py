"""Verb `table1`: utterances per class of every corpus (Table 1 of the paper)."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from cmarr.vocabulary import CLASSES
from extractors.files import read_csv, read_json, write_csv

COLUMNS = ("total", "rejected", "speakers", "sessions", "check", "origin")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpora", type=Path, required=True, help="folder <corpus>/manifest.csv and check.json")
    parser.add_argument("--names", nargs="+", required=True, help="corpora, one row each")
    parser.add_argument("--out", type=Path, required=True)


def main(args: argparse.Namespace) -> None:
    rows, labels = [], list(CLASSES)
    taken = {"corpus", *COLUMNS}
    for name in args.names:
        folder = args.corpora / name
        kept = read_csv(folder / "manifest.csv")
        check = read_json(folder / "check.json")
        counts = Counter(row["label"] for row in kept)
        columns = {label: f"label {label}" if label in taken else label for label in check["classes"]}
        rows.append(
            {"corpus": name}
            | {column: counts[label] for label, column in columns.items()}
            | {
                "total": len(kept),
                "rejected": check["rejected"],
                "speakers": len({row["speaker"] for row in kept}),
                "sessions": len({row["session"] for row in kept}),
                "check": check["status"],
                "origin": kept[0]["origin"],
            }
        )
        labels += [column for column in columns.values() if column not in labels]
    blank = dict.fromkeys(labels, "")
    write_csv(args.out, ["corpus", *labels, *COLUMNS], (blank | row for row in rows))
