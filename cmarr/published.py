"""Scores of Table 2 as the paper prints them, and how far scores of one's own are from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cmarr.aggregate import FACTS, Row, Table, facts, noted, number
from cmarr.ranks import METRICS
from extractors.files import read_csv

SCORES_OF_THE_PAPER = Path(__file__).with_name("published.csv")
"""transcribed cell by cell; averages as printed; what the paper prints as `-` is absent"""
PAPER_COLUMNS = ("corpus", "condition", "system", "war", "uar", "remark", "origin")
DIFFERENCE_COLUMNS = (
    "corpus", "type", "system", "condition", *METRICS, *(f"{metric}_published" for metric in METRICS),
    *(f"{metric}_difference{name}" for metric in METRICS for name in ("", "_low", "_high")), "remark", *FACTS,
)  # fmt: skip


def paper() -> list[Row]:
    """A row per type of corpus, condition and system."""
    return [row | {"origin": "published"} for row in read_csv(SCORES_OF_THE_PAPER)]


def differences(table: Table, scores: Sequence[Row], types: Mapping[str, str]) -> list[Row]:
    """Scores of one's own less the printed ones, for the corpora (name to type) and systems that the paper has.

    Intervals are the 95 % t intervals of one's own scores over folds: the printed ones are taken as they are.
    Where the data are no release, `notes` says that the differences say nothing.
    """
    printed = {(row["corpus"], row["system"], row["condition"]): row for row in paper()}
    found = []
    for (corpus, system, condition), cell in table.items():
        theirs = printed.get((types.get(corpus, ""), system, condition))
        if not theirs:
            continue
        about = facts(row for row in scores if (row["corpus"], row["system"]) == (corpus, system))
        if about["origin"] != "release":
            caution = f"the data are {about['origin']}: differences to the paper say nothing"
            about["notes"] = "; ".join(filter(None, (about["notes"], caution)))
        row = {"corpus": corpus, "type": theirs["corpus"], "system": system, "condition": condition}
        for metric in METRICS:
            ours = float(getattr(cell, metric).array.mean())
            row[metric], row[f"{metric}_published"] = number(ours), theirs[metric]
            row[f"{metric}_difference"] = number(ours - float(theirs[metric]))
            for name, end in zip(("low", "high"), getattr(cell, metric).interval, strict=True):
                row[f"{metric}_difference_{name}"] = number(end - float(theirs[metric]))
        found.append(row | {"remark": theirs["remark"]} | noted(about, cell.war, cell.uar))
    return found
