from __future__ import annotations

from pathlib import Path

import av
import numpy as np


def clip(path: Path, seconds: float, sound_track: bool) -> None:
    """25 pictures a second, with or without a tone."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track = out.add_stream("pcm_s16le", rate=16_000, layout="mono") if sound_track else None
        rng = np.random.default_rng(0)
        for number in range(int(25 * seconds)):
            picture = rng.integers(0, 256, (48, 64, 3), np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            if track:
                block = av.AudioFrame.from_ndarray(np.full((1, 640), 99, np.int16), format="s16", layout="mono")
                block.sample_rate, block.pts = 16_000, 640 * number
                out.mux(track.encode(block))
        for last in (stream, track) if track else (stream,):
            out.mux(last.encode(None))
