"""How many faces a second Denseface describes: the plain module against `extractors.denseface.inference`.

    python benchmarks/denseface.py --threads 2

Both take turns on the same made-up faces in float32; the medians are compared, and the features with those of the plain
module. Run it on a machine that does nothing else.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from extractors.denseface.inference import Features
from extractors.denseface.network import load

ALONE = 4
"""Faces that are also described one by one."""


def seconds(describe: Callable[[Tensor], Tensor], faces: Tensor) -> float:
    """Time of one batch."""
    begin = time.perf_counter()
    describe(faces)
    return time.perf_counter() - begin


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, help="file of `denseface train` (default: the shipped weights)")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15, help="timed batches of each")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network, name = load(args.weights)
    fast = Features(network)
    faces = torch.randn(args.batch, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    expected, found = network.features(faces), fast(faces)  # also warms both up
    alone = torch.cat([fast(face[None]) for face in faces[:ALONE]])
    pairs = [(seconds(network.features, faces), seconds(fast, faces)) for _ in range(args.repeats)]
    slow, quick = (args.batch / median(column) for column in zip(*pairs, strict=True))
    print(f"weights {name}, torch {torch.__version__}, {args.threads} threads, batch {args.batch}")
    print(f"plain module {slow:.1f} faces/s, inference {quick:.1f} faces/s: {quick / slow:.2f} times")
    for words, other in (("from the plain module", expected), ("of a face alone from the same in the batch", alone)):
        apart = found[: len(other)] - other
        largest = apart.abs().max() / other.abs().max()
        norms = (apart.norm(dim=1) / other.norm(dim=1)).max()
        print(f"difference {words}: {largest:.1e} of the largest value, {norms:.1e} of the worst face's norm")


if __name__ == "__main__":
    main()
