"""Cross-modal fusion and classifier (eq. 10 to 13)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import Tensor, nn

from cmarr.blocks.attention import AttentionBlock
from cmarr.blocks.rows import moved
from cmarr.settings import Sized
from cmarr.vocabulary import MODALITIES

PAIRS = tuple(combinations(range(len(MODALITIES)), 2))
"""text and speech, text and video, speech and video"""


class Fusion(nn.Module):
    """Modalities attend to each other, block by block; the results side by side go through self-attention.

    A block serves one pair of modalities. `text_asks`: text attends to speech and to video, as in eq. 10 and 11;
    `third_block: sv` adds speech attending to video. `available_asks`: the same parts, played by the modalities in the
    order available ones first. The two others have a block for each of the three pairs. `recovered_asks`: in a pair of
    one available and one recovered modality the recovered one asks, as in the example of the paper (text is missing);
    in other pairs each asks the other, and the mean of both results counts. `each_asks`: so in all pairs.
    Pooling and head are ours (docs/cm-arr.md, points 21 to 23, 33 and 34).
    """

    def __init__(self, settings: Sized, classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.kind = settings.fusion
        self.last = settings.fusion_pooling == "last"

        def block(width: int) -> AttentionBlock:
            return AttentionBlock(width, sizes.attention_heads, sizes.time_steps, settings.dropout, settings.residual)

        self.one_asks = self.kind in ("text_asks", "available_asks")
        self.pairs = PAIRS[:2] if self.one_asks and settings.third_block == "none" else PAIRS
        self.blocks = nn.ModuleList(block(sizes.width) for _ in self.pairs)
        self.to_itself = block(len(self.pairs) * sizes.width)
        self.head = _head(len(self.pairs) * sizes.width, settings.head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor], available: Tensor) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps).

        `available` (batch, 3) on the CPU says which of them are recovered.
        """
        inputs = [x[modality].transpose(1, 2) for modality in MODALITIES]
        if self.kind == "available_asks":
            inputs = _available_first(inputs, available)
        joined = torch.cat([self._asked(number, inputs, available) for number in range(len(self.pairs))], dim=2)
        mixed = self.to_itself(joined, joined)
        logits: Tensor = self.head(mixed[:, -1] if self.last else mixed.mean(1))
        return logits

    def _asked(self, number: int, inputs: list[Tensor], available: Tensor) -> Tensor:
        """Result (batch, time, width) of one pair's block."""
        one, other = self.pairs[number]
        if self.one_asks:
            result: Tensor = self.blocks[number](inputs[one], inputs[other])
            return result
        asking, asked = torch.cat([inputs[one], inputs[other]]), torch.cat([inputs[other], inputs[one]])
        both: Tensor = self.blocks[number](asking, asked).unflatten(0, (2, -1))
        return (self._shares(one, other, available, both.device)[:, :, None, None] * both).sum(0)

    def _shares(self, one: int, other: int, available: Tensor, device: torch.device) -> Tensor:
        """(2, batch): what counts of `one` asking `other`, and of the reverse."""
        if self.kind == "each_asks":
            return torch.full((2, len(available)), 0.5, device=device)
        first = (1 + available[:, other].float() - available[:, one].float()) / 2
        return moved(torch.stack([first, 1 - first]), device)


class MeanFusion(nn.Module):
    """Means over time side by side, without attention (`fusion: means`, and the ablation `no_attention`)."""

    def __init__(self, settings: Sized, classes: int) -> None:
        super().__init__()
        self.head = _head(len(MODALITIES) * settings.sizes().width, settings.head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor], available: Tensor) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps); nobody asks."""
        logits: Tensor = self.head(torch.cat([x[modality].mean(2) for modality in MODALITIES], dim=1))
        return logits


def fusion(settings: Sized, classes: int) -> nn.Module:
    """The fusion that the settings name."""
    return (MeanFusion if settings.fusion == "means" else Fusion)(settings, classes)


def _available_first(inputs: list[Tensor], available: Tensor) -> list[Tensor]:
    """The inputs (batch, ...) in another order, sample by sample: available ones first, otherwise as they were."""
    order = moved((~available).int().argsort(dim=1, stable=True), inputs[0].device)
    stacked = torch.stack(inputs, dim=1)
    return list(stacked[torch.arange(len(order), device=order.device)[:, None], order].unbind(1))


def _head(width: int, dropout: float, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))
