"""Whether the sound of an utterance can be used at all; all of it is read once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.corpora.levels import FULL_SCALE, Levels
from extractors.corpora.paths import one_line
from extractors.corpora.riff import STREAMED_BYTES, promised_bytes
from extractors.sound_file import FASTEST_HZ, SLOWEST_HZ, around_damage, open_sound, unmarked_end

if TYPE_CHECKING:
    import soundfile

READ_VALUES = 1 << 20
_FULL_SCALE = {"PCM_U8": 127 / 128, "PCM_S8": 127 / 128, "ULAW": 32_124 / 32_768, "ALAW": 32_256 / 32_768}
"""Largest positive value by the subtype of soundfile, where it is not that of 16 bits."""
_SHORTENED = re.compile(r"(?m)^\s*(?:data|SSND|Data Size|riff|Riff size)\s*:\s*(\d+) \(should be (\d+)\)")
"""What libsndfile notes about a size of sound data that the file does not have; of w64 and RF64 about the whole."""


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
    try:
        size = path.stat().st_size
        if size == 0:
            return Sound("empty file")
        promised, behind = promised_bytes(path)
        if promised > size:
            return Sound(f"header promises {promised} bytes, the file has {size}: cut off or damaged")
        odd = f"{behind} bytes behind the sound that its header promises" if behind else ""
        file = open_sound(path)
        if file is None:
            return _decoded(path, "header promises no sound at all" if behind else "")
        with file:
            return _read(path, file, odd) or _decoded(path, odd)
    except Exception as error:  # damaged files make decoders raise all sorts; one file costs its own rows
        return Sound(f"unreadable ({one_line(error)})")


def _read(path: Path, file: soundfile.SoundFile, odd: str) -> Sound | None:
    """Sound of a file in which soundfile can seek; None if that is not true."""
    rate, odds = file.samplerate, [odd]
    if not SLOWEST_HZ <= rate <= FASTEST_HZ:
        return Sound(f"unreadable (sampling rate of {rate} Hz)")
    form = _FULL_SCALE.get(file.subtype, FULL_SCALE), file.subtype in ("FLOAT", "DOUBLE")
    levels, count, cut = Levels(*form), file.frames, ""
    if not _all_read(file, levels):
        if file.format != "FLAC":
            return None
        levels, count = Levels(*form), 0
        for samples, whole in around_damage(path, 0, file.frames):
            levels.add(count / rate, samples, rate)
            if not whole:
                odds.append(f"damaged at {count / rate:.3f} s")
            count += len(samples)
        if count < file.frames:
            cut = f"header promises {file.frames / rate:.3f} s, {count / rate:.3f} s are there"
    for said, there in _SHORTENED.findall(file.extra_info):
        if int(there) < int(said) < STREAMED_BYTES:
            cut = f"header promises {said} bytes, {there} are there"
    if not count:
        return Sound("no sound can be decoded")
    levels.close()
    odds.append(unmarked_end(path) if file.format == "OGG" else "")
    return Sound(seconds=count / rate, cut=cut, odd=_joined(odds), levels=levels)


def _all_read(file: soundfile.SoundFile, levels: Levels) -> bool:
    """Whether all samples that the header promises can be read; what is read is added to `levels`."""
    import soundfile

    count, most = 0, READ_VALUES // file.channels
    try:
        while count < file.frames:
            samples = file.read(min(most, file.frames - count), dtype="float32", always_2d=True)
            if len(samples) < min(most, file.frames - count):
                return False
            levels.add(count / file.samplerate, samples, file.samplerate)
            count += len(samples)
    except soundfile.SoundFileError:
        return False
    return True


def _joined(odds: list[str]) -> str:
    shown = [text for text in odds if text]
    return "; ".join([*shown[:3], f"and {len(shown) - 3} more"] if len(shown) > 3 else shown)


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
    return Sound(seconds=end, cut=cut, odd=_joined(odds), levels=levels)
