"""Features of a set of utterances, resident on one device, and batches gathered by index."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cmarr.batch import Batch
from cmarr.blocks.rows import moved
from cmarr.settings import Features
from cmarr.vocabulary import MODALITIES, availability
from extractors.files import UserError, read_csv
from extractors.store import FeatureStore

Statistics = dict[str, tuple[Tensor, Tensor]]
"""modality to mean and deviation, each (dim,)"""


@dataclass
class Packed:
    """Ragged sequences of one modality, one after the other; where they lie is known on the CPU."""

    values: Tensor
    """(sum of lengths + 1, dim) float32, the last row zeros, on the device"""
    offsets: Tensor
    """(utterances + 1,) int64, on the CPU"""
    absent: Tensor
    """(utterances,) bool, on the CPU, true where a single frame of zeros stands for a modality that was not found"""

    def lengths(self, rows: Tensor) -> Tensor:
        """Number of frames of the utterances `rows` (batch,), on the CPU."""
        return self.offsets[rows + 1] - self.offsets[rows]

    def gather(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Padded sequences (batch, longest, dim), zeros past the end, and their lengths (batch,), on the device."""
        lengths = self.lengths(rows)
        steps = torch.arange(int(lengths.max()))
        places = torch.where(steps < lengths[:, None], self.offsets[rows][:, None] + steps, len(self.values) - 1)
        values = self.values.index_select(0, moved(places.flatten(), self.values.device))
        return values.unflatten(0, places.shape), moved(lengths, self.values.device)

    def averaged(self, size: int) -> Packed:
        """Means of every `size` frames, the last of a sequence being those of what is left over."""
        lengths = self.offsets.diff()
        steps = -(-lengths // size)
        counts = torch.full((int(steps.sum()),), size)
        counts[steps.cumsum(0) - 1] = lengths - size * (steps - 1)
        means = torch.segment_reduce(self.values[:-1], "mean", lengths=moved(counts, self.values.device))
        offsets = functional.pad(steps.cumsum(0), (1, 0))
        return Packed(functional.pad(means, (0, 0, 0, 1)), offsets, self.absent)


@dataclass
class Dataset:
    """Utterances with their labels and the modalities that were loaded."""

    ids: list[str]
    labels: Tensor
    """(utterances,) int64, places in `classes`"""
    packed: dict[str, Packed]
    classes: Sequence[str]

    @property
    def dims(self) -> dict[str, int]:
        return {modality: packed.values.shape[1] for modality, packed in self.packed.items()}

    def statistics(self, rows: Sequence[int], modalities: Collection[str] = MODALITIES) -> Statistics:
        """Mean and deviation per dimension over all real frames of the given utterances; a deviation of 0 becomes 1."""
        found = {}
        for modality, packed in self.packed.items():
            if modality not in modalities:
                continue
            spans = [slice(*packed.offsets[row : row + 2].tolist()) for row in rows if not packed.absent[row]]
            count = max(1, sum(span.stop - span.start for span in spans))
            zero = torch.zeros(packed.values.shape[1], dtype=torch.float64, device=packed.values.device)
            mean = sum((packed.values[span].double().sum(0) for span in spans), start=zero) / count
            squares = ((packed.values[span].double() - mean).square().sum(0) for span in spans)
            deviation = (sum(squares, start=zero) / count).sqrt()
            found[modality] = (mean.float(), torch.where(deviation > 1e-8, deviation, 1.0).float())
        return found

    def standardize(self, statistics: Statistics) -> None:
        """Take off the mean and divide by the deviation, in place; what stands for an absent modality stays zeros.

        Modalities without statistics stay as they are.
        """
        for modality, packed in self.packed.items():
            if modality not in statistics:
                continue
            mean, deviation = (tensor.to(packed.values.device) for tensor in statistics[modality])
            packed.values.sub_(mean).div_(deviation)
            packed.values[packed.offsets[:-1][packed.absent]] = 0
            packed.values[-1] = 0

    def average(self, sizes: Mapping[str, int]) -> None:
        """Replace every so many frames of a modality by their mean."""
        for modality in self.packed.keys() & {name for name, size in sizes.items() if size > 1}:
            self.packed[modality] = self.packed[modality].averaged(sizes[modality])

    def batch(self, rows: Tensor, available: Tensor | str) -> Batch:
        """A batch of the utterances `rows` (batch,), which are on the CPU as well as `available`.

        `available` is (batch, 3) for training, where all modalities stay in the batch, or a condition such as `vt`:
        then the modalities outside it are not in the batch at all.
        """
        modalities = list(self.packed)
        if isinstance(available, str):
            flags = availability(available)
            modalities = [modality for modality, flag in zip(MODALITIES, flags, strict=True) if flag]
            available = torch.tensor(flags).expand(len(rows), -1)
        parts = {modality: self.packed[modality].gather(rows) for modality in modalities}
        return Batch(
            features={modality: values for modality, (values, _) in parts.items()},
            lengths={modality: lengths for modality, (_, lengths) in parts.items()},
            available=available,
            labels=self.labels.index_select(0, moved(rows, self.labels.device)),
        )


def load(
    stores: Mapping[str, Path],
    ids: list[str],
    labels: Sequence[str],
    classes: Sequence[str],
    limits: Features,
    manifest_hash: str,
    device: torch.device,
) -> Dataset:
    """The utterances `ids` with their `labels`, each one of `classes`, from some stores (modality to file).

    Frames that are not valid are left out and sequences are cut to `limits`; an utterance of which nothing is left
    gets one frame of zeros, MMIN's convention for a clip without a face. UserError when a
    store was made from another manifest (`manifest_hash`).
    """
    longest = {"text": limits.max_tokens, "speech": limits.max_speech_frames, "video": limits.max_video_frames}
    packed = {}
    for modality, path in stores.items():
        with FeatureStore(path) as store:
            if store.attributes["manifest_sha256"] != manifest_hash:
                raise UserError(f"{path}: made from another manifest; delete it and run again")
            most = sum(max(1, min(store.length(name), longest[modality])) for name in ids)
            values = np.empty((most + 1, store.dim), np.float32)
            offsets, absent = [0], []
            for frames in store.read(ids):
                kept = frames.values if frames.valid.all() else frames.values[frames.valid]
                kept = kept[: longest[modality]]
                begin, end = offsets[-1], offsets[-1] + max(1, len(kept))
                values[begin:end] = kept if len(kept) else 0
                absent.append(not len(kept))
                offsets.append(end)
            values[offsets[-1]] = 0
        tensor = torch.from_numpy(values[: offsets[-1] + 1]).to(device)
        packed[modality] = Packed(tensor, torch.tensor(offsets), torch.tensor(absent))
    numbers = torch.tensor([classes.index(label) for label in labels], device=device)
    return Dataset(list(ids), numbers, packed, classes)


def labels_of(manifest: Path, ids: list[str]) -> list[str]:
    """Labels of the utterances, in the order of `ids`."""
    labels = {row["utterance"]: row["label"] for row in read_csv(manifest)}
    missing = next((name for name in ids if name not in labels), None)
    if missing:
        raise UserError(f"{manifest}: has no {missing}; the folds were made from another manifest, delete them")
    return [labels[name] for name in ids]
