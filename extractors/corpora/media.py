"""Whether the media of an utterance can be used at all, judged from headers and the first picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from extractors.files import inside


@dataclass(frozen=True)
class Sound:
    """What a file has to be heard: why it cannot be used (empty if it can), and its length."""

    problem: str = ""
    seconds: float = 0.0


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


def missing(root: Path, path: Path) -> str:
    """Why `path` is not a file below `root`, or an empty string; it may be a link as long as it stays there."""
    try:
        if not path.is_file():
            return "missing"
        inside(root, path.relative_to(root))
    except OSError as error:
        return f"unreadable ({_one_line(error)})"
    except ValueError:
        return "a link that leaves the corpus folder"
    return ""


def sound(path: Path) -> Sound:
    """Sound of an audio file, or of a container such as mp4 or flv; reads only headers."""
    import soundfile

    try:
        size = path.stat().st_size
        if size == 0:
            return Sound("empty file")
        promised = _promised_bytes(path, b"WAVE")
        if promised > size:
            return Sound(f"header promises {promised} bytes, the file has {size}: cut off or damaged")
        info = soundfile.info(str(path))
    except soundfile.SoundFileError as error:
        return Sound(f"unreadable ({_one_line(error)})") if path.suffix.lower() == ".wav" else _track(path)
    except OSError as error:
        return Sound(f"unreadable ({_one_line(error)})")
    return Sound(seconds=info.frames / info.samplerate)


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
    """Pictures of a video file; decodes the first one, and all of a file that is shorter than its header says."""
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
            promised = float(stream.frames / stream.average_rate) if stream.average_rate else 0.0
            silent = not container.streams.audio
            if _promised_bytes(path, b"AVI ") <= size:
                return Film(promised=promised, silent=silent)
            last = float(first.time or 0.0)
            try:
                for picture in container.decode(stream):
                    last = float(picture.time or last)
            except av.FFmpegError:
                pass
            whole = promised and last > promised - 2 / float(stream.average_rate or 1)
            return Film(breaks_off=None if whole else last, promised=promised, silent=silent)
    except (OSError, ValueError, av.FFmpegError) as error:
        return Film(f"unreadable ({_one_line(error)})")


def _promised_bytes(path: Path, form: bytes) -> int:
    """Size that a RIFF file of the given form must have, by its sound data (WAVE) or its first chunk; 0 for others.

    The library cannot be asked: it shortens a header that claims too much without telling.
    """
    with path.open("rb") as stream:
        head = stream.read(12)
        if head[:4] != b"RIFF" or head[8:] != form:
            return 0
        if form != b"WAVE":
            return 8 + int.from_bytes(head[4:8], "little")
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return stream.tell() + size
            stream.seek(size + size % 2, 1)
    return 0


def _one_line(error: Exception) -> str:
    """What went wrong without the path, which would differ between machines."""
    return (getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)).strip()
