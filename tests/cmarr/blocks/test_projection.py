from __future__ import annotations

import torch

from cmarr.blocks.projection import Projection
from cmarr.blocks.resample import resample


def test_is_a_centred_convolution_of_the_resampled_frames() -> None:
    project = Projection(3, 4, 6)
    frames, lengths = torch.randn(2, 9, 3), torch.tensor([9, 4])
    steps = torch.nn.functional.pad(resample(frames, lengths, 6), (0, 0, 2, 2))
    expected = torch.stack(
        [torch.einsum("bki,oik->bo", steps[:, step : step + 5], project.convolution.weight) for step in range(6)], dim=2
    )
    torch.testing.assert_close(project(frames, lengths), expected)


def test_has_no_bias() -> None:
    assert not Projection(3, 4, 6)(torch.zeros(1, 2, 3), torch.tensor([2])).any()
