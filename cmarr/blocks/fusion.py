"""Cross-modal fusion and classifier (eq. 10 to 13)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cmarr.blocks.attention import AttentionBlock
from cmarr.blocks.rows import moved
from cmarr.settings import Sized
from cmarr.vocabulary import MODALITIES


class Fusion(nn.Module):
    """Text attends to video and to speech; the results side by side go through self-attention.

    The text speaks of three cross-modal blocks, the equations have two, and the equations count; `third_block: sv` adds
    speech attending to video. Pooling and head are ours (docs/cm-arr.md, points 21 to 23).
    """

    def __init__(self, settings: Sized, classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.first_available = settings.query == "first_available"
        self.last = settings.fusion_pooling == "last"

        def block(width: int) -> AttentionBlock:
            return AttentionBlock(width, sizes.attention_heads, sizes.time_steps, settings.dropout)

        self.to_video, self.to_speech = block(sizes.width), block(sizes.width)
        self.speech_to_video = block(sizes.width) if settings.third_block == "sv" else None
        width = sizes.width * (2 if self.speech_to_video is None else 3)
        self.to_itself = block(width)
        self.head = _head(width, settings.head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor], available: Tensor) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps).

        `available` (batch, 3) on the CPU says who asks: text, or with `query: first_available` the first real modality.
        """
        inputs = [x[modality].transpose(1, 2) for modality in MODALITIES]
        text, speech, video = _available_first(inputs, available) if self.first_available else inputs
        results = [self.to_video(text, video), self.to_speech(text, speech)]
        if self.speech_to_video is not None:
            results.append(self.speech_to_video(speech, video))
        joined = torch.cat(results, dim=2)
        mixed = self.to_itself(joined, joined)
        logits: Tensor = self.head(mixed[:, -1] if self.last else mixed.mean(1))
        return logits


class MeanFusion(nn.Module):
    """Means over time side by side, without attention (ablation `no_attention`)."""

    def __init__(self, settings: Sized, classes: int) -> None:
        super().__init__()
        self.head = _head(len(MODALITIES) * settings.sizes().width, settings.head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor], available: Tensor) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps); nobody asks."""
        logits: Tensor = self.head(torch.cat([x[modality].mean(2) for modality in MODALITIES], dim=1))
        return logits


def _available_first(inputs: list[Tensor], available: Tensor) -> tuple[Tensor, ...]:
    """The inputs (batch, ...) in another order, sample by sample: available ones first, otherwise as they were."""
    order = moved((~available).int().argsort(dim=1, stable=True), inputs[0].device)
    stacked = torch.stack(inputs, dim=1)
    return stacked[torch.arange(len(order), device=order.device)[:, None], order].unbind(1)


def _head(width: int, dropout: float, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))
