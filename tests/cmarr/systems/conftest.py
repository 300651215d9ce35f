from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest
import torch

from cmarr.batch import Batch
from cmarr.settings import CmArr
from cmarr.systems.cm_arr import CmArrSystem
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability

DIMS = {"text": 6, "speech": 5, "video": 4}
MakeBatch = Callable[..., Batch]
Shaken = Callable[..., CmArrSystem]


@pytest.fixture(autouse=True, scope="package")
def _one_thread() -> Iterator[None]:
    """Tensors here are tiny; more threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def dims() -> dict[str, int]:
    return dict(DIMS)


@pytest.fixture(scope="session")
def make_batch() -> MakeBatch:
    """Maker of batches whose label can be read off every modality; sequences have different lengths."""

    def make(size: int = 7, conditions: Sequence[str] = CONDITIONS, seed: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        labels = torch.arange(size) % 4
        features, lengths = {}, {}
        for modality in MODALITIES:
            prototypes = 2 * torch.randn(4, 1, DIMS[modality], generator=generator)
            lengths[modality] = torch.randint(1, 12, (size,), generator=generator)
            time = int(lengths[modality].max())
            real = torch.arange(time) < lengths[modality][:, None]
            noise = torch.randn(size, time, DIMS[modality], generator=generator)
            features[modality] = torch.where(real[:, :, None], prototypes[labels] + noise, 0)
        available = torch.tensor([availability(conditions[row % len(conditions)]) for row in range(size)])
        return Batch(features, lengths, available, labels)

    return make


@pytest.fixture(scope="session")
def shaken() -> Shaken:
    """Maker of tiny systems in evaluation mode with noise on all weights: untouched flows all are the same map."""

    def make(**settings: object) -> CmArrSystem:
        torch.manual_seed(0)
        system = CmArrSystem(CmArr.model_validate({"size": "tiny", **settings}), DIMS, 4).eval()
        with torch.no_grad():
            for parameter in system.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
        system.contrast.temperature.clamp()
        return system

    return make
