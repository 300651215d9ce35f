from __future__ import annotations

import pytest
import torch

from cmarr.blocks.projection import Projection
from cmarr.blocks.resample import resample
from cmarr.settings import CmArr


def projection(kernel: int = 5) -> Projection:
    return Projection(3, CmArr(width=4, attention_heads=1, time_steps=6, kernel=kernel))


@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
def test_is_a_centred_convolution_of_the_resampled_frames(kernel: int) -> None:
    project = projection(kernel)
    frames, lengths = torch.randn(2, 9, 3), torch.tensor([9, 4])
    steps = torch.nn.functional.pad(resample(frames, lengths, 6), (0, 0, kernel // 2, kernel // 2))
    weight = project.convolution.weight
    assert weight.shape == (4, 3, kernel)
    expected = torch.stack(
        [torch.einsum("bki,oik->bo", steps[:, step : step + kernel], weight) for step in range(6)], dim=2
    )
    torch.testing.assert_close(project(frames, lengths), expected)


def test_has_no_bias() -> None:
    assert not projection()(torch.zeros(1, 2, 3), torch.tensor([2])).any()


def test_a_single_step_has_a_kernel_of_one() -> None:
    project = Projection(3, CmArr(width=4, attention_heads=1, time_steps=1))
    frames, lengths = torch.randn(2, 9, 3), torch.tensor([9, 4])
    assert project.convolution.weight.shape == (4, 3, 1)
    expected = torch.stack([frames[0].mean(0), frames[1, :4].mean(0)]) @ project.convolution.weight[:, :, 0].T
    torch.testing.assert_close(project(frames, lengths)[:, :, 0], expected)
