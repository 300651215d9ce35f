"""Cross-modal fusion and classifier (eq. 10 to 13)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from cmarr.blocks.attention import AttentionBlock
from cmarr.settings import Sizes
from cmarr.vocabulary import MODALITIES


class Fusion(nn.Module):
    """Text attends to video and to speech; both results side by side go through self-attention.

    The text speaks of three cross-modal blocks, the equations have two, and the equations count. Text asks always, also
    when it was recovered. Pooling and head are ours: mean over time, two layers (docs/cm-arr.md, points 21 to 23).
    """

    def __init__(self, sizes: Sizes, dropout: float, head_dropout: float, classes: int) -> None:
        super().__init__()
        heads, time_steps = sizes.attention_heads, sizes.time_steps
        self.to_video = AttentionBlock(sizes.width, heads, time_steps, dropout)
        self.to_speech = AttentionBlock(sizes.width, heads, time_steps, dropout)
        self.to_itself = AttentionBlock(2 * sizes.width, heads, time_steps, dropout)
        self.head = _head(2 * sizes.width, head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps)."""
        text, speech, video = (x[modality].transpose(1, 2) for modality in MODALITIES)
        joined = torch.cat([self.to_video(text, video), self.to_speech(text, speech)], dim=2)
        logits: Tensor = self.head(self.to_itself(joined, joined).mean(1))
        return logits


class MeanFusion(nn.Module):
    """Means over time side by side, without attention (ablation `no_attention`)."""

    def __init__(self, width: int, head_dropout: float, classes: int) -> None:
        super().__init__()
        self.head = _head(len(MODALITIES) * width, head_dropout, classes)

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps)."""
        logits: Tensor = self.head(torch.cat([x[modality].mean(2) for modality in MODALITIES], dim=1))
        return logits


def _head(width: int, dropout: float, classes: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, classes))
