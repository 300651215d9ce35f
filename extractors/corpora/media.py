"""Whether the media of an utterance can be used at all, judged from headers and the first picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SLOWEST_HZ, FASTEST_HZ = 1_000, 1_000_000
"""Sampling rates outside are taken for damage."""
STREAMED_BYTES = 0x7FFFF000
"""From this size on, programs that write a wav to a pipe mean "until the end of the file"."""
LONGEST_SECONDS = 86_400


@dataclass(frozen=True)
class Sound:
    """What a file has to be heard: why it cannot be used (empty if it can), its length, and what is odd about it."""

    problem: str = ""
    seconds: float = 0.0
    odd: str = ""


@dataclass(frozen=True)
class Film:
    """What a file has to be seen: why it cannot be used (empty if it can), and how far it goes."""

    problem: str = ""
    breaks_off: float | None = None
    """time of the last picture in seconds, when the file is cut off before its promised end"""
    promised: float = 0.0
    """length in seconds by the header, 0 if it does not say"""
    silent: bool = False
    """there is no sound track"""


def sound(path: Path) -> Sound:
    """Sound of an audio file, or of a container such as mp4 or flv; reads only headers."""
    import soundfile

    try:
        size = path.stat().st_size
        if size == 0:
            return Sound("empty file")
        promised, behind = _promised_bytes(path, b"WAVE")
        if promised > size:
            return Sound(f"header promises {promised} bytes, the file has {size}: cut off or damaged")
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        return Sound(f"unreadable ({_one_line(error)})") if path.suffix.lower() == ".wav" else _track(path)
    except (OSError, TypeError, ValueError) as error:  # headerless formats, names that are not UTF-8
        return Sound(f"unreadable ({_one_line(error)})")
    if not SLOWEST_HZ <= info.samplerate <= FASTEST_HZ:
        return Sound(f"unreadable (sampling rate of {info.samplerate} Hz)")
    if info.frames > LONGEST_SECONDS * info.samplerate:  # a stream that does not say how long it is
        return _track(path)
    odd = f"{behind} bytes behind the sound that its header promises" if behind else ""
    return Sound(seconds=info.frames / info.samplerate, odd=odd)


def _track(path: Path) -> Sound:
    import av

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                return Sound("no sound track")
            stream = container.streams.audio[0]
            if next(container.decode(stream), None) is None:
                return Sound("no sound can be decoded")
            if stream.duration and stream.time_base:
                return Sound(seconds=float(stream.duration * stream.time_base))
            return Sound(seconds=(container.duration or 0) / av.time_base)
    except (OSError, ValueError, av.FFmpegError) as error:
        return Sound(f"unreadable ({_one_line(error)})")


def film(path: Path) -> Film:
    """Pictures of a video file; decodes the first one, and all of an avi that is shorter than its header says."""
    import av

    try:
        size = path.stat().st_size
        if size == 0:
            return Film("empty file")
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.video:
                return Film("no video stream")
            stream = container.streams.video[0]
            first = next(container.decode(stream), None)
            if first is None:
                return Film("no picture can be decoded")
            # The duration of a cut file is guessed from its size; the number of pictures is as the header has it.
            counted = float(stream.frames / stream.average_rate) if stream.average_rate else 0.0
            promised = counted or (container.duration or 0) / av.time_base
            silent = not container.streams.audio
            if not counted or _promised_bytes(path, b"AVI ")[0] <= size:
                return Film(promised=promised, silent=silent)
            last = float(first.time or 0.0)
            try:
                for picture in container.decode(stream):
                    last = float(picture.time or last)
            except av.FFmpegError:
                pass
            whole = last > promised - 2 / float(stream.average_rate or 1)
            return Film(breaks_off=None if whole else last, promised=promised, silent=silent)
    except (OSError, ValueError, av.FFmpegError) as error:
        return Film(f"unreadable ({_one_line(error)})")


def _promised_bytes(path: Path, form: bytes) -> tuple[int, int]:
    """Size that a RIFF file of the given form must have, by its sound data (WAVE) or its first chunk; 0 for others.

    And the number of bytes behind the sound data that are no chunk of their own. The library cannot be asked: it
    shortens a header that claims too much without telling, and skips what lies behind.
    """
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != form:
            return 0, 0
        if form != b"WAVE":
            return 8 + int.from_bytes(head[4:8], "little"), 0
        end, file_end = 0, path.stat().st_size
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if end and not head[:4].strip().isalnum():
                return end, file_end - stream.tell() + 8
            if head[:4] == b"data":
                if size >= STREAMED_BYTES:
                    return 0, 0
                end = stream.tell() + size
            stream.seek(size + size % 2, 1)
        return end, 0


def _one_line(error: Exception) -> str:
    """What went wrong without the path, which would differ between machines."""
    return (getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)).strip()
