"""Does the alignment of CM-ARR tell utterances apart that it was not trained on?

    python benchmarks/alignment.py --results RESULTS --corpus iemocap

For every pair of modalities, the Gaussian of an utterance in one is compared (D_2W) with those of all utterances of the
same class in the other, its own among them. Printed is the share of them that are nearer than its own, mean over
utterances, pairs and folds: 0 is perfect alignment, 0.5 is chance. Models are those of `cm_arr` with the first seed.
"""

from __future__ import annotations

import argparse
import sys
from itertools import combinations
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cmarr.blocks.wasserstein import squared_wasserstein
from cmarr.data import Dataset, labels_of, load
from cmarr.model_file import restore
from cmarr.settings import Features
from cmarr.systems.cm_arr import CmArrSystem
from cmarr.vocabulary import FULL, MODALITIES
from extractors.files import read_json, sha256


def gaussians(system: CmArrSystem, data: Dataset) -> list[tuple[Tensor, ...]]:
    """Means and deviations, each (utterances, width), per modality."""
    parts = []
    with torch.inference_mode():
        for rows in torch.arange(len(data.ids)).split(64):
            batch = data.batch(rows, FULL)
            parts.append([system.branch(m).align(batch.features[m], batch.lengths[m])[1] for m in MODALITIES])
    return [tuple(torch.cat(values) for values in zip(*found, strict=True)) for found in zip(*parts, strict=True)]


def nearer(one: tuple[Tensor, ...], other: tuple[Tensor, ...], labels: Tensor) -> float:
    """Mean share of the other utterances of a class that are nearer than an utterance's own partner."""
    distance = squared_wasserstein(one[0], one[1], other[0], other[1])
    rivals = (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool)
    shares = ((distance < distance.diagonal()[:, None]) & rivals).sum(1) / rivals.sum(1)
    return float(shares.mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--corpus", required=True)
    args = parser.parse_args()
    manifest = args.results / f"corpora/{args.corpus}/manifest.csv"
    stores = {modality: args.results / f"features/{args.corpus}/{modality}.h5" for modality in MODALITIES}
    found: dict[str, list[float]] = {"train": [], "test": []}
    for path in sorted((args.results / f"models/{args.corpus}/cm_arr").glob("fold*/seed1/model.safetensors")):
        record = read_json(path.with_name("record.json"))
        folds = read_json(args.results / f"folds/{args.corpus}/{record['protocol']}.json")["folds"]
        system, statistics = restore(path, record, torch.device("cpu"))
        assert isinstance(system, CmArrSystem)
        limits = Features.model_validate(record["features"])
        for part, shares in found.items():
            ids = folds[record["fold"]][part]
            labels = labels_of(manifest, ids)
            data = load(stores, ids, labels, record["classes"], limits, sha256(manifest), torch.device("cpu"))
            if statistics:
                data.standardize(statistics)
            every = gaussians(system.eval(), data)
            shares += [nearer(one, other, data.labels) for one, other in combinations(every, 2)]
    for part, shares in found.items():
        print(f"{part}: {mean(shares):.3f} (lowest {min(shares):.3f}, highest {max(shares):.3f})")


if __name__ == "__main__":
    main()
