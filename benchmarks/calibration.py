"""How often the bootstrap of `significance` finds a difference where there is none, on data made up for it.

    python benchmarks/calibration.py                 # ten minutes; prints the table of docs/statistics.md
    python benchmarks/calibration.py --worlds 4      # quicker and coarser

A world has the geometry of IEMOCAP: folds of two speakers and some dialogues of unequal length, in which labels follow
each other. In every world many pairs of equally good systems are compared, whose true difference varies over dialogues
(or speakers) about nought. What is printed is the share of pairs with p < 0.05, of 95 % intervals that hold the
difference of the population, and the mean width of these intervals.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cmarr.bootstrap import Floats, Fold, compared, holm, limits, two_sided

UNITS = ("dialogue", "speaker", "utterance")
CLASSES = 4
METRICS = ("war", "uar")
CASES = ((0, 0, 0), (10, 0, 0), (15, 0, 0), (15, 0, 4), (0, 3, 0), (10, 3, 0))
"""deviations of the true difference over dialogues and over speakers, and its mean, in points"""


@dataclass(frozen=True)
class World:
    """Dialogues and speakers of every utterance of every fold, the differences to draw from, in points."""

    folds: int = 5
    dialogues: int = 30
    length: int = 37
    over_dialogues: float = 0
    """standard deviation of the true difference over dialogues"""
    over_speakers: float = 0
    mean: float = 0
    """true difference of the population"""

    def draw(self, pairs: int, rng: np.random.Generator) -> list[dict[str, Fold]]:
        """Per fold what each unit makes of it, with a column of differences per pair of systems."""
        return [self._fold(number, pairs, rng) for number in range(self.folds)]

    def _fold(self, number: int, pairs: int, rng: np.random.Generator) -> dict[str, Fold]:
        sizes = np.maximum(2, rng.lognormal(np.log(self.length) - 0.08, 0.4, self.dialogues)).astype(int)
        dialogues = np.repeat(np.arange(self.dialogues), sizes)
        labels = np.concatenate(
            [rng.choice(CLASSES, size, p=rng.dirichlet([1.0] * CLASSES)) for size in sizes]
        )  # fmt: skip
        speakers = rng.integers(2, size=len(labels))
        about = self.mean + rng.normal(0, self.over_dialogues, (self.dialogues, pairs))[dialogues]
        about += rng.normal(0, self.over_speakers, (2, pairs))[speakers]
        base = 0.6 + 0.04 * labels[:, None]
        ours, theirs = (rng.random(about.shape) < base + side * about / 200 for side in (1, -1))
        right = ours.astype(np.float64) - theirs
        names: dict[str, NDArray[np.int64]] = {
            "dialogue": dialogues, "speaker": speakers, "utterance": np.arange(len(labels))
        }  # fmt: skip
        return {unit: Fold(right, labels, [f"{number}-{place}" for place in own]) for unit, own in names.items()}


@dataclass(frozen=True)
class Result:
    """Per metric (2,): shares of pairs in percent, and points."""

    found: Floats
    covered: Floats
    width: Floats


def measured(world: World, unit: str, worlds: int, pairs: int, draws: int, seed: int = 1, rivals: int = 1) -> Result:
    """What the bootstrap over a kind of unit finds in `worlds` times `pairs` comparisons.

    Of several `rivals` (which divide the pairs), the share is that of families of so many comparisons in which at least
    one is found after Holm's correction.
    """
    found, covered, widths = [], [], []
    for number in range(worlds):
        rng = np.random.default_rng([seed, number])
        folds = [fold[unit] for fold in world.draw(pairs, rng)]
        _, resamples = compared(folds, draws, rng)
        low, high = (np.stack(side) for side in zip(*map(limits, resamples), strict=True))
        families = [np.split(two_sided(each), pairs // rivals) for each in resamples]
        found.append(np.array([[holm(p).min() < 0.05 for p in each] for each in families]))
        covered.append((low <= world.mean) & (world.mean <= high))
        widths.append(high - low)
    shares = (100 * np.concatenate(each, axis=1).mean(axis=1) for each in (found, covered))
    return Result(*shares, np.concatenate(widths, axis=1).mean(axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=100, help="of systems in every world")
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--dialogues", type=int, default=30, help="of every fold")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--units", nargs="+", choices=UNITS, default=UNITS)
    parser.add_argument("--rivals", type=int, default=1, help="comparisons of a family, of which Holm's errors count")
    args = parser.parse_args()
    head = ("drawn", "over dialogues", "over speakers", "truth", "p < 0.05 (%)", "covered (%)", "width")
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for unit in args.units:
        for case in CASES:
            world = World(args.folds, args.dialogues, 37, *case)
            result = measured(world, unit, args.worlds, args.pairs, args.draws, rivals=args.rivals)
            pairs = (f"{war:.1f} / {uar:.1f}" for war, uar in (result.found, result.covered, result.width))
            cells = [unit, *(f"{number:g}" for number in case), *pairs]
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
