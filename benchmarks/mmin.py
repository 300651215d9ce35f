"""How long the MMIN family trains for one fold on this machine: every stage, with the predictions that choose epochs.

    python benchmarks/mmin.py                        # all epochs of `mmin`; ten minutes on two cores
    python benchmarks/mmin.py --system if_mmin --epochs 2    # two epochs of each stage, and what all would take

Features are random with the widths of the common encoders (text 768, speech 768, video 342) and lengths like those of
IEMOCAP: 5 to 40 word pieces, 4.5 s of speech on average, at most 50 faces. 4,446 utterances train, 557 are judged
under all conditions after each epoch, which are the first fold by speakers.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cmarr.choice import Choice
from cmarr.config import kind_of
from cmarr.data import Dataset, Packed
from cmarr.engine import Task, fit
from cmarr.runtime import start_torch
from cmarr.seeds import derive
from cmarr.settings import merged
from cmarr.systems import build
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CLASSES
from extractors.device import add_arguments as add_device_arguments

SYSTEMS = ("mmin", "if_mmin", "cif_mmin", "cra")
TRAININGS = ("teacher", "training", "imputation")
DIMS = {"text": 768, "speech": 768, "video": 342}
SHAPE = 3.0
LENGTHS = {"text": (5, 16, 40), "speech": (25, 225, 499), "video": (3, 45, 50)}
"""least, mean before clipping, and most; the lengths have a gamma distribution"""


def dataset(utterances: int, device: torch.device) -> Dataset:
    """Random features in which the label is faintly visible."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(len(CLASSES), (utterances,), generator=generator)
    seconds = torch.distributions.Gamma(torch.tensor(SHAPE), torch.tensor(SHAPE)).sample((utterances,))
    packed = {}
    for modality, dim in DIMS.items():
        least, mean, most = LENGTHS[modality]
        lengths = (mean * seconds).round().clamp(least, most).long()
        values = torch.randn(int(lengths.sum()) + 1, dim, generator=generator)
        values[:-1] += 0.1 * torch.randn(len(CLASSES), dim, generator=generator)[labels].repeat_interleave(lengths, 0)
        values[-1] = 0
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        packed[modality] = Packed(values.to(device), offsets, torch.zeros(utterances, dtype=torch.bool))
        print(f"{modality}: {dim} wide, {lengths.float().mean():.1f} frames on average, at most {lengths.max()}")
    return Dataset([f"u{row:04d}" for row in range(utterances)], labels.to(device), packed, CLASSES)


class Clock(TrainingState):
    """A state that knows when the epochs of each stage ended."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "state")
        self.ends: dict[str, list[float]] = {}
        self.begin = time.perf_counter()

    def save(self, tensors: dict[str, Tensor], content: dict[str, Any]) -> None:
        super().save(tensors, content)
        self.ends.setdefault(content["history"][-1]["stage"], []).append(time.perf_counter())

    def report(self, epochs: list[int]) -> float:
        """Print the mean time of an epoch; seconds of all `epochs` of each stage."""
        before, total = self.begin, 0.0
        for (stage, ends), published in zip(self.ends.items(), epochs, strict=True):
            each, before = (ends[-1] - before) / len(ends), ends[-1]
            print(f"{stage}: {each:.2f} s an epoch, of {published}", flush=True)
            total += published * each
        return total


def seeds(purpose: str, epoch: int) -> int:
    return derive("benchmark", purpose, epoch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--system", choices=SYSTEMS, default="mmin")
    parser.add_argument("--settings", default="{}", help="of the system, JSON")
    parser.add_argument("--epochs", type=int, help="of each stage; the time of all is extrapolated")
    parser.add_argument("--train", type=int, default=4446, help="utterances")
    parser.add_argument("--judged", type=int, default=557, help="utterances")
    add_device_arguments(parser)
    parser.set_defaults(threads=2)
    args = parser.parse_args()
    device = start_torch(args)
    torch.manual_seed(0)
    settings = kind_of(args.system).model_validate_json(args.settings).resolved("iemocap")
    stages = build(args.system, settings, DIMS, len(CLASSES)).stages()
    published = [stage.training.epochs for stage in stages]
    if args.epochs:
        fewer = {name: {"epochs": args.epochs} for name in TRAININGS if name in type(settings).model_fields}
        settings = type(settings).model_validate(merged(settings.model_dump(), fewer))
    data = dataset(args.train + args.judged, device)
    data.standardize(data.statistics(range(args.train)))
    system = build(args.system, settings, DIMS, len(CLASSES)).to(device)
    data.average(system.averaged)
    train, judged = torch.arange(args.train + args.judged).split([args.train, args.judged])
    with TemporaryDirectory() as folder:
        clock = Clock(Path(folder))
        fit(system, Task(data, train, judged, Choice("validation", "mean_uar"), seeds, clock))
    print(f"{args.system}: {clock.report(published):.0f} s a fold on {device}, {args.threads} threads")


if __name__ == "__main__":
    main()
