"""Whether the media of an utterance can be used at all, judged from headers and the first picture."""

from __future__ import annotations

from pathlib import Path

from extractors.files import inside

SHORTEST_SECONDS = 0.025
"""Receptive field of the speech encoders' convolutions."""


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


def wav_problem(path: Path) -> str:
    """Why a wav file cannot be used, or an empty string; reads only headers."""
    import soundfile

    try:
        size = path.stat().st_size
        if size == 0:
            return "empty file"
        promised = _promised_bytes(path)
        if promised > size:
            return f"header promises {promised} bytes, the file has {size}: cut off or damaged"
        info = soundfile.info(str(path))
    except (OSError, soundfile.SoundFileError) as error:
        return f"unreadable ({_one_line(error)})"
    if info.frames < SHORTEST_SECONDS * info.samplerate:
        return f"{1000 * info.frames / info.samplerate:.1f} ms long, at least {1000 * SHORTEST_SECONDS:.0f} are needed"
    return ""


def _promised_bytes(path: Path) -> int:
    """Size that a RIFF file must have to hold its sound data; 0 for other formats.

    The library cannot be asked: it shortens a header that claims too much without telling.
    """
    with path.open("rb") as stream:
        if stream.read(12)[:4] != b"RIFF":
            return 0
        while len(head := stream.read(8)) == 8:
            size = int.from_bytes(head[4:], "little")
            if head[:4] == b"data":
                return stream.tell() + size
            stream.seek(size + size % 2, 1)
    return 0


def video_problem(path: Path) -> str:
    """Why a video file cannot be used, or an empty string; decodes one picture.

    A file that breaks off later passes: what it still shows is found out when its frames are read.
    """
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                return "no video stream"
            if next(container.decode(video=0), None) is None:
                return "no picture can be decoded"
    except (OSError, ValueError, av.FFmpegError) as error:
        return f"unreadable ({_one_line(error)})"
    return ""


def _one_line(error: Exception) -> str:
    """What went wrong without the path, which would differ between machines."""
    return (getattr(error, "strerror", None) or getattr(error, "error_string", None) or str(error)).strip()
