"""Networks of the wav2vec2 family that give a waveform the same features whatever it is padded with to a common length.

The attention mask of Hugging Face keeps padding out of the attention alone. Two more leaks are closed here: the group
norm behind the first convolution takes its statistics over time, padding included, and the convolutions of the position
embedding read what is not zero there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

EXACT = ("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")
"""Types of model that `make_exact` knows."""


def geometry(config: Any, layers: int | None = None) -> tuple[int, int]:
    """Samples that one frame sees and samples between frames, behind all convolutions or some: 400 and 320 at last."""
    window, hop = 1, 1
    for kernel, stride in list(zip(config.conv_kernel, config.conv_stride, strict=True))[:layers]:
        window += (kernel - 1) * hop
        hop *= stride
    return window, hop


class Padding:
    """Where the padding of the batch under way is."""

    def __init__(self) -> None:
        self.samples: Tensor | None = None
        """samples (batch,) of each waveform; None if there is no padding"""

    def note(self, model: nn.Module, args: tuple[Any, ...], inputs: dict[str, Any]) -> None:
        """Read it off the attention mask (batch, samples); a forward pre-hook."""
        mask = inputs.get("attention_mask")
        self.samples = None if mask is None else mask.sum(-1)

    def frames(self, geometry: tuple[int, int]) -> Tensor:
        """Frames (batch, 1, 1) of each waveform behind convolutions of that geometry."""
        assert self.samples is not None
        window, hop = geometry
        frames: Tensor = (self.samples - window).div(hop, rounding_mode="floor") + 1
        return frames[:, None, None]


def _behind(frames: Tensor, longest: int) -> Tensor:
    """True (batch, 1, longest) where the padding is."""
    return torch.arange(longest, device=frames.device) >= frames


class MaskedGroupNorm(nn.Module):
    """A group norm of one channel per group, with the statistics of the real frames alone."""

    def __init__(self, norm: nn.GroupNorm, padding: Padding, geometry: tuple[int, int]) -> None:
        super().__init__()
        if norm.num_groups != norm.num_channels:
            raise ValueError(f"{norm.num_groups} groups for {norm.num_channels} channels")
        self.norm, self.padding, self.geometry = norm, padding, geometry

    def forward(self, x: Tensor) -> Tensor:
        """`x` (batch, channels, frames), normalised in place where there is padding."""
        if self.padding.samples is None:
            plain: Tensor = self.norm(x)
            return plain
        frames = self.padding.frames(self.geometry)
        behind = _behind(frames, x.shape[-1])
        x = x.float().masked_fill_(behind, 0)
        x -= x.sum(-1, keepdim=True) / frames
        x.masked_fill_(behind, 0)
        variance = x.square().sum(-1, keepdim=True) / frames
        x *= self.norm.weight[:, None] * torch.rsqrt(variance + self.norm.eps)
        x += self.norm.bias[:, None]
        return x


def make_exact(model: Any) -> None:
    """Close the leaks of a model of a type in `EXACT`, in place; with the attention mask it is exact then."""
    padding = Padding()
    model.register_forward_pre_hook(padding.note, with_kwargs=True)
    first = model.feature_extractor.conv_layers[0]
    if isinstance(getattr(first, "layer_norm", None), nn.GroupNorm):
        first.layer_norm = MaskedGroupNorm(first.layer_norm, padding, geometry(model.config, 1))

    def clear(convolution: nn.Module, args: tuple[Tensor]) -> tuple[Tensor] | None:
        if padding.samples is None:
            return None
        (x,) = args  # (batch, dim, frames)
        return (x.masked_fill(_behind(padding.frames(geometry(model.config)), x.shape[-1]), 0),)

    for module in model.encoder.pos_conv_embed.modules():
        if isinstance(module, nn.Conv1d):
            module.register_forward_pre_hook(clear)
