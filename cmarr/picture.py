"""What all figures share: panels without a screen, a title, and notes that cannot be overlooked."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmarr.aggregate import Row
from extractors.files import publish

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure

WIDTH = 11.0
"""of a figure, in inches"""
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#7f7f7f",
    "#8c564b", "#9467bd", "#bcbd22", "#17becf",
)  # fmt: skip
"""eight told apart with every kind of colour vision (seven of Okabe and Ito's, and a grey), and four for more folds"""
MARKERS = "osD^vPX*"
SMALL = 8


def panels(rows: int, columns: int, height: float, **options: Any) -> tuple[Figure, Any]:
    """A figure and its panels (rows, columns); `height` in inches, without title and notes."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(WIDTH, height + 1), squeeze=False, layout="constrained", **options)


def colour(place: int) -> str:
    """Colour of the system, fold or line at a place; they repeat after twelve."""
    return COLOURS[place % len(COLOURS)]


def legend(figure: Figure) -> None:
    """Names of all lines of all panels, each once, right of the panels."""
    found: dict[str, Artist] = {}
    for panel in figure.axes:
        handles, labels = panel.get_legend_handles_labels()
        found |= zip(labels, handles, strict=True)
    figure.legend([*found.values()], [*found], loc="outside right upper", fontsize=SMALL, frameon=False)


def notes_of(scores: list[Row]) -> list[str]:
    """Notes of all corpora; those that only some of them have say which."""
    found: dict[str, list[str]] = {}
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    for row in scores:
        for note in row["notes"].split("; "):
            found.setdefault(note, []).append(row["corpus"])
    return [
        note if set(have) == set(corpora) else f"{note} ({', '.join(dict.fromkeys(have))})"
        for note, have in found.items() if note
    ]  # fmt: skip


def save(figure: Figure, path: Path, title: str, notes: Iterable[str], origin: str) -> None:
    """Publish a figure as PNG with its title above, notes in red below, and the origin of its data in both.

    Text is wrapped. Closes the figure.
    """
    from matplotlib import pyplot

    figure.suptitle(textwrap.fill(title, 100), fontsize=11, x=0.01, horizontalalignment="left")
    lines = [textwrap.fill(f"Note: {note}.", 130) for note in dict.fromkeys(notes) if note]
    if lines:
        figure.supxlabel("\n".join(lines), fontsize=9, color="#a00000")
    with publish(path) as draft:
        figure.savefig(draft, dpi=150, metadata={"Description": f"origin: {origin}"})
    pyplot.close(figure)
