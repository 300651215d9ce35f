"""OpenCV against PyAV: frames a second of decoding in order, and the times that they give frames.

    python benchmarks/decoders.py FILM [FILM ...] [--repeats 3]

- all: every frame becomes an RGB array; a third: every frame is decoded, one of three becomes an array. One thread, or
  as many as the decoder likes. The decoders take turns, the fastest of the repeats counts.
- frames: how many OpenCV announces, gives, and PyAV gives.
- late: frames whose time in OpenCV is more than half a frame off the time stamp in the file, counted from the beginning
  of the file, and the largest difference.

OpenCV (`opencv-python-headless`) is no dependency of stage 1; the tests install it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path

import av
import cv2

Times = list[float]


def with_opencv(path: Path, every: int, threads: int) -> Times:
    """Seconds of the frames as OpenCV tells them."""
    film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, threads])
    times: Times = []
    while film.grab():
        times.append(film.get(cv2.CAP_PROP_POS_MSEC) / 1000)
        if len(times) % every == 0:
            cv2.cvtColor(film.retrieve()[1], cv2.COLOR_BGR2RGB)
    return times


def with_pyav(path: Path, every: int, threads: int) -> Times:
    """Seconds of the frames after the beginning of the file, from their time stamps."""
    times: Times = []
    with av.open(str(path), metadata_errors="ignore") as film:
        stream = film.streams.video[0]
        stream.codec_context.thread_count = threads
        stream.thread_type = "SLICE" if threads == 1 else "AUTO"
        begin = (film.start_time or 0) / av.time_base
        for frame in film.decode(stream):
            times.append((frame.time or 0.0) - begin)
            if len(times) % every == 0:
                frame.to_ndarray(format="rgb24")
    return times


def seconds(work: Callable[[], Times]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def row(path: Path, repeats: int) -> list[str]:
    """Cells of the table."""
    with av.open(str(path), metadata_errors="ignore") as film:
        stream = film.streams.video[0]
        kind = [f"{stream.width}x{stream.height}", stream.codec_context.name]
        rate = float(stream.average_rate or 25)
    ways = [(decoder, every, threads) for every in (1, 3) for decoder in (with_opencv, with_pyav) for threads in (1, 0)]
    taken = dict.fromkeys(ways, float("inf"))
    for _ in range(repeats):
        for way in ways:
            decoder, every, threads = way
            taken[way] = min(taken[way], seconds(partial(decoder, path, every, threads)))
    theirs, ours = with_opencv(path, 10**9, 1), with_pyav(path, 10**9, 1)
    speeds = [len(ours) / taken[way] for way in ways]
    cells = [f"{one:.0f} / {many:.0f}" for one, many in zip(speeds[::2], speeds[1::2], strict=True)]
    announced = int(cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FRAME_COUNT))
    off = [abs(one - other) for one, other in zip(ours, theirs, strict=False)]
    late = f"{sum(gap > 0.5 / rate for gap in off)}, {max(off, default=0):.3f} s"
    return [path.name[-22:], *kind, *cells, f"{announced}, {len(theirs)}, {len(ours)}", late]


def main() -> None:
    """A row for each film."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    print(f"PyAV {av.__version__}, OpenCV {cv2.__version__}; frames a second with one thread / as many as it likes")
    titles = ["film", "size", "codec", "all: OpenCV", "all: PyAV", "a third: OpenCV", "a third: PyAV", "frames", "late"]
    widths = (24, 10, 12, 16, 16, 17, 17, 16, 14)
    for cells in chain([titles], (row(path, args.repeats) for path in args.films)):
        print("".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)), flush=True)


if __name__ == "__main__":
    main()
