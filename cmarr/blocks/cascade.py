"""Cascade of residual autoencoders, which imagines the embeddings of missing modalities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Cascade(nn.Module):
    """K autoencoders, o_k = D_k(c_k) and c_k = E_k(u_k), each of which corrects the estimate of those before it.

    Without injection u_1 = h and u_k = u_{k-1} + o_{k-1} (MMIN: public code AIM3-RUC/MMIN,
    models/networks/autoencoder.py). Features g that are injected come into every autoencoder and u does not
    accumulate: u_1 = h + g and u_k = o_{k-1} + g (IF-MMIN, CIF-MMIN: ZhuoYulang/IF-MMIN and ZhuoYulang/CIF-MMIN, the
    same file).
    """

    def __init__(
        self, width: int, layers: Sequence[int], blocks: int, skip: bool = True, transition: bool = True
    ) -> None:
        """`skip`: the estimate is u_K + o_K, otherwise o_K alone; `transition`: two layers map the estimate."""
        super().__init__()
        narrowing = (width, *layers)
        self.encoders = nn.ModuleList(_layers(narrowing, nn.LeakyReLU) for _ in range(blocks))
        self.decoders = nn.ModuleList(_layers(narrowing[::-1], nn.ReLU) for _ in range(blocks))
        self.transition = _layers((width, width, width), nn.ReLU) if transition else nn.Identity()
        self.skip = skip

    def forward(self, h: Tensor, injected: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The imagined embeddings (batch, width) and c_1 to c_K side by side (batch, blocks * layers[-1])."""
        u, o = h, torch.zeros_like(h) if injected is None else h
        codes = []
        for encode, decode in zip(self.encoders, self.decoders, strict=True):
            u = o + (u if injected is None else injected)
            codes.append(encode(u))
            o = decode(codes[-1])
        return self.transition(u + o if self.skip else o), torch.cat(codes, dim=1)


def _layers(widths: Sequence[int], activation: type[nn.Module]) -> nn.Sequential:
    """Linear layers with an activation between every two."""
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), activation()]
    return nn.Sequential(*layers[:-1])
