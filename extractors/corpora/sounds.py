"""Whether the sound of an utterance can be used at all, judged from headers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from extractors.container import open_media
from extractors.corpora.paths import one_line
from extractors.corpora.riff import promised_bytes

SLOWEST_HZ, FASTEST_HZ = 1_000, 1_000_000
"""Sampling rates outside are taken for damage."""
LONGEST_SECONDS = 86_400


@dataclass(frozen=True)
class Sound:
    """What a file has to be heard: why it cannot be used (empty if it can), its length, and what is odd about it."""

    problem: str = ""
    seconds: float = 0.0
    odd: str = ""


def sound(path: Path) -> Sound:
    """Sound of an audio file, or of a container such as mp4 or flv; reads only headers."""
    import soundfile

    try:
        size = path.stat().st_size
        if size == 0:
            return Sound("empty file")
        promised, behind = promised_bytes(path, b"WAVE")
        if promised > size:
            return Sound(f"header promises {promised} bytes, the file has {size}: cut off or damaged")
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        return Sound(f"unreadable ({one_line(error)})") if path.suffix.lower() == ".wav" else _track(path)
    except (OSError, TypeError, ValueError) as error:  # headerless formats, names that are not UTF-8
        return Sound(f"unreadable ({one_line(error)})")
    if not SLOWEST_HZ <= info.samplerate <= FASTEST_HZ:
        return Sound(f"unreadable (sampling rate of {info.samplerate} Hz)")
    if info.frames > LONGEST_SECONDS * info.samplerate:  # a stream that does not say how long it is
        return _track(path)
    odd = f"{behind} bytes behind the sound that its header promises" if behind else ""
    return Sound(seconds=info.frames / info.samplerate, odd=odd)


def _track(path: Path) -> Sound:
    import av

    try:
        with open_media(path) as container:
            if not container.streams.audio:
                return Sound("no sound track")
            stream = container.streams.audio[0]
            if next(container.decode(stream), None) is None:
                return Sound("no sound can be decoded")
            if stream.duration and stream.time_base:
                return Sound(seconds=float(stream.duration * stream.time_base))
            return Sound(seconds=(container.duration or 0) / av.time_base)
    except (OSError, ValueError, av.FFmpegError) as error:
        return Sound(f"unreadable ({one_line(error)})")
