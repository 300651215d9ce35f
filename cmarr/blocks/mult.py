"""MulT's transformers as DiCMoR uses them, several of the same shape side by side, and the fusion built of them.

Sources: Tsai et al., ACL 2019, public code yaohungt/Multimodal-Transformer (modules/transformer.py); DiCMoR,
trains/singleTask/model/dicmor.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.attention import sinusoids
from cmarr.settings.dicmor import Dicmor
from cmarr.vocabulary import MODALITIES


@dataclass(frozen=True)
class Dropouts:
    """Shares that training drops in each of several transformers."""

    attention: tuple[float, ...]
    """of attention weights, by transformer"""
    embedding: float = 0.0
    relu: float = 0.0
    residual: float = 0.0


class Norms(nn.Module):
    """Scales and shifts of a LayerNorm per transformer; `unit` does the rest."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(count, 1, width))
        self.shift = nn.Parameter(torch.zeros(count, 1, width))

    def forward(self, x: Tensor) -> Tensor:
        """(count, batch, time, width) like `x`."""
        return torch.addcmul(self.shift[:, None], unit(x), self.scale[:, None])


class Linears(nn.Module):
    """A linear layer per transformer, each Xavier-uniform by itself, with biases zero."""

    def __init__(self, count: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(
            torch.stack([nn.init.xavier_uniform_(torch.empty(inputs, outputs)) for _ in range(count)])
        )
        self.bias = nn.Parameter(torch.zeros(count, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(count, rows, outputs) from (count, rows, inputs)."""
        return torch.baddbmm(self.bias, x, self.weight)

    def after(self, norms: Norms) -> tuple[Tensor, Tensor]:
        """Weight and bias that do to unit inputs what this layer does to their scaled and shifted ones."""
        bias: Tensor = torch.baddbmm(self.bias, norms.shift, self.weight)
        return self.weight * norms.scale.transpose(1, 2), bias


class Layer(nn.Module):
    """One layer of each transformer, with 12 d^2 + 13 d parameters: LayerNorm first, causal attention, ReLU net of 4 d.

    Queries, keys and values pass the same LayerNorm.
    """

    def __init__(self, width: int, heads: int, dropouts: Dropouts) -> None:
        super().__init__()
        count = len(dropouts.attention)
        self.heads, self.dropouts = heads, dropouts
        self.norm, self.feed_forward_norm = Norms(count, width), Norms(count, width)
        self.query_key_value, self.out = Linears(count, width, 3 * width), Linears(count, width, width)
        self.widen, self.narrow = Linears(count, width, 4 * width), Linears(count, 4 * width, width)

    def forward(self, x: Tensor, source: Tensor | None, last: bool = False) -> Tensor:
        """(count, batch, time, width) for each step of `x`, or for the last one alone if `last`.

        `source`: unit frames that x asks, of the same shape; x itself if none.
        """
        residual, relu = self.dropouts.residual, self.dropouts.relu
        asking = unit(x)
        asked = asking if source is None else source
        if last:
            x, asking = x[:, :, -1:], asking[:, :, -1:]
        x = x + self._drop(self._attend(asking, asked), residual)
        weight, bias = self.widen.after(self.feed_forward_norm)
        inner = torch.baddbmm(bias, unit(x).flatten(1, 2), weight).relu_()
        return x + self._drop(self.narrow(self._drop(inner, relu)).view_as(x), residual)

    def _attend(self, asking: Tensor, asked: Tensor) -> Tensor:
        """Plain matrix products: at these sizes, fused attention takes longer on a CPU, above all backward."""
        count, batch, time, width = asking.shape
        weight, bias = self.query_key_value.after(self.norm)
        sizes, scale = [width, 2 * width], math.sqrt(self.heads / width)
        (weight_q, weight_kv), (bias_q, bias_kv) = weight.split(sizes, 2), bias.split(sizes, 2)
        query = torch.baddbmm(scale * bias_q, asking.flatten(1, 2), scale * weight_q)
        key_value = torch.baddbmm(bias_kv, asked.flatten(1, 2), weight_kv).view(*asked.shape[:3], 2, -1)
        future = query.new_full((time, asked.shape[2]), -math.inf).triu(1 + asked.shape[2] - time)
        parts = (self._by_head(part).chunk(count) for part in (query.view_as(asking), *key_value.unbind(3)))
        mixed = []
        for share, q, k, v in zip(self.dropouts.attention, *parts, strict=True):
            weights = torch.baddbmm(future, q.transpose(1, 2), k).softmax(2)
            mixed.append(torch.bmm(v, self._drop(weights, share).transpose(1, 2)))
        joined = torch.stack(mixed).view(count, batch, width, time).transpose(2, 3)
        out: Tensor = self.out(joined.reshape(count, batch * time, width))
        return out.view_as(asking)

    def _by_head(self, x: Tensor) -> Tensor:
        """(count * batch * heads, width / heads, time) from (count, batch, time, width)."""
        heads: Tensor = x.transpose(2, 3).unflatten(2, (self.heads, -1))
        return heads.flatten(0, 2)

    def _drop(self, x: Tensor, share: float) -> Tensor:
        return functional.dropout(x, share, self.training) if share else x


class Transformers(nn.Module):
    """One MulT transformer per entry of `dropouts.attention`: frames times sqrt(d) plus sinusoids from position 1 on,
    layers, LayerNorm.

    `pairs` (asking, asked) number the frames that each of them reads; without them, every one reads its own. Unlike in
    the public code, one draw of the embedding dropout serves all uses of a frame.
    """

    positions: Tensor

    def __init__(
        self,
        width: int,
        heads: int,
        layers: int,
        time_steps: int,
        dropouts: Dropouts,
        pairs: Sequence[tuple[int, int]] = (),
        legacy_positions: bool = False,
    ) -> None:
        super().__init__()
        self.pairs, self.legacy, self.embedding_dropout = pairs, legacy_positions, dropouts.embedding
        self.register_buffer("positions", sinusoids(time_steps + 1, width)[1:], persistent=False)
        self.layers = nn.ModuleList(Layer(width, heads, dropouts) for _ in range(layers))
        self.norm = Norms(len(dropouts.attention), width)

    def forward(self, frames: Tensor, last: bool = False) -> Tensor:
        """(count, batch, time, width) of `frames` (inputs, batch, time, width); the last step alone if `last`."""
        positions = self.positions * (frames[..., :1] != 0) if self.legacy else self.positions
        x = math.sqrt(frames.shape[3]) * frames + positions
        x = functional.dropout(x, self.embedding_dropout, self.training)
        source = None
        if self.pairs:
            source = _chosen(unit(x), [asked for _, asked in self.pairs])
            x = _chosen(x, [asking for asking, _ in self.pairs])
        for number, layer in enumerate(self.layers, start=1):
            x = layer(x, source, last and number == len(self.layers))
        out: Tensor = self.norm(x)
        return out


def unit(x: Tensor) -> Tensor:
    """LayerNorm over the last dimension without scale and shift."""
    return functional.layer_norm(x, x.shape[-1:])


def _chosen(x: Tensor, numbers: Sequence[int]) -> Tensor:
    parts = x.unbind()
    return torch.stack([parts[number] for number in numbers])


PAIRS = [(target, source) for source in range(3) for target in range(3) if target != source]
"""(asking, asked) of the six cross-modal transformers, in the order of MODALITIES; those that ask text come first"""


class MultFusion(nn.Module):
    """Each modality attends to both others, the results side by side go through a transformer of 2 d, whose last steps
    side by side go through a residual block and a linear layer.

    The dropout of attention is that of the modality that is asked, and text's in the second transformers. Nothing but
    the last step is computed in the last layer of the second transformers, since nothing else is used.
    """

    def __init__(self, settings: Dicmor, classes: int) -> None:
        super().__init__()
        sizes = settings.sizes()
        shares = [getattr(settings, f"{modality}_attention_dropout") for modality in MODALITIES]

        def transformers(width: int, layers: int, asked: list[int], pairs: Sequence[tuple[int, int]]) -> Transformers:
            attention = tuple(shares[modality] for modality in asked)
            inner = settings.embedding_dropout, settings.relu_dropout, settings.residual_dropout
            heads, steps = sizes.attention_heads, sizes.time_steps
            return Transformers(
                width, heads, layers, steps, Dropouts(attention, *inner), pairs, settings.legacy_positions
            )

        self.cross = transformers(sizes.width, sizes.cross_layers, [source for _, source in PAIRS], PAIRS)
        self.memory = transformers(2 * sizes.width, sizes.memory_layers, 3 * [MODALITIES.index("text")], ())
        width = 6 * sizes.width
        self.block = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(), nn.Dropout(settings.output_dropout), nn.Linear(width, width)
        )
        self.last = nn.Linear(width, classes)

    def forward(self, x: Mapping[str, Tensor]) -> Tensor:
        """Logits (batch, classes) of all three modalities, each (batch, width, time_steps)."""
        crossed = self.cross(torch.stack([x[modality].transpose(1, 2) for modality in MODALITIES])).unbind()
        seen = [
            torch.cat([part for part, (asking, _) in zip(crossed, PAIRS, strict=True) if asking == target], dim=2)
            for target in range(len(MODALITIES))
        ]
        joined = self.memory(torch.stack(seen), last=True)[:, :, 0].transpose(0, 1).flatten(1)
        logits: Tensor = self.last(joined + self.block(joined))
        return logits
