"""Names of variants: a system with some settings in place of the configured ones, as in `cm_arr-alpha-0-beta-0`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

NAME = "[a-z][a-z0-9_]*"
"""Regular expression of the name of a system."""
PART = "-[a-z_.]+-[A-Za-z0-9_.]+"
"""Regular expression of one setting in a name; a dot in a key reaches nested settings (`training.epochs`)."""
UNTESTED = ("majority",)
"""systems that learn nothing, which every other one is better than"""


def base(name: str) -> str:
    """The system that a variant is one of; its own name for a system."""
    return name.split("-", 1)[0]


def rivals(systems: Iterable[str], full: str) -> list[str]:
    """Systems that `full` is tested against: neither variants of itself nor UNTESTED."""
    return [system for system in systems if base(system) not in (base(full), *UNTESTED)]


def overrides(name: str) -> dict[str, str]:
    """Settings that the name changes, as text, `null` for none; ValueError when keys and values do not alternate."""
    _, *words = name.split("-")
    keys, values = words[::2], words[1::2]
    if len(keys) != len(values) or not all(words) or len(set(keys)) < len(keys):
        raise ValueError("write <system>-<key>-<value>, each key once and numbers without exponent or sign")
    return dict(zip(keys, values, strict=True))


def variant(system: str, changes: Mapping[str, object]) -> str:
    """Name of a system with changed settings, keys in alphabetical order."""
    return "-".join([system, *(word for key in sorted(changes) for word in (key, _text(changes[key])))])


def _text(value: object) -> str:
    if isinstance(value, tuple) and len(value) == 1:
        (value,) = value
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return f"{Decimal(repr(value)).normalize():f}" if isinstance(value, float) else str(value)
