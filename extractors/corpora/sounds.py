"""Whether the sound of an utterance can be used at all; all of it is read once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.corpora.levels import FULL_SCALE, Levels
from extractors.corpora.paths import one_line
from extractors.corpora.riff import STREAMED_BYTES, promised_bytes
from extractors.sound_file import FASTEST_HZ, SLOWEST_HZ, open_sound

if TYPE_CHECKING:
    import soundfile

READ_VALUES = 1 << 20
_FULL_SCALE = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 32_124 / 32_768, "ALAW": 32_256 / 32_768}
"""Largest positive value by the subtype of soundfile, where it is not that of 16 bits."""
_SHORTENED = re.compile(r"(\d+) \(should be (\d+)\)")
"""What libsndfile notes about a size in a header that the file does not have."""


@dataclass(frozen=True)
class Sound:
    """What a file has to be heard: why it cannot be used (empty if it can), its length, and what is odd about it."""

    problem: str = ""
    seconds: float = 0.0
    cut: str = ""
    """what is missing of its end, if it is cut off; what is there can be used"""
    odd: str = ""
    levels: Levels = field(default_factory=Levels, compare=False, repr=False)


def sound(path: Path) -> Sound:
    """Sound of an audio file, or of a container such as mp4 or flv."""
    import av
    import soundfile

    try:
        size = path.stat().st_size
        if size == 0:
            return Sound("empty file")
        promised, behind = promised_bytes(path, b"WAVE")
        if promised > size:
            return Sound(f"header promises {promised} bytes, the file has {size}: cut off or damaged")
        odd = f"{behind} bytes behind the sound that its header promises" if behind else ""
        file = open_sound(path)
        if file is None:
            return _decoded(path, "header promises no sound at all" if behind else "")
        with file:
            return _read(file, odd) or _decoded(path, odd)
    except (OSError, TypeError, ValueError, av.FFmpegError, soundfile.SoundFileError) as error:
        return Sound(f"unreadable ({one_line(error)})")


def _read(file: soundfile.SoundFile, odd: str) -> Sound | None:
    """Sound of a file in which soundfile can seek; None if it has not all the samples that its header promises."""
    import soundfile

    rate = file.samplerate
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        return Sound(f"unreadable (sampling rate of {rate} Hz)")
    levels = Levels(_FULL_SCALE.get(file.subtype, FULL_SCALE), file.subtype in ("FLOAT", "DOUBLE"))
    count = 0
    try:
        while len(samples := file.read(READ_VALUES // file.channels, dtype="float32", always_2d=True)):
            levels.add(count / rate, samples, rate)
            count += len(samples)
    except soundfile.SoundFileError:
        return None
    if count < file.frames:
        return None
    sizes = [(int(said), int(found)) for said, found in _SHORTENED.findall(file.extra_info)]
    lost = [
        f"header promises {said} bytes, {found} are there" for said, found in sizes if found < said < STREAMED_BYTES
    ]
    levels.close()
    return Sound(seconds=count / rate, cut=lost[-1] if lost else "", odd=odd, levels=levels)


def _decoded(path: Path, odd: str) -> Sound:
    """Sound of a file that is decoded from its beginning."""
    from extractors.sound_track import Track  # it needs this module for the list of utterances

    track = Track(path)
    levels = Levels()
    end = 0.0
    for start, first, samples, rate in track.blocks():
        if not SLOWEST_HZ <= rate <= FASTEST_HZ:
            return Sound(f"unreadable (sampling rate of {rate} Hz)")
        if not end:
            levels = Levels(unbounded=track.codec.startswith("pcm_f"))
        levels.add(start + first / rate, samples.T, rate)
        end = start + (first + samples.shape[1]) / rate
    if not end:
        return Sound("no sound can be decoded" if track.codec else "no sound track")
    levels.close()
    cut, odds = "", [odd, track.faults(), track.ending]
    if track.promised:
        lengths = f"header promises {track.promised:.3f} s, {end:.3f} s are there"
        cut, odds = (lengths, odds) if track.promised > end else ("", [*odds, f"joined files: {lengths}"])
    return Sound(seconds=end, cut=cut, odd="; ".join(text for text in odds if text), levels=levels)
