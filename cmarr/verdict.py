"""What the tests of `significance` say, in sentences for below a table and the caption of the figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cmarr.aggregate import Row
from cmarr.bootstrap import LEAST, LEVEL

UNTESTED = "not tested"
"""family of the only row of a corpus with fewer units than LEAST"""
NOT_COVERED = {
    "dialogue": "trainings, speakers",
    "speaker": "trainings, dialogues",
    "utterance": "trainings, dialogues, speakers",
}
"""what a bootstrap over a kind of unit does not speak of, beside other corpora"""
FINER = {"speaker": "dialogue", "dialogue": "utterance"}
"""units of which there are more"""


def verdict(rows: Sequence[Row], corpus: str) -> list[str]:
    """Lines below a table: the primary tests, how many of the secondary ones are significant, and what all that is.

    A corpus with too few units has one line that says so.
    """
    own = [row for row in rows if row["corpus"] == corpus]
    if own and own[0]["family"] == UNTESTED:
        return [f"{not_tested(own[0])}."]
    primary, secondary = ([row for row in own if row["family"] == family] for family in ("primary", "secondary"))
    if not primary:
        return []
    about, parts = primary[0], []
    for answer, words in (("yes", "significant"), ("no", "not significant")):
        found = [
            f"{row['system']} ({float(row['difference']):+.2f} [{row['low']}, {row['high']}], {shown(row)})"
            for row in primary if row["significant"] == answer
        ]  # fmt: skip
        parts += [f"{words} against {', '.join(found)}"] * bool(found)
    count = sum(row["significant"] == "yes" for row in secondary)
    equal = any(row["family"] == "repeated" for row in own)
    return [
        f"Primary tests, UAR of {about['full']} on the average: {'; '.join(parts)}. In brackets uncorrected 95 % "
        f"intervals; significant is p < {LEVEL} after Holm's correction for the {len(primary)} primary tests of this "
        "corpus.",
        f"All other tests are secondary: {count} of {len(secondary)} are significant after a correction of their own "
        f"(significance.csv).{' Classes are equally frequent, so that WAR is UAR.' * equal}",
        f"Paired bootstrap over {about['units']} {about['unit']}s, {drawn_from(about)} ({about['draws']} draws). Seeds "
        f"are averaged; other {NOT_COVERED[about['unit']]} and corpora are not covered.",
        *(f"{words.capitalize()}." for words in hint(about)),
    ]


def shown(row: Row) -> str:
    """Corrected p-value of a row as text: `p = 0.031`, or `p < 0.0001` for a bound that more draws would lower.

    With two digits, or as many as it takes to be on the right side of LEVEL.
    """
    sign, significant = "<" if row["bound"] == "yes" else "=", row["significant"] == "yes"
    for digits in range(2, 7):
        text = np.format_float_positional(float(row["p_holm"]), precision=digits, fractional=False, trim="-")
        if (float(text) < LEVEL) == significant:
            return f"p {sign} {text}"
    return f"p {'<' if significant else '>='} {LEVEL}"


def hint(row: Row) -> list[str]:
    """How far to trust the p-values of a corpus with few units; nothing for one with many."""
    few = row["few_units"] == "yes"
    return [f"only {row['units']} {row['unit']}s: p-values are too small; read them as hints"] * few


def not_tested(row: Row) -> str:
    """Why a corpus was not tested, and what would be."""
    finer = FINER.get(row["unit"])
    else_ = f"; `statistics.unit: {finer}` would test as if {finer}s were independent" if finer else ""
    return f"Not tested: {row['units']} {row['unit']}s, {LEAST} is the least{else_}"


def drawn_from(row: Row) -> str:
    """Words for the groups of units that a resample is drawn from."""
    if row["strata"] == row["folds"]:
        return "drawn within folds"
    return "drawn over all folds" if row["strata"] == "1" else f"drawn within {row['strata']} groups of folds"
