"""One training step of DiCMoR+ against the public code's forward, line by line, on the same weights and batches.

    python benchmarks/dicmor.py --threads 2     # about four minutes on two cores

Both get 16 utterances of 50 frames (text and speech 768 wide, video 342), d = 64, one pattern for the whole batch, and
do forward, backward, clipping of gradient values and the same fused Adam. The slow one is the oracle of
tests/cmarr/systems/published_dicmor.py. First outputs and loss parts are compared with every dropout off, and in double
precision gradients too (in float32 a unit of a ReLU at 0 may fall on either side); then both are timed in turn under
each of the seven patterns, medians over `--times`. When other jobs hold a core, `OMP_WAIT_POLICY=passive` in the
environment keeps threads from spinning; the ratio is higher then, since the slow one waits more often.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cmarr.batch import Batch
from cmarr.settings import Dicmor
from cmarr.systems import build
from cmarr.systems.dicmor import DicmorSystem
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability
from tests.cmarr.systems.published_dicmor import Published

DIMS = {"text": 768, "speech": 768, "video": 342}
BATCH, FRAMES = 16, 50
NONE = {"text_attention_dropout": 0, "text_dropout": 0, "output_dropout": 0}


def batch(condition: str, dtype: torch.dtype = torch.float32) -> Batch:
    return Batch(
        {modality: torch.randn(BATCH, FRAMES, dim, dtype=dtype) for modality, dim in DIMS.items()},
        {modality: torch.full((BATCH,), FRAMES) for modality in MODALITIES},
        torch.tensor([availability(condition)] * BATCH),
        torch.arange(BATCH) % 4,
    )


def pair(settings: Dicmor) -> tuple[DicmorSystem, Published]:
    """The system, its weights far from their start, and the published one with the same weights."""
    torch.manual_seed(0)
    system = build("dicmor", settings, DIMS, 4)
    assert isinstance(system, DicmorSystem)
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return system.train(), Published(system).train()


def compare(dtype: torch.dtype) -> None:
    """Print the largest differences under all patterns; an error above 1e-4."""
    system, published = (module.to(dtype) for module in pair(Dicmor.model_validate(NONE)))
    worst: dict[str, float] = {}
    for condition in CONDITIONS:
        given = batch(condition, dtype)
        assert given.labels is not None
        parts = system.loss(given)
        logits, expected = published(given.features, given.labels, condition)
        pairs = {"losses": [(parts[name], expected[name]) for name in expected]}
        if dtype == torch.float32:
            pairs["logits"] = [(system(given), logits)]
        else:
            for module, loss in ((system, parts["total"]), (published, expected["total"])):
                module.zero_grad()
                loss.backward()
            pairs["gradients"] = list(published.pairs(system, gradient=True))
        for name, found in pairs.items():
            worst[name] = max(
                worst.get(name, 0.0), *(float((one - other).detach().abs().max()) for one, other in found)
            )
    print(f"{dtype}: largest differences " + ", ".join(f"{name} {value:.1e}" for name, value in worst.items()))
    assert max(worst.values()) < 1e-4


def stepper(module: nn.Module, loss: Callable[[Batch, str], Tensor], settings: Dicmor) -> Callable[[str], float]:
    """What does one step under a pattern and gives its seconds."""
    training = settings.training
    optimizer = torch.optim.Adam(module.parameters(), training.learning_rate, fused=True)
    assert training.clip_value is not None
    clip = training.clip_value

    def step(condition: str) -> float:
        given = batch(condition)
        begin = time.perf_counter()
        optimizer.zero_grad()
        loss(given, condition).backward()
        nn.utils.clip_grad_value_(module.parameters(), clip)
        optimizer.step()
        return time.perf_counter() - begin

    return step


def race(settings: Dicmor, times: int, title: str) -> None:
    """Print medians of both and their ratio, pattern by pattern and over all of them."""
    system, published = pair(settings)
    fast = stepper(system, lambda given, _: system.loss(given)["total"], settings)
    slow = stepper(published, lambda given, name: published(given.features, given.labels, name)[1]["total"], settings)
    totals = [0.0, 0.0]
    for condition in CONDITIONS:
        fast(condition), slow(condition)
        taken = [(slow(condition), fast(condition)) for _ in range(times)]
        medians = [median(values) for values in zip(*taken, strict=True)]
        totals = [total + value for total, value in zip(totals, medians, strict=True)]
        ratio = median(one / other for one, other in taken)
        print(f"{title}, {condition}: {medians[0]:.3f} s, {medians[1]:.3f} s, {ratio:.2f} times as fast", flush=True)
    mean = [total / len(CONDITIONS) for total in totals]
    print(f"{title}, mean over patterns: {mean[0]:.3f} s, {mean[1]:.3f} s, {mean[0] / mean[1]:.2f} times as fast")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--times", type=int, default=9, help="steps of each under each pattern")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    compare(torch.float32)
    compare(torch.float64)
    race(Dicmor.model_validate(NONE), args.times, "without dropout")
    race(Dicmor(), args.times, "with the published dropouts")


if __name__ == "__main__":
    main()
