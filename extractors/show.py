"""Verb `show`: what is in a feature store, in words and as a picture."""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from extractors.console import progress
from extractors.files import publish
from extractors.store import FeatureStore

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBER = re.compile(r"\d+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE.h5", help="feature stores")
    parser.add_argument("--out", type=Path, help="one PNG of all of them; absent: a PNG beside each")


def main(args: argparse.Namespace) -> None:
    """Print a few lines about every store and draw the picture; UserError when a store is damaged."""
    found = []
    for path in args.stores:
        found.append(measure(path))
        print(*describe(found[-1]), sep="\n", flush=True)
    pictures = {args.out: found} if args.out else {one.path.with_suffix(".png"): [one] for one in found}
    for path, contents in pictures.items():
        origins = ", ".join(dict.fromkeys(one.notes["origin"] for one in contents))
        with publish(path) as draft:
            draw(contents).savefig(draft, dpi=150, metadata={"Description": f"origin: {origins}"})
        print(f"picture: {path}")


@dataclass(frozen=True, eq=False)
class Content:
    """Counts of a store; `low`, `high`, `mean` and `deviation` are over its valid frames."""

    path: Path
    notes: dict[str, str]
    problems: dict[str, str]
    dtype: np.dtype[Any]
    lengths: NDArray[np.int64]  # (utterances,) frames
    valid: NDArray[np.int64]  # (utterances,) frames
    low: NDArray[np.float32]  # (dim,)
    high: NDArray[np.float32]  # (dim,)
    mean: float
    deviation: float

    @property
    def hz(self) -> float | None:
        """Frames a second, where the settings tell."""
        rate: float | None = json.loads(self.notes["settings"]).get("frames_per_second")
        return rate

    @property
    def unit(self) -> str:
        return "seconds" if self.hz else "frames"

    @property
    def extents(self) -> NDArray[np.float64]:
        """Lengths (utterances,) of those that have any, in `unit`."""
        return self.lengths[self.lengths > 0] / (self.hz or 1.0)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """Percentage (utterances,) of valid frames; 0 for an utterance without frames."""
        return 100 * self.valid / np.maximum(1, self.lengths)

    @property
    def share(self) -> float:
        """Percentage of valid frames among all."""
        return float(100 * self.valid.sum() / max(1, self.lengths.sum()))


def measure(path: Path) -> Content:
    """Counts of one store; memory holds one utterance. UserError when it is damaged."""
    with FeatureStore(path) as store:
        valid = np.zeros(len(store.ids), np.int64)
        total, squares = np.zeros((2, store.dim))
        low, high = np.full((2, store.dim), [[np.inf], [-np.inf]], np.float32)
        for row, name in enumerate(progress(store.ids, f"show {path.name}", "utterance")):
            item = store[name]
            values = item.values[item.valid]
            valid[row] = len(values)
            low = np.minimum(low, values.min(0, initial=np.inf))
            high = np.maximum(high, values.max(0, initial=-np.inf))
            total += values.sum(0, dtype=np.float64)
            squares += np.square(values, dtype=np.float64).sum(0)
        known = dict.fromkeys(("origin", "modality", "encoder", "weights_sha256", "manifest_sha256"), "unknown")
        notes = (
            known | {"settings": "{}", "versions": "{}"} | {key: str(word) for key, word in store.attributes.items()}
        )
        count = max(1, int(valid.sum()) * store.dim)
        mean = total.sum() / count
        deviation = np.sqrt(max(0.0, squares.sum() / count - mean**2))
        lengths = np.diff(store.offsets)
        return Content(path, notes, store.problems, store.dtype, lengths, valid, low, high, mean, deviation)


def describe(content: Content) -> Iterator[str]:
    """The lines that are printed about one store."""
    notes, frames, dim = content.notes, content.lengths.sum(), len(content.low)
    settings: dict[str, Any] = json.loads(notes["settings"])
    versions: dict[str, Any] = json.loads(notes["versions"])
    usable = content.valid > 0
    constant = content.low == content.high
    yield f"{content.path}: {notes['modality']}, origin {notes['origin']}"
    if notes.get("note"):
        yield f"  note        {notes['note']}"
    yield f"  encoder     {notes['encoder']}, weights sha256 {notes['weights_sha256']}"
    yield f"  precision   {settings.pop('precision', 'unknown')}, stored as {content.dtype}"
    yield f"  settings    {_listed(settings)}"
    yield f"  versions    {_listed(versions)}"
    yield f"  manifest    sha256 {notes['manifest_sha256']}"
    yield f"  utterances  {len(usable)}, {len(content.problems)} without features"
    for reason, count in Counter(_NUMBER.sub("#", why) for why in content.problems.values()).most_common(5):
        yield f"                {count} x {reason}"
    yield f"  frames      {frames} of {dim} values, {content.path.stat().st_size / 1e6:.1f} MB"
    if frames:
        low, median, often, high = np.percentile(content.extents, (0, 50, 90, 100))
        words = f"shortest {low:.4g}, median {median:.4g}, mean {content.extents.mean():.4g}"
        yield f"  lengths     {words}, 90 % up to {often:.4g}, longest {high:.4g} {content.unit}"
    what = "with a face" if notes["modality"] == "video" else "valid"
    none = f"{(~usable).sum()} utterances ({100 * (~usable).mean():.1f} %) have none"
    yield f"  coverage    {content.share:.1f} % of frames are {what}; {none}"
    dead = f"{constant.sum()} of {dim} dimensions constant, {(constant & (content.low == 0)).sum()} of them zero"
    yield f"  values      mean {content.mean:.4g}, deviation {content.deviation:.4g}; {dead}"


def _listed(pairs: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in pairs.items() if value is not None)


def draw(contents: Sequence[Content]) -> Figure:
    """Histograms of lengths and of valid frames, a row per store."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(
        len(contents), 2, figsize=(8, 0.4 + 2.6 * len(contents)), squeeze=False, layout="constrained"
    )
    for content, (left, right) in zip(contents, panels, strict=True):
        notes = content.notes
        encoder = notes["encoder"] if len(notes["encoder"]) <= 60 else f"...{notes['encoder'][-57:]}"
        title = f"{content.path.name} ({notes['origin']}), {len(content.lengths)} utterances, {encoder}"
        left.set_title(title, fontsize=9, loc="left")
        left.set_xlabel(f"length of an utterance ({content.unit})")
        extents = content.extents if len(content.extents) else np.zeros(1)
        _histogram(left, extents, np.linspace(0, max(1.0, extents.max()), 41), "median", float(np.median(extents)))
        right.set_xlabel("frames with a face (%)" if notes["modality"] == "video" else "valid frames (%)")
        _histogram(right, content.coverage, np.linspace(0, 100, 21), "all frames", content.share)
    return figure


def _histogram(panel: Axes, values: NDArray[np.float64], edges: NDArray[np.float64], what: str, mark: float) -> None:
    panel.hist(values, edges.tolist(), color="tab:blue", edgecolor="white", linewidth=0.4)
    panel.axvline(mark, color="black", linestyle=":", linewidth=1, label=f"{what}: {mark:.3g}")
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylabel("utterances")
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=8, frameon=False, loc="best")
