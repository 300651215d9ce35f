"""Verb `speech`: last hidden states of a wav2vec2-family encoder, 50 rows a second for the usual convolutions."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from extractors import device, shard
from extractors.console import LOG, progress
from extractors.corpora.media import FASTEST_HZ, LONGEST_SECONDS, SLOWEST_HZ
from extractors.encoders import Encoder, load
from extractors.settings import SpeechEncoder, parse

RATE_HZ = 16_000
LARGEST_FILTER = 200_000_000
"""Values of the filter from one rate to the other: 70,560 from 44.1 kHz, 89 million (0.7 GB) from 22,254 Hz."""
PACKAGES = ("torch", "torchaudio", "transformers", "soundfile", "av", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the speech features of one session."""
    settings = parse("encoders.speech", args.settings, SpeechEncoder)
    rows = shard.rows(args)
    encoder = load("speech", settings.model, settings.revision, device.start(args))
    out = shard.Shard("speech", encoder.model.config.hidden_size)
    for row in progress(rows, "speech", "utterance"):
        try:
            wave = read_wave(shard.media(args.root, row.audio), row.audio_start, row.audio_end)
        except shard.UnreadableError as error:
            out.fail(row.utterance, str(error))
            continue
        if len(wave) < (window := geometry(encoder.model.config)[0]):
            LOG.info("%s: %d samples, filled with zeros to %d", row.utterance, len(wave), window)
        out.add(row.utterance, encode(wave, encoder))
    names = [row.utterance for row in rows]
    out.write(args, names, settings, encoder.name, encoder.weights_sha256, PACKAGES)


def read_wave(path: Path, start: float | None, end: float | None) -> NDArray[np.float32]:
    """Mono samples at 16 kHz between two times in seconds (None: the file's ends); channels are averaged.

    The file is anything that soundfile reads, or a video with a sound track. UnreadableError says why there are none.
    """
    import torch
    from torchaudio.functional import resample

    samples, rate = _samples(path, start, end)
    common = math.gcd(rate, RATE_HZ)
    if not SLOWEST_HZ <= rate <= FASTEST_HZ or rate // common * (RATE_HZ // common) > LARGEST_FILTER:
        raise shard.UnreadableError(f"{path.name} has a sampling rate of {rate} Hz")
    if not len(samples):
        raise shard.UnreadableError(f"{path.name} has no samples in the utterance's time span")
    if not np.isfinite(samples).all():
        raise shard.UnreadableError(f"{path.name} has samples that are not finite")
    mono: NDArray[np.float32] = samples.mean(axis=1)
    if rate == RATE_HZ:
        return mono
    resampled: NDArray[np.float32] = resample(torch.from_numpy(mono), rate, RATE_HZ).numpy()
    return resampled


def _samples(path: Path, start: float | None, end: float | None) -> tuple[NDArray[np.float32], int]:
    """Samples (time, channels) and their rate in hertz."""
    import soundfile

    try:
        with soundfile.SoundFile(os.fsencode(path)) as file:  # a str has to be UTF-8
            # More is damage, or a stream of unknown length: libsndfile then says 2**63 - 1.
            if file.frames <= LONGEST_SECONDS * file.samplerate:
                first = round((start or 0.0) * file.samplerate)
                last = file.frames if end is None else min(round(end * file.samplerate), file.frames)
                file.seek(min(first, file.frames))
                return file.read(max(last - first, 0), dtype="float32", always_2d=True), file.samplerate
    except TypeError as error:
        raise shard.UnreadableError(f"{path.name} cannot be read (no header says its sampling rate)") from error
    except soundfile.SoundFileError as error:
        if path.suffix.lower() == ".wav":
            reason = getattr(error, "error_string", error)  # the error itself has the whole path
            raise shard.UnreadableError(f"{path.name} cannot be read ({reason})") from error
    from extractors.sound_track import read_track

    return read_track(path, start, end)


def geometry(config: Any) -> tuple[int, int]:
    """Samples that one frame sees and samples between frames: 400 and 320 for wav2vec2."""
    window, hop = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        window += (kernel - 1) * hop
        hop *= stride
    return window, hop


def encode(wave: NDArray[np.float32], encoder: Encoder) -> NDArray[np.float32]:
    """Features (frames, dim) of one waveform at 16 kHz, frames = floor((samples - 400) / 320) + 1.

    The waveform goes through alone: the first group norm of wav2vec2-base averages over time, so that padding to a
    common length would change every frame. The encoder's own feature extractor normalises it if the checkpoint says
    so; a waveform shorter than one frame is filled with zeros after that.
    """
    import torch

    values = encoder.processor(wave, sampling_rate=RATE_HZ, return_tensors="pt")["input_values"]  # (1, samples)
    missing = geometry(encoder.model.config)[0] - values.shape[1]
    if missing > 0:
        values = torch.nn.functional.pad(values, (0, missing))
    with torch.inference_mode():
        hidden = encoder.model(values.to(encoder.device)).last_hidden_state
    features: NDArray[np.float32] = hidden[0].cpu().numpy()
    return features
