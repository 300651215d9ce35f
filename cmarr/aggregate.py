"""Scores of runs to values per fold and per seed, from which all tables and figures are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cmarr.metrics import interval, reach
from cmarr.vocabulary import FULL, MISSING_CONDITIONS
from extractors.files import UserError

ROWS = (*MISSING_CONDITIONS, "average", FULL)
"""order of the paper; `average` is the mean over the six missing conditions"""
FACTS = ("protocol", "choice", "encoders", "speech", "origin", "notes")
"""what every table says about the scores in it"""
ONE_SEED = "One seed: what another training would change is in no deviation and no interval."
CUT = "a 95 % interval over so few folds goes beyond what is possible and is cut there"
STATISTICS = ("mean", "std", "low", "high", "seed_std")
SCORES = (*(f"{metric}_{name}" for metric in ("war", "uar") for name in STATISTICS), "folds", "seeds")
"""columns of `Cell.statistics`"""
Row = dict[str, str]


@dataclass(frozen=True)
class Values:
    """One number of one system under one condition, in percent."""

    folds: dict[str, float]
    """mean over seeds, by fold"""
    seeds: dict[str, float]
    """mean over folds, by seed"""
    lowest: float = 0
    """least that the number can be: -100 for a difference"""

    @property
    def array(self) -> NDArray[np.float64]:
        """The values of the folds, (folds,)."""
        return np.array([*self.folds.values()])

    def statistics(self, name: str) -> dict[str, str]:
        """Mean, deviation over folds, `interval` and deviation over seeds; empty where undefined."""
        folds = self.array
        mean = folds.mean() if len(folds) else np.nan
        found = (mean, spread(folds), *self.interval, spread([*self.seeds.values()]))
        return {f"{name}_{key}": number(value) for key, value in zip(STATISTICS, found, strict=True)}

    @property
    def interval(self) -> tuple[float, float]:
        """95 % t interval over folds, cut at what is possible; NaN with fewer than two folds."""
        if len(self.folds) < 2:
            return np.nan, np.nan
        below, above = reach(self.array, self.lowest)
        return float(self.array.mean() - below), float(self.array.mean() + above)

    @property
    def cut(self) -> bool:
        """Whether the interval goes beyond what is possible."""
        return bool((reach(self.array, self.lowest) < interval(self.array)).any())


@dataclass(frozen=True)
class Cell:
    """One system under one condition."""

    war: Values
    uar: Values

    def statistics(self) -> dict[str, str]:
        """Columns of a table: those of the WAR, those of the UAR, and the numbers of folds and seeds."""
        size = {"folds": str(len(self.war.folds)), "seeds": str(len(self.war.seeds))}
        return self.war.statistics("war") | self.uar.statistics("uar") | size

    def minus(self, other: Cell) -> Cell:
        """Paired differences."""
        return weighted([(1, self), (-1, other)])


Table = dict[tuple[str, str, str], Cell]
"""(corpus, system, condition) to its cell, `average` included, in order of first appearance"""


def values(scores: Iterable[tuple[str, str, float]]) -> Values:
    """Means of numbers given as (fold, seed, number); folds and seeds in order of their names."""
    folds: dict[str, list[float]] = {}
    seeds: dict[str, list[float]] = {}
    for fold, seed, value in scores:
        folds.setdefault(fold, []).append(value)
        seeds.setdefault(seed, []).append(value)
    by_fold, by_seed = ({name: float(np.mean(group[name])) for name in sorted(group)} for group in (folds, seeds))
    return Values(by_fold, by_seed)


def weighted(parts: Sequence[tuple[float, Cell]]) -> Cell:
    """Weighted sum of cells, fold by fold and seed by seed; UserError when they are not of the same runs."""
    war, uar = ([(weight, getattr(cell, metric)) for weight, cell in parts] for metric in ("war", "uar"))
    return Cell(_weighted(war), _weighted(uar))


def _weighted(parts: list[tuple[float, Values]]) -> Values:
    names = [[list(group) for group in (part.folds, part.seeds)] for _, part in parts]
    if any(other != names[0] for other in names):
        raise UserError("scores: what is compared has not the same folds and seeds; make the scores again")
    folds, seeds = names[0]
    return Values(
        {name: sum(weight * part.folds[name] for weight, part in parts) for name in folds},
        {name: sum(weight * part.seeds[name] for weight, part in parts) for name in seeds},
        100 * sum(min(weight, 0) for weight, _ in parts),
    )


def conditions_of(name: str) -> tuple[str, ...]:
    """The conditions behind a row of a table: the six missing ones for `average`."""
    return MISSING_CONDITIONS if name == "average" else (name,)


def cells(scores: Sequence[Row]) -> Table:
    """The cells of all systems of all corpora."""
    runs: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in scores:
        runs.setdefault((row["corpus"], row["system"]), {}).setdefault(row["condition"], []).append(row)
    found = {}
    for (corpus, system), own in runs.items():
        for name in ROWS:
            rows = [row for condition in conditions_of(name) for row in own[condition]]
            war, uar = (
                values((row["fold"], row["seed"], float(row[metric])) for row in rows) for metric in ("war", "uar")
            )
            found[corpus, system, name] = Cell(war, uar)
    return found


def spread(numbers: Sequence[float] | NDArray[np.float64]) -> float:
    """Standard deviation (divisor n - 1); NaN for a single number."""
    return float(np.std(numbers, ddof=1)) if len(numbers) > 1 else float("nan")


def number(value: float, digits: int = 2) -> str:
    """A number as text, empty for NaN, and never `-0.00`."""
    return "" if np.isnan(value) else f"{value:z.{digits}f}"


def facts(rows: Iterable[Row]) -> Row:
    """What the rows say about themselves, each different statement once."""
    kept = list(rows)
    found = {name: ", ".join(dict.fromkeys(row[name] for row in kept if row[name])) for name in FACTS}
    notes = dict.fromkeys(note for row in kept for note in row["notes"].split("; ") if note)
    return found | {"notes": "; ".join(notes)}


def noted(about: Row, *shown: Values) -> Row:
    """Facts of a row with a further note if the interval of one of its numbers is cut."""
    notes = [about["notes"]] * bool(about["notes"]) + [CUT] * any(each.cut for each in shown)
    return about | {"notes": "; ".join(notes)}


def facts_of(record: Mapping[str, Any]) -> Row:
    """What the record of a training says for tables; empty what an older one does not have."""
    return {name: str(record.get(name, "")) for name in FACTS} | {"notes": "; ".join(record["notes"])}


def setting(rows: Iterable[Row]) -> str:
    """Protocol, encoders and, where it is known, the encoder of the speech in one phrase."""
    about = facts(rows)
    speech = f", speech by {about['speech']}" if about["speech"] else ""
    return f"protocol {about['protocol']}, encoders {about['encoders']}{speech}"


def described(rows: Sequence[Row]) -> str:
    """The setting and the numbers of folds and seeds in one phrase."""
    counts = {name: len({row[name] for row in rows}) for name in ("fold", "seed")}
    return ", ".join([setting(rows), *(f"{count} {name}{'s' * (count > 1)}" for name, count in counts.items())])


def single_seed(rows: Iterable[Row]) -> bool:
    """Whether scores are of one training per fold."""
    return len({row["seed"] for row in rows}) == 1


def statements(rows: Sequence[Row]) -> list[str]:
    """Sentences below a table of these scores, without markup."""
    about, phrase = facts(rows), described(rows)
    found = [f"{phrase[0].upper()}{phrase[1:]}. Scores that chose the epoch: {about['choice']}."]
    found += [ONE_SEED] * single_seed(rows)
    if about["origin"] != "release":
        found.append(f"The data are {about['origin']}: the figures say nothing about the real corpus.")
    return found


def named(condition: str) -> str:
    """A condition as the paper prints it: `v,t`."""
    return condition if condition == "average" else ",".join(condition)
