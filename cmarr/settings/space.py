"""What tuning may change of a system: ranges and options by dotted setting, without Optuna or torch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = float | int | str | bool | None


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`; with `log`, each factor is as likely as any other."""

    low: float
    high: float
    log: bool = False

    def with_value(self, value: Value) -> Range | None:
        """The range that has `value`, too; None where it cannot have it: null, or 0 on a logarithmic scale."""
        if not isinstance(value, int | float) or (self.log and value <= 0):
            return None
        return Range(min(self.low, value), max(self.high, value), self.log)


@dataclass(frozen=True)
class Options:
    """A few values without an order."""

    values: tuple[Value, ...]

    def with_value(self, value: Value) -> Options:
        """The options with `value` among them."""
        return self if value in self.values else Options((*self.values, value))


Space = Mapping[str, Range | Options]
"""setting, with dots to nested ones, to what tuning may make of it"""


def at(settings: Any, path: str) -> Any:
    """Value of a setting, where dots reach nested ones."""
    return functools.reduce(getattr, path.split("."), settings)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they stand in a configuration, of values by dotted setting."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        *parents, key = path.split(".")
        inner = functools.reduce(lambda place, part: place.setdefault(part, {}), parents, found)
        inner[key] = value
    return found


def around(space: Space, settings: Any) -> dict[str, Range | Options]:
    """The part of a space that can be searched beside what `settings` has, widened to have that, too.

    A weight of 0 on a logarithmic scale is left out: what is switched off stays off.
    """
    widened = {path: each.with_value(at(settings, path)) for path, each in space.items()}
    return {path: each for path, each in widened.items() if each is not None}
