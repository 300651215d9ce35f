"""Verb `table2`: WAR and UAR per corpus, condition and system (Table 2 of the paper)."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cmarr.metrics import interval
from cmarr.vocabulary import FULL, MISSING_CONDITIONS
from extractors.files import publish, read_csv, write_csv

ROWS = (*MISSING_CONDITIONS, "average", FULL)
"""order of the paper; `average` is the mean over the six missing conditions"""
COLUMNS = (
    "corpus", "system", "condition", "war_mean", "war_std", "uar_mean", "uar_std", "uar_low", "uar_high",
    "folds", "seeds", "protocol", "encoders", "origin", "notes",
)  # fmt: skip
Row = dict[str, str]


@dataclass(frozen=True)
class Cell:
    """One system under one condition: a value per fold (mean over seeds), in percent."""

    war: NDArray[np.float64]
    uar: NDArray[np.float64]


def cells(scores: list[Row]) -> dict[tuple[str, str, str], Cell]:
    """(corpus, system, condition) to its values, `average` included, in order of first appearance."""
    found: dict[tuple[str, str, str], Cell] = {}
    for corpus, system in dict.fromkeys((row["corpus"], row["system"]) for row in scores):
        own = [row for row in scores if (row["corpus"], row["system"]) == (corpus, system)]
        for condition in ROWS:
            wanted = MISSING_CONDITIONS if condition == "average" else (condition,)
            folds: dict[str, list[tuple[float, float]]] = {}
            for row in own:
                if row["condition"] in wanted:
                    folds.setdefault(row["fold"], []).append((float(row["war"]), float(row["uar"])))
            means = np.array([np.mean(values, axis=0) for values in folds.values()])  # (folds, 2)
            found[corpus, system, condition] = Cell(means[:, 0], means[:, 1])
    return found


def spread(values: NDArray[np.float64]) -> float:
    """Standard deviation over folds (divisor n - 1); NaN for a single fold."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument(
        "--out", type=Path, required=True, help="table as CSV, one row per corpus, system and condition"
    )
    parser.add_argument("--markdown", type=Path, required=True, help="table in the paper's layout")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table = cells(scores)
    rows = []
    for (corpus, system, condition), cell in table.items():
        own = [row for row in scores if (row["corpus"], row["system"]) == (corpus, system)]
        half = interval(cell.uar)
        values = {
            "war_mean": cell.war.mean(), "war_std": spread(cell.war),
            "uar_mean": cell.uar.mean(), "uar_std": spread(cell.uar),
            "uar_low": cell.uar.mean() - half, "uar_high": cell.uar.mean() + half,
        }  # fmt: skip
        rows.append(
            {"corpus": corpus, "system": system, "condition": condition}
            | {name: f"{value:.2f}" for name, value in values.items()}
            | {"folds": len(cell.war), "seeds": len({row["seed"] for row in own})}
            | {name: own[0][name] for name in ("protocol", "encoders", "origin", "notes")}
        )
    write_csv(args.out, COLUMNS, rows)
    with publish(args.markdown) as draft:
        draft.write_text(markdown(table, scores), encoding="utf-8")


def markdown(table: dict[tuple[str, str, str], Cell], scores: list[Row]) -> str:
    """One table per corpus: a row per condition, a column per system with WAR / UAR, mean and deviation over folds."""
    lines: list[str] = []
    for corpus in dict.fromkeys(key[0] for key in table):
        systems = list(dict.fromkeys(system for name, system, _ in table if name == corpus))
        own = [row for row in scores if row["corpus"] == corpus]
        lines += [
            f"## {corpus} ({own[0]['origin']})",
            "",
            "WAR / UAR in percent, mean ± standard deviation over folds.",
            "",
        ]
        body = [["available", *systems]]
        for condition in ROWS:
            named = condition if condition == "average" else ",".join(condition)
            body.append([named, *(_entry(table[corpus, system, condition]) for system in systems)])
        widths = [max(len(line[column]) for line in body) for column in range(len(body[0]))]
        for number, line in enumerate(body):
            lines.append("| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |")
            if number == 0:
                lines.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
        folds, seeds = len({row["fold"] for row in own}), len({row["seed"] for row in own})
        lines += ["", f"Protocol {own[0]['protocol']}, encoders {own[0]['encoders']}, {folds} folds, {seeds} seed(s)."]
        lines += [f"Note: {note}." for note in dict.fromkeys(row["notes"] for row in own) if note]
        if own[0]["origin"] != "release":
            lines.append(f"The data are {own[0]['origin']}: the figures say nothing about the real corpus.")
        lines.append("")
    return "\n".join(lines)


def _entry(cell: Cell) -> str:
    return " / ".join(f"{values.mean():.2f} ± {spread(values):.2f}" for values in (cell.war, cell.uar))
