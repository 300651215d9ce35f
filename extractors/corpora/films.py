"""Whether the pictures of an utterance can be used at all, judged from headers and the first picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from extractors.container import open_media
from extractors.corpora.paths import one_line
from extractors.corpora.riff import promised_bytes


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


def film(path: Path) -> Film:
    """Pictures of a video file; decodes the first one, and all of an avi that is shorter than its header says."""
    import av

    try:
        size = path.stat().st_size
        if size == 0:
            return Film("empty file")
        with open_media(path) as container:
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
            if not counted or promised_bytes(path, b"AVI ")[0] <= size:
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
        return Film(f"unreadable ({one_line(error)})")
