from __future__ import annotations

from collections.abc import Callable

import torch

from cmarr.batch import Batch
from cmarr.settings import Baseline
from cmarr.systems.baseline import BaselineSystem
from cmarr.vocabulary import CONDITIONS, MODALITIES

MakeBatch = Callable[..., Batch]


def test_a_missing_modality_is_zeros_after_projection(dims: dict[str, int], make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    system = BaselineSystem(Baseline(size="tiny"), dims, 4).eval()
    batch = make_batch(conditions=CONDITIONS)
    x = {m: system.project[m](batch.features[m], batch.lengths[m]) for m in MODALITIES}
    for column, modality in enumerate(MODALITIES):
        x[modality] = x[modality] * batch.available[:, column, None, None]
    torch.testing.assert_close(system(batch), system.fuse(x, batch.available))


def test_loss_is_the_cross_entropy_alone(dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = BaselineSystem(Baseline(size="tiny"), dims, 4).eval()
    batch = make_batch()
    parts = system.loss(batch)
    assert batch.labels is not None
    assert set(parts) == {"total", "cls"}
    torch.testing.assert_close(parts["total"], torch.nn.functional.cross_entropy(system(batch), batch.labels))


def test_trains_on_complete_utterances_alone(dims: dict[str, int]) -> None:
    (stage,) = BaselineSystem(Baseline(size="tiny"), dims, 4).stages()
    assert stage.patterns == ("svt",)


def test_parameter_count() -> None:
    system = BaselineSystem(Baseline(), {"text": 768, "speech": 768, "video": 342}, 4)
    assert sum(parameter.numel() for parameter in system.parameters()) == 1_234_372
