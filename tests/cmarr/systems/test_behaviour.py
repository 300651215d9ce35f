"""What a user expects of a trained system, on utterances that it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.linked import CLASSES, Signal, linked
from cmarr.choice import Choice
from cmarr.data import Dataset, Packed
from cmarr.engine import Task, fit, probabilities
from cmarr.metrics import confusion, uar
from cmarr.seeds import derive
from cmarr.settings import Baseline, CifMmin, CmArr, Cra, Dicmor, IfMmin, Mmin, System
from cmarr.systems import build
from cmarr.systems.base import SystemModule
from cmarr.training_state import TrainingState
from cmarr.vocabulary import CONDITIONS, MISSING_CONDITIONS

CORPORA = {
    "linked": (1.0, {"text": Signal(24, 1.0, 1.0), "speech": Signal(16, 1.5, 1.1), "video": Signal(20, 1.5, 0.8)}),
    "noise": (0.0, {"text": Signal(24, 1.0, 1.0), "speech": Signal(4, 1.5, np.inf), "video": Signal(20, 1.5, 0.5)}),
    "by heart": (
        0.0, {"text": Signal(96, 1.0, 2.0, own=60), "speech": Signal(16, 1.5, np.inf), "video": Signal(20, 1.5, 0.2)}
    ),
}  # fmt: skip
"""Share of utterances whose modalities show one instance, and what they show. In `linked` the face says most. In
`noise` the voice says nothing. In `by heart` the words say little and are easily remembered."""
TRAINING = {"epochs": 12, "learning_rate": 0.002, "batch_size": 16}
SIZED = {"size": "tiny", "time_steps": 4, "training": TRAINING}
FAMILY = {
    "embedding": 16, "speech_pool": 1, "text_dropout": 0.2, "teacher_dropout": 0.2, "head_dropout": 0.2,
    "cascade_layers": [32, 16], "cascade_blocks": 2, "teacher": TRAINING | {"learning_rate": 0.003},
    "training": TRAINING | {"learning_rate": 0.003},
}  # fmt: skip
SYSTEMS: dict[str, System] = {
    "cm_arr": CmArr.model_validate(SIZED),
    "baseline": Baseline.model_validate(SIZED),
    "dicmor": Dicmor.model_validate(SIZED | {"complete": TRAINING}),
    "cra": Cra.model_validate(
        {"embedding": 64, "joint_layers": [64, 32], "training": TRAINING | {"epochs": 60, "learning_rate": 0.003}}
    ),
    "mmin": Mmin.model_validate(FAMILY),
    "if_mmin": IfMmin.model_validate(FAMILY),
    "cif_mmin": CifMmin.model_validate(FAMILY),
}
ALLOWED = {
    ("cif_mmin", "weak"): 12, ("cif_mmin", "complete"): 12, ("mmin", "complete"): 5, ("if_mmin", "complete"): 5,
    ("cra", "complete"): 4, ("dicmor", "noise"): 6, ("baseline", "noise"): 6, ("dicmor", "recovery"): 5,
}  # fmt: skip
"""Points that may be lost, in place of 3. Another processor rounds differently, and a training then ends elsewhere, as
with another seed: bounds are four standard deviations over five seeds beyond their mean (benchmarks/behaviour.py). The
mean loss is below 0.5 points but for CIF-MMIN on complete utterances (2.7), on which it is never trained."""
FUSION_ALONE = SIZED | {"x_source": "R", "alpha": 0, "beta": 0, "lambda_rec": 0}


@cache
def corpus(name: str) -> tuple[Dataset, Tensor, Tensor]:
    """Features, and the rows of 300 utterances for training and 1,600 for the test."""
    link, signals = CORPORA[name]
    made = linked(300, 4, 1600, seed=1, link=link, separation=3.0 if name == "by heart" else 2.4, signals=signals)
    packed = {}
    for modality, values in made.values.items():
        padded = torch.from_numpy(np.concatenate([values, np.zeros((1, values.shape[1]), np.float32)]))
        offsets = torch.from_numpy(np.cumsum([0, *made.lengths[modality]]))
        packed[modality] = Packed(padded, offsets, torch.zeros(len(made.labels), dtype=torch.bool))
    data = Dataset([str(row) for row in range(len(made.labels))], torch.from_numpy(made.labels), packed, CLASSES)
    data.standardize(data.statistics(made.parts["train"]))
    return data, torch.tensor(made.parts["train"]), torch.tensor(made.parts["test"])


def trained(
    system: str,
    settings: System,
    corpus_name: str,
    change: Callable[[SystemModule], None] = lambda _: None,
    repetition: int = 0,
) -> dict[str, float]:
    """UAR of the test utterances under each condition, in percent, after the last epoch."""
    data, train, test = corpus(corpus_name)

    def seeds(purpose: str, epoch: int = 0) -> int:
        return derive("behaviour", purpose, epoch, *[repetition] * bool(repetition))

    torch.manual_seed(seeds("weights"))
    module = build(system, settings, data.dims, len(CLASSES))
    change(module)
    with TemporaryDirectory() as folder:
        state = TrainingState(Path(folder), "behaviour")
        outcome = fit(module, Task(data, train, train[:0], Choice("none", "mean_uar"), seeds, state))
    module.load_state_dict(outcome.best)
    labels, scores = data.labels[test].numpy(), {}
    for condition in CONDITIONS:
        guesses = probabilities(module, data, test, condition).argmax(1).numpy()
        scores[condition] = uar(confusion(labels, guesses, len(CLASSES)))
    return scores


@cache
def scores(system: str, corpus_name: str) -> dict[str, float]:
    return trained(system, SYSTEMS[system], corpus_name)


def loss_by_company(found: dict[str, float], alone: str, together: str) -> float:
    """Points that a modality or pair loses when another modality joins it."""
    return found[alone] - found[together]


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_weak_modality_does_not_spoil_a_strong_one(system: str) -> None:
    found = scores(system, "linked")
    weak, middle, strong = sorted("tsv", key=lambda modality: found[modality])
    assert found[strong] > 50
    for other in (weak, middle):
        (pair,) = (pair for pair in ("vt", "sv", "st") if {strong, other} == set(pair))
        assert loss_by_company(found, strong, pair) <= ALLOWED.get((system, "weak"), 3)


@pytest.mark.parametrize("system", SYSTEMS)
def test_complete_utterances_are_recognised_as_well_as_the_best_pair(system: str) -> None:
    found = scores(system, "linked")
    best = max(("vt", "sv", "st"), key=lambda pair: found[pair])
    assert loss_by_company(found, best, "svt") <= ALLOWED.get((system, "complete"), 3)


@pytest.mark.parametrize("system", SYSTEMS)
def test_noise_costs_little(system: str) -> None:
    found = scores(system, "noise")
    assert found["vt"] > 60
    assert loss_by_company(found, "v", "sv") <= ALLOWED.get((system, "noise"), 3)
    assert loss_by_company(found, "vt", "svt") <= 3


@pytest.mark.parametrize("system", ["cm_arr", "dicmor"])
def test_recovery_is_not_worse_than_zeros(system: str) -> None:
    """Over the six missing conditions, where modalities are linked; zeros in training and in the test."""

    def zeros(module: SystemModule) -> None:
        for branch in module.branches.values():

            def recover(single: Tensor, pairs: tuple[Tensor, ...] = ()) -> Tensor:
                return torch.zeros_like(torch.cat([single, *pairs[:1]]))

            branch.recover = recover

    def mean(found: dict[str, float]) -> float:
        return float(np.mean([found[condition] for condition in MISSING_CONDITIONS]))

    lost = mean(trained(system, SYSTEMS[system], "linked", zeros)) - mean(scores(system, "linked"))
    assert lost <= ALLOWED.get((system, "recovery"), 3)


@pytest.mark.parametrize("settings", [SIZED, FUSION_ALONE], ids=["all", "fusion alone"])
def test_words_learned_by_heart_do_not_drown_the_face(settings: dict[str, object]) -> None:
    found = trained("cm_arr", CmArr.model_validate(settings), "by heart")
    assert found["v"] > 90
    assert loss_by_company(found, "v", "vt") <= 5
    assert loss_by_company(found, "v", "svt") <= 5


def test_the_tests_see_a_fusion_in_which_text_is_loud() -> None:
    """The residual of MulT with text as the only query: the reason for `fusion` and `residual`."""
    found = trained(
        "cm_arr", CmArr.model_validate(FUSION_ALONE | {"fusion": "text_asks", "residual": "scaled"}), "by heart"
    )
    assert found["v"] > 90
    assert loss_by_company(found, "v", "svt") > 7
