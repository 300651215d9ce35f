"""Labels of a table: which can be classes, and which are one class although they are written in several ways."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from unicodedata import category

from extractors.corpora import Remark, Utterance
from extractors.corpora.table_cells import SHOWN, shown, stands_for_nothing
from extractors.explain import LABEL
from extractors.settings import same_label

FIRST_CLASSES = ("angry", "happy", "neutral", "sad")


def label_problem(label: str, classes: Sequence[str] | None) -> str:
    """Why a label cannot be used, or an empty string; only case, blanks and Unicode form may differ from `classes`."""
    if not label:
        return "label is empty"
    if classes is not None and same_label(label) in map(same_label, classes):
        return ""
    if stands_for_nothing(label):
        return f"label {shown(label)} stands for no value; if it is a class, list it under `classes`"
    if classes is not None:
        return f"label {shown(label)} is not one of the classes"
    if len(label) <= SHOWN and re.fullmatch(LABEL, "".join(sign for sign in label if category(sign)[0] != "M")):
        return ""
    return f"label {shown(label)}; it needs a letter or digit first and {SHOWN} characters at most"


def one_spelling(rows: Sequence[Utterance], classes: Sequence[str]) -> tuple[list[Utterance], list[Remark]]:
    """`rows` with one spelling for each class, and remarks on the others.

    The spelling is the one in `classes`, else the one that the project uses, else the commonest of the table.
    """
    spelt: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        spelt[same_label(row.label)][row.label] += 1
    ranks = {
        key: [(label not in FIRST_CLASSES, -n, label) for label, n in found.items()] for key, found in spelt.items()
    }
    chosen = {key: min(ranked)[-1] for key, ranked in ranks.items()}
    chosen |= {same_label(label): label for label in classes}
    why = "in case, blanks or Unicode form only: one class"
    remarks = [
        Remark("", "label", f"label {shown(label)} differs from {shown(chosen[key])} {why} ({n} rows)")
        for key, found in spelt.items()
        for label, n in sorted(found.items())
        if label != chosen[key]
    ]
    others = {label: chosen[key] for key, found in spelt.items() for label in found if label != chosen[key]}
    return [replace(row, label=others[row.label]) if row.label in others else row for row in rows], remarks


def alike(column: str, names: Iterable[str]) -> list[Remark]:
    """Remarks on names that differ in case only and are not taken for one."""
    spelt: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        spelt[same_label(name)].append(name)
    return [
        Remark("", "label", f"{column}s {', '.join(map(shown, same))} differ in case or blanks only; they are not one")
        for same in spelt.values()
        if len(same) > 1
    ]
