"""How fast CM-ARR trains and predicts on this machine, as shares of what its processor can do.

    python benchmarks/training.py                    # steps, overhead, prediction; about five minutes on two cores
    python benchmarks/training.py --only step --size lite --profile

A step has 16 utterances of 50 frames in every modality (768, 768 and 342 wide). Its share is the arithmetic of the
step, counted by PyTorch, per second, over the rate of large float32 matrix products in the same minute. The overhead is
what the engine adds to a step: gathering the batch, masks, clipping, optimiser, losses for the log. Prediction is a job
of its own for the largest test fold of IEMOCAP (1,241 utterances, 4.5 s of speech on average), less the forward passes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cmarr.data import Dataset, Packed, load
from cmarr.engine import probabilities
from cmarr.model_file import save
from cmarr.optimisation import optimizer_of, train_step
from cmarr.runtime import start_torch
from cmarr.settings import CmArr, Features
from cmarr.systems import build
from cmarr.systems.base import SystemModule
from cmarr.vocabulary import CLASSES, CONDITIONS, MODALITIES, availability
from extractors.device import add_arguments as add_device_arguments
from extractors.files import sha256, write_csv, write_json
from extractors.store import Frames, write_store

ROOT = Path(__file__).resolve().parents[1]
DIMS = {"text": 768, "speech": 768, "video": 342}
BATCH, FRAMES, TEST = 16, 50, 1241


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """Median time of a call, on a GPU until it has finished."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def peak(device: torch.device) -> float:
    """Floating-point operations per second of float32 matrix products."""
    size = 8192 if device.type == "cuda" else 2048
    left, right = torch.randn(size, size, device=device), torch.randn(size, size, device=device)
    return 2 * size**3 / seconds(lambda: left @ right)


def dataset(rows: int, device: torch.device) -> Dataset:
    packed = {
        modality: Packed(
            torch.randn(rows * FRAMES + 1, dim, device=device),
            torch.arange(0, rows * FRAMES + 1, FRAMES),
            torch.zeros(rows, dtype=torch.bool),
        )
        for modality, dim in DIMS.items()
    }
    return Dataset([str(row) for row in range(rows)], torch.arange(rows, device=device) % 4, packed, CLASSES)


def step(settings: CmArr, device: torch.device, profile: bool) -> None:
    """Print time, share of the peak and overhead of the engine's training step."""
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    data = dataset(64, device)
    system = build("cm_arr", settings, DIMS, 4).to(device).train()
    (stage,) = system.stages()
    optimizer = optimizer_of(stage)
    patterns = torch.tensor([availability(condition) for condition in CONDITIONS])
    drawn = patterns[torch.arange(BATCH) % len(patterns)]
    rows, ready = torch.arange(BATCH), data.batch(torch.arange(BATCH), drawn)
    bf16 = settings.training.precision == "bf16"

    def bare() -> None:
        for parameter in system.parameters():
            parameter.grad = None
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            loss = system.loss(ready)["total"]
        loss.backward()

    def whole() -> None:
        patterns[torch.randint(len(patterns), (BATCH,))]
        log = train_step(stage, data.batch(rows, drawn), optimizer, 1e-4)
        torch.stack(list(log.values()))

    with FlopCounterMode(display=False) as counted:
        whole()
    whole()
    before = peak(device)
    pairs = [(seconds(bare, 1), seconds(whole, 1)) for _ in range(30 if device.type == "cuda" else 7)]
    rate = (before + peak(device)) / 2
    alone, taken = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(
        f"{settings.size}, {settings.training.precision}: {taken:.3f} s a step ({1 / taken:.2f} steps/s), "
        f"{counted.get_total_flops() / 1e9:.1f} GFLOP, {100 * counted.get_total_flops() / taken / rate:.1f} % of "
        f"{rate / 1e9:.0f} GFLOP/s; overhead {100 * (taken - alone) / taken:.1f} %",
        flush=True,
    )
    if profile:
        with torch.profiler.profile() as found:
            whole()
        print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=25, max_name_column_width=40))


def prediction(folder: Path, settings: CmArr, threads: int) -> None:
    """Print the time of prediction jobs beyond their forward passes."""
    rng = np.random.default_rng(0)
    names = [f"u{row:04d}" for row in range(TEST)]
    labels = [CLASSES[row % 4] for row in range(TEST)]
    rows = [
        {"utterance": name, "label": label, "origin": "synthetic"} for name, label in zip(names, labels, strict=True)
    ]
    write_csv(folder / "manifest.csv", list(rows[0]), rows)
    lengths = {
        "text": rng.integers(5, 40, TEST), "speech": np.clip(rng.gamma(3, 75, TEST), 20, 499).astype(int),
        "video": np.clip(rng.gamma(3, 15, TEST), 3, 50).astype(int),
    }  # fmt: skip
    about = {
        "manifest_sha256": sha256(folder / "manifest.csv"), "encoder": "random", "weights_sha256": "", "settings": "{}",
        "origin": "synthetic",
    }  # fmt: skip
    for modality, dim in DIMS.items():
        items = (
            (name, Frames(rng.standard_normal((length, dim), dtype=np.float32), np.ones(length, bool)))
            for name, length in zip(names, lengths[modality], strict=True)
        )
        write_store(folder / f"{modality}.h5", dim, items, lengths[modality].tolist(), {}, about)
    write_json(folder / "folds.json", {"folds": {"5": {"train": [], "validation": [], "test": names}}})
    torch.manual_seed(0)
    system = build("cm_arr", settings, DIMS, 4)
    save(folder / "model.safetensors", system.state_dict(), {}, "synthetic")
    write_json(
        folder / "record.json",
        {
            "system": "cm_arr", "fold": "5", "classes": list(CLASSES), "dims": DIMS, "origin": "synthetic",
            "settings": json.loads(settings.model_dump_json()), "features": {},
        },
    )  # fmt: skip
    for conditions in (["svt"], list(CONDITIONS)):
        begin = time.perf_counter()
        subprocess.run(
            [
                sys.executable, "-m", "cmarr", "predict", "--model", folder / "model.safetensors", "--manifest",
                folder / "manifest.csv", "--folds", folder / "folds.json", "--stores", folder, "--conditions",
                *conditions, "--threads", str(threads), "--out-dir", folder / "out",
            ],
            cwd=ROOT, check=True, capture_output=True,
        )  # fmt: skip
        taken = time.perf_counter() - begin
        bare = arithmetic(folder, names, labels, system, conditions)
        print(
            f"{settings.size}, {TEST} utterances, {len(conditions)} condition(s): {taken:.1f} s, forward {bare:.1f} s, "
            f"beyond it {(taken - bare) / len(conditions):.2f} s a condition",
            flush=True,
        )


def arithmetic(folder: Path, names: list[str], labels: list[str], system: SystemModule, conditions: list[str]) -> float:
    """Seconds of the forward passes alone, on features that are already in memory."""
    stores = {modality: folder / f"{modality}.h5" for modality in MODALITIES}
    manifest = sha256(folder / "manifest.csv")
    data = load(stores, names, labels, CLASSES, Features(), manifest, torch.device("cpu"))
    taken = 0.0
    for begin in range(0, TEST, 256):
        part = torch.arange(begin, min(TEST, begin + 256))
        for condition in conditions:
            start = time.perf_counter()
            probabilities(system, data, part, condition)
            taken += time.perf_counter() - start
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("step", "predict"))
    parser.add_argument("--size", choices=("paper", "lite", "tiny"))
    parser.add_argument("--precision", choices=("fp32", "tf32", "bf16"), default="fp32", help="of the step")
    parser.add_argument("--profile", action="store_true", help="print the costliest operations of a step")
    add_device_arguments(parser)
    parser.set_defaults(threads=2)
    args = parser.parse_args()
    device = start_torch(args, args.precision)
    for size in [args.size] if args.size else ["lite", "paper"]:
        settings = CmArr.model_validate({"size": size, "training": {"precision": args.precision}})
        if args.only != "predict":
            step(settings, device, args.profile)
        if args.only != "step":
            with TemporaryDirectory() as folder:
                prediction(Path(folder), settings, args.threads)


if __name__ == "__main__":
    main()
