"""Verb `speech`: hidden states of a wav2vec2-family encoder, 50 rows a second for the usual convolutions."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from extractors import device, encoders, shard
from extractors.batches import averaged, batches
from extractors.console import LOG
from extractors.corpora import Utterance
from extractors.distinct import Distinct
from extractors.encoders import Batch, Encoder
from extractors.files import UserError
from extractors.logmel import Logmel
from extractors.overlap import ahead
from extractors.settings import SpeechEncoder, parse
from extractors.sound_file import SEEKABLE
from extractors.waves import RATE_HZ, Wave, read_waves

CHUNK, PART_SECONDS, AHEAD = 64, 3600.0, 16
"""Utterances of a part, or more where they share a file, their seconds, and utterances of the next part read ahead.

An hour and a base-size model are 0.65 GB. Larger parts take more, smaller ones have more padding in the batches of a
GPU, and a file that is decoded from its beginning is decoded again for each of its parts.
"""
UNKNOWN_SECONDS = 50.0
"""What an utterance without a begin and an end counts."""
CPU_SECONDS, CPU_WASTE = 4.0, 0.03
"""A CPU is quickest with batches of at most so many seconds, and so little padding."""
PACKAGES = ("torch", "torchaudio", "transformers", "soundfile", "av", "numpy")
Heard = tuple[shard.Part, str, Wave | shard.UnreadableError]


class Listener(shard.Described, Protocol):
    """What encodes waveforms."""

    @property
    def packages(self) -> Sequence[str]: ...

    @property
    def window(self) -> int: ...

    def prepare(self, wave: Wave) -> Wave: ...

    def encode(self, waves: Sequence[Wave]) -> Iterator[tuple[int, NDArray[np.float32]]]: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the speech features of one session."""
    settings = parse("encoders.speech", args.settings, SpeechEncoder)
    rows = shard.rows(args)
    place = device.start(args, settings.precision)
    encoder: Listener
    if settings.model == "logmel":
        encoders.no_weights("encoders.speech", settings)
        encoder = Logmel()
    else:
        encoder = Waveforms(encoders.load("speech", settings, args.encoders, place), settings)
    run = shard.Run(args, "speech", settings, encoder, place, encoder.packages, parts(by_file(rows)))
    for part, items in groupby(ahead(_heard(run, args.root, encoder), AHEAD), key=lambda item: item[0]):
        names, waves = [], []
        for _, name, wave in items:
            if isinstance(wave, shard.UnreadableError):
                part.fail(name, str(wave))
            else:
                names.append(name)
                waves.append(wave)
        for index, values in encoder.encode(waves):
            part.add(names[index], averaged(values, settings.average))
            waves[index] = np.zeros(0, np.float32)  # that memory is for features
        part.seal()
    run.join()
    LOG.info("peak memory %s", device.peak_memory(place))


def by_file(rows: Sequence[Utterance]) -> list[list[Utterance]]:
    """The utterances of each file that is decoded from its beginning together, at most an hour; the others alone."""
    found: dict[str, list[Utterance]] = {}
    for row in rows:
        seekable = row.audio.lower().endswith(SEEKABLE)
        found.setdefault(row.utterance if seekable else row.audio, []).append(row)
    groups: list[list[Utterance]] = []
    for group in found.values():
        if _seconds(group) > PART_SECONDS:
            group.sort(key=lambda row: row.audio_start or 0.0)
        groups += _split(([row] for row in group), len(group))
    return groups


def parts(groups: Iterable[Sequence[Utterance]]) -> list[list[Utterance]]:
    """Groups put together, in order, to parts of `CHUNK` utterances and at most `PART_SECONDS`; none is split."""
    return _split(groups, CHUNK)


def _split(groups: Iterable[Sequence[Utterance]], least: int) -> list[list[Utterance]]:
    found: list[list[Utterance]] = []
    seconds = 0.0
    for group in groups:
        more = _seconds(group)
        if not found or len(found[-1]) >= least or seconds + more > PART_SECONDS:
            found.append([])
            seconds = 0.0
        found[-1].extend(group)
        seconds += more
    return found


def _seconds(rows: Iterable[Utterance]) -> float:
    return sum(UNKNOWN_SECONDS if row.audio_end is None else row.audio_end - (row.audio_start or 0.0) for row in rows)


def _heard(run: shard.Run, root: Path, encoder: Listener) -> Iterator[Heard]:
    """Utterances of the parts to do, each with its waveform as the encoder wants it."""
    for part in run.pending():
        for row, wave in read_waves(root, part.rows):
            if isinstance(wave, shard.UnreadableError):
                yield part, row.utterance, wave
                continue
            if len(wave) < encoder.window:
                LOG.info("%s: %d samples, filled with zeros to %d", row.utterance, len(wave), encoder.window)
            yield part, row.utterance, encoder.prepare(wave)


class Waveforms:
    """A pretrained encoder of waveforms, each (frames, dim), in padded batches of at most `batch_seconds`.

    Frames = floor((samples - 400) / 320) + 1 for the usual convolutions.
    """

    packages = PACKAGES

    def __init__(self, encoder: Encoder, settings: SpeechEncoder) -> None:
        config = encoder.model.config
        what = f"encoders.speech.model: {encoder.name}"
        if not hasattr(config, "conv_kernel"):
            raise UserError(f"{what} ({config.model_type}) reads no waveforms; give another encoder")
        if encoder.processor.sampling_rate != RATE_HZ:
            raise UserError(f"{what} reads {encoder.processor.sampling_rate} Hz, not {RATE_HZ}; give another encoder")
        from extractors import padding

        self.name, self.dim, self.weights_sha256 = encoder.name, encoder.dim, encoder.weights_sha256
        self.window, self._hop = padding.geometry(config)
        self._encoder, self._distinct = encoder, Distinct(what)
        seconds, waste = settings.batch_seconds, 1.0
        if encoder.device.type == "cpu":
            seconds, waste = min(seconds, CPU_SECONDS), CPU_WASTE
        self._exact = config.model_type in padding.EXACT and not getattr(config, "add_adapter", False)
        if self._exact:
            padding.make_exact(encoder.model)
        self._samples, self._waste = seconds * RATE_HZ, waste if self._exact else 0.0

    def prepare(self, wave: Wave) -> Wave:
        """The waveform, normalised alone if the checkpoint says so, then filled with zeros if shorter than a frame."""
        values: Wave = self._encoder.processor(wave, sampling_rate=RATE_HZ, return_tensors="np")["input_values"][0]
        return np.pad(values, (0, max(self.window - len(values), 0)))

    def encode(self, waves: Sequence[Wave]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Pairs of an index into the prepared `waves` and its features, longest waveforms first.

        UserError when features do not depend on sounds.
        """
        lengths = [len(wave) for wave in waves]
        found = batches(lengths, self._samples, self._waste)
        for batch, hidden in self._encoder.encode(_inputs(waves, batch) for batch in found):
            for row, index in enumerate(batch):
                frames = (lengths[index] - self.window) // self._hop + 1 if self._exact else hidden.shape[1]
                if np.ptp(waves[index]):
                    known = hashlib.sha256(waves[index][::16].tobytes()).digest()
                    self._distinct.add(known, hidden[row, :frames])
                yield index, hidden[row, :frames].copy()
        self._distinct.check()


def _inputs(waves: Sequence[Wave], batch: list[int]) -> Batch:
    import torch

    rows = [torch.from_numpy(waves[index]) for index in batch]
    pad = torch.nn.utils.rnn.pad_sequence
    inputs = {"input_values": pad(rows, True)}
    if any(len(row) < len(rows[0]) for row in rows):
        inputs["attention_mask"] = pad([torch.ones(len(row), dtype=torch.long) for row in rows], True)
    return batch, inputs
