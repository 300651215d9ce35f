"""Media files as FFmpeg opens them: only formats that hold sound or pictures themselves, only from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

FORMATS = (
    "aac", "ac3", "aiff", "amr", "amrnb", "amrwb", "ape", "asf", "au", "avi", "caf", "dts", "dv", "eac3", "flac", "flv",
    "gxf", "h264", "hevc", "ivf", "m4v", "matroska", "mjpeg", "mov", "mp3", "mpeg", "mpegts", "mpegvideo", "mxf",
    "nistsphere", "nut", "obu", "ogg", "rm", "swf", "tta", "voc", "w64", "wav", "wv",
)  # fmt: skip
"""Names of demuxers; none of them follows a file that another one names, as playlists and scripts do."""


def open_media(path: Path) -> InputContainer:
    """The container, to be used in a `with` block; an error of PyAV or OSError when it is none of `FORMATS`.

    Titles and such need not be UTF-8.
    """
    import av

    allowed = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "file"}
    return av.open(str(path), metadata_errors="ignore", container_options=allowed)


def begin(container: InputContainer) -> float:
    """Time stamp in seconds that is 0 on the clock of the file, for its sound as for its pictures; mpg has 0.5, say."""
    import av

    return (container.start_time or 0) / av.time_base


def film_stream(container: InputContainer) -> VideoStream | None:
    """The first track of pictures that is no cover of a recording."""
    from av.stream import Disposition

    films = (stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic)
    return next(films, None)
