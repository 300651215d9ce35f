from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cmarr.blocks.fusion import Fusion, MeanFusion
from cmarr.settings import PRESETS


def sequences(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        modality: torch.randn(3, PRESETS["tiny"].width, 8, generator=generator)
        for modality in ("text", "speech", "video")
    }


def fusions() -> list[nn.Module]:
    torch.manual_seed(0)
    return [Fusion(PRESETS["tiny"], 0.1, 0.3, 4).eval(), MeanFusion(PRESETS["tiny"].width, 0.3, 4).eval()]


@pytest.mark.parametrize("fuse", fusions(), ids=["attention", "means"])
@pytest.mark.parametrize("modality", ["text", "speech", "video"])
def test_every_modality_counts(fuse: nn.Module, modality: str) -> None:
    x = sequences()
    before = fuse(x)
    assert before.shape == (3, 4)
    assert not torch.isclose(fuse(x | {modality: x[modality] + 1 + x[modality] ** 2}), before).all()


def test_is_equations_10_to_13() -> None:
    fuse = fusions()[0]
    assert isinstance(fuse, Fusion)
    x = {modality: value.transpose(1, 2) for modality, value in sequences().items()}
    h_tv = fuse.to_video(x["text"], x["video"])
    h_ts = fuse.to_speech(x["text"], x["speech"])
    joined = torch.cat([h_tv, h_ts], dim=2)
    torch.testing.assert_close(fuse(sequences()), fuse.head(fuse.to_itself(joined, joined).mean(1)))
