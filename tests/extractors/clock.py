"""Films whose pictures tell the time and whose sound is a chirp, in every container that is supported."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from extractors.waves import RATE_HZ

CODECS = {
    "mp4": ("libx264", "aac"),
    "mov": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "webm": ("libvpx", "libopus"),
    "avi": ("mpeg4", "libmp3lame"),
    "flv": ("flv", "libmp3lame"),
    "mpg": ("mpeg1video", "mp2"),
    "ts": ("libx264", "aac"),
    "wmv": ("wmv2", "wmav2"),
    "ogv": ("libvpx", "libopus"),
    "3gp": ("h263", "aac"),
}
"""Encoders of pictures and sound by the ending of a file's name; PyAV has none of Theora."""
WIDTH, HEIGHT = 176, 144  # a size that H.263 has
BITS = 8
SOUND_HZ = 48_000
LOWEST_HZ, RISE_HZ = 300.0, 700.0
"""The chirp has LOWEST_HZ at 0 s and rises by RISE_HZ each second."""


def clock(number: int) -> NDArray[np.uint8]:
    """RGB (144, 176, 3): `number` in eight black or white bars."""
    bits = [number >> bit & 1 for bit in range(BITS)]
    bars = np.repeat(np.array(bits, np.uint8) * 200 + 28, WIDTH // BITS)
    return np.broadcast_to(bars[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def told(image: NDArray[np.uint8]) -> int:
    """The number that a picture of `clock` shows, whatever its size."""
    columns = image.mean((0, 2)).reshape(-1) if image.shape[1] % BITS == 0 else np.resize(image.mean((0, 2)), WIDTH)
    bars = columns.reshape(BITS, -1)
    width = bars.shape[1]
    return sum(int(bar[width // 4 : -(width // 4)].mean() > 128) << bit for bit, bar in enumerate(bars))


def chirp(start: float, seconds: float, rate: int = RATE_HZ) -> NDArray[np.float32]:
    """Samples of the chirp from `start` on."""
    time = start + np.arange(round(seconds * rate)) / rate
    wave: NDArray[np.float32] = (0.5 * np.sin(2 * np.pi * (LOWEST_HZ + RISE_HZ / 2 * time) * time)).astype(np.float32)
    return wave


def heard_at(wave: NDArray[np.float32], place: float, truth: float, seconds: float = 0.3) -> float:
    """Seconds by which the chirp of `truth` is late at `place` of a wave of 16 kHz; looks 0.15 s to each side."""
    side = round(0.15 * RATE_HZ)
    template = chirp(truth, seconds)
    begin = round(place * RATE_HZ) - side
    part = wave[begin : begin + len(template) + 2 * side]
    return (int(np.argmax(np.correlate(part, template, "valid"))) - side) / RATE_HZ


def write_film(
    path: Path,
    seconds: float = 4.0,
    rate: int | Fraction = 25,
    pts: list[int] | None = None,
    sound_from: float | None = 0.0,
    options: dict[str, str] | None = None,
) -> None:
    """A film in which picture k shows k modulo 256 from (pts[k] or k) / rate on, and the chirp from `sound_from` on.

    Without `sound_from` there is no sound track. `options` are those of the encoder of pictures.
    """
    picture_codec, sound_codec = CODECS[path.suffix[1:]]
    stamps = list(range(round(seconds * rate))) if pts is None else pts
    with av.open(str(path), "w") as out:
        pictures = out.add_stream(picture_codec, rate=rate, options=options or {})
        pictures.width, pictures.height, pictures.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        pictures.bit_rate = 1_000_000
        pictures.codec_context.time_base = Fraction(1, rate)
        packets = []
        if sound_from is not None:
            sound = out.add_stream(sound_codec, rate=SOUND_HZ, layout="mono")
            sound.bit_rate = 128_000
            resampler = av.AudioResampler(sound.codec_context.format, "mono", SOUND_HZ, sound.frame_size or 1024)
            wave = chirp(sound_from, seconds - sound_from, SOUND_HZ)
            frame = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            frame.sample_rate, frame.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
            frame.pts = round(sound_from * SOUND_HZ)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                packets += sound.encode(part)
            packets += sound.encode(None)
        for k, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(clock(k % 256), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, rate)
            packets += pictures.encode(frame)
        packets += pictures.encode(None)
        packets.sort(key=lambda packet: packet.dts * packet.time_base)
        out.mux(packets)
