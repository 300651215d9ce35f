"""Files of sound alone, as bytes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray


def tone(rate: int, hertz: float, seconds: float) -> NDArray[np.float32]:
    wave: NDArray[np.float32] = (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)).astype("f4")
    return wave


def encoded(form: str, codec: str, wave: NDArray[np.float32], rate: int, **options: str) -> bytes:
    """Bytes of a file of sound alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        _write(path, form, codec, wave, rate, options)
        return path.read_bytes()


def _write(path: Path, form: str, codec: str, wave: NDArray[np.float32], rate: int, options: dict[str, str]) -> None:
    with av.open(str(path), "w", format=form, options=options) as out:
        stream: Any = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64_000
        frames = av.AudioResampler(stream.codec_context.format, "mono", rate, stream.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = rate, 0
        for part in [*frames.resample(frame), *frames.resample(None)]:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
