"""Verb `protocols`: what other protocols, such as those that choose on test data, make of the same systems."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

from cmarr import reference
from cmarr.aggregate import FACTS, ROWS, Cell, Row, Table, Values, cells, facts, number, statements
from cmarr.markdown import CONTENT, entry, grid, heading, signed
from cmarr.ranks import METRICS
from cmarr.table2 import add_score_arguments, pooled_scores
from cmarr.variants import base, overrides, variant
from extractors.files import UserError, publish, read_csv, write_csv

COLUMNS = (
    "corpus", "system", "own_protocol", "other_protocol", "condition",
    *(
        f"{metric}{name}" for metric in METRICS
        for name in ("", "_other", "_difference", "_low", "_high", "_pooled", "_pooled_other")
    ),
    "folds", "folds_other", "seeds", *FACTS,
)  # fmt: skip
HEAD = ["system", "protocol", "WAR / UAR", "other protocol", "WAR / UAR", "WAR gained", "UAR gained"]
BELOW = (
    "Gained: score under the other protocol less that under the first, with its paired 95 % t interval over folds "
    "where both have the same ones (means over seeds). paper_last and paper_besttest train on the same utterances, so "
    "their difference is what choosing the epoch on test data is worth, no merit of a system; against clean, both also "
    "train on the utterances that validate there."
)


def pairs(systems: Iterable[str]) -> list[tuple[str, str]]:
    """Names of runs to compare: of a system under the experiment's protocol and under each other one.

    `paper_last` and `paper_besttest`, which differ in nothing but the choice of the epoch, are a pair as well.
    """
    known = list(dict.fromkeys(systems))
    found = []
    for name in known:
        changed = overrides(name)
        if protocol := changed.pop("protocol", None):
            found.append((plain(name), name))
            last = variant(base(name), changed | {"protocol": "paper_last"})
            if protocol == "paper_besttest" and last in known:
                found.append((last, name))
    return found


def plain(name: str) -> str:
    """Name of a run without its protocol."""
    return variant(base(name), {key: value for key, value in overrides(name).items() if key != "protocol"})


def gained(own: Cell, other: Cell) -> Cell:
    """What the other protocol adds: fold by fold where both have the same folds, else a mean without an interval."""
    if own.war.folds.keys() == other.war.folds.keys():
        return other.minus(own)
    war, uar = (getattr(other, metric).array.mean() - getattr(own, metric).array.mean() for metric in METRICS)
    return Cell(Values({"": war}, {}), Values({"": uar}, {}))


def compared(own: Cell, other: Cell) -> Row:
    """Columns of a row that follow from the scores of both."""
    difference = gained(own, other).statistics()
    found = {"folds": str(len(own.war.folds)), "folds_other": str(len(other.war.folds))}
    found["seeds"] = str(len(own.war.seeds))
    for metric in METRICS:
        found[metric], found[f"{metric}_other"] = (number(getattr(cell, metric).array.mean()) for cell in (own, other))
        found[f"{metric}_difference"] = difference[f"{metric}_mean"]
        found |= {f"{metric}_{name}": difference[f"{metric}_{name}"] for name in ("low", "high")}
    return found


def below_reference(table: Table, corpus: str, scores: Sequence[Row]) -> list[str]:
    """Per protocol that the linear reference has runs under, the systems that are below it there."""
    protocols: dict[str, dict[str, str]] = {}
    for row in scores:
        protocols.setdefault(row["protocol"], {})[row["system"]] = plain(row["system"])
    found = []
    for protocol, systems in protocols.items():
        linear = next((name for name, short in systems.items() if short == reference.REFERENCE), "")
        found += [f"{protocol}: {words}" for words in reference.below(table, corpus, systems, linear)]
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_score_arguments(parser)


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    table, pooled = cells(scores), pooled_scores(read_csv(args.confusions))
    rows: list[Row] = []
    lines: list[str] = []
    for corpus in dict.fromkeys(row["corpus"] for row in scores):
        own = [row for row in scores if row["corpus"] == corpus]
        body = []
        for system, name in pairs(row["system"] for row in own):
            if (corpus, system, "average") not in table:
                raise UserError(f"{args.scores}: has no {system} on {corpus}, which {name} is compared with; train it")
            first, other = (facts(row for row in own if row["system"] == which) for which in (system, name))
            about = facts(row for row in own if row["system"] in (system, name))
            for condition in ROWS:
                keys = [(corpus, which, condition) for which in (system, name)]
                row = {"corpus": corpus, "system": plain(name), "condition": condition}
                row |= {"own_protocol": first["protocol"], "other_protocol": other["protocol"]}
                row |= compared(*(table[key] for key in keys)) | pooled[keys[0]]
                rows.append(row | {f"{key}_other": value for key, value in pooled[keys[1]].items()} | about)
            average = [table[corpus, which, "average"] for which in (system, name)]
            more = gained(*average)
            before, after = map(entry, average)
            body.append(
                [plain(name), first["protocol"], before, other["protocol"], after, signed(more.war), signed(more.uar)]
            )
        lines += [*heading(corpus, own), f"Average over the six missing conditions: {CONTENT}.", ""]
        lines += [*grid([HEAD, *body]), "", *statements(own), *below_reference(table, corpus, own), BELOW, ""]
    write_csv(args.out, COLUMNS, rows)
    with publish(args.markdown) as draft:
        draft.write_text("\n".join(lines), encoding="utf-8")
