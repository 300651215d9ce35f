"""DiCMoR's published forward and losses, step by step, with the weights of a `DicmorSystem`: slow and obvious.

It follows mdswyz/DiCMoR (trains/singleTask/model: dicmor.py, glow.py, rcan.py) and MulT's modules: a pattern per batch,
flows on (batch, width, time, 1), a loop over samples for their priors, inversions that are detached afterwards,
transformers with time first. Classes in place of regression, sequences resampled to equal lengths and projected to the
same length are those of DiCMoR+; the reconstruction module is the project's, which is the public code's layer by layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from cmarr.blocks.coupling_stack import CouplingStack
from cmarr.blocks.mult import PAIRS, Layer, Linears, Norms, Transformers
from cmarr.blocks.rcab import reconstruction
from cmarr.systems.dicmor import DicmorSystem
from cmarr.vocabulary import MODALITIES, availability

Copies = Iterator[tuple[Tensor, Tensor]]
"""pairs of a part of the system's parameter and of the published one, of equal shape; views, so they can be written"""


class ZeroConv(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 1)
        nn.init.zeros_(self.conv.weight)
        nn.init.zeros_(self.conv.bias)
        self.scale = nn.Parameter(torch.zeros(1, outputs, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) * torch.exp(self.scale * 3)


class Coupling(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(width // 2, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, hidden, 1),
            nn.ReLU(inplace=True),
            ZeroConv(hidden, width),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        first, second = x.chunk(2, 1)
        logit, shift = self.net(first).chunk(2, 1)
        s = torch.sigmoid(logit + 2)
        return torch.cat([first, (second + shift) * s], 1), torch.log(s).view(len(x), -1).sum(1)

    def reverse(self, z: Tensor) -> Tensor:
        first, second = z.chunk(2, 1)
        logit, shift = self.net(first).chunk(2, 1)
        return torch.cat([first, second / torch.sigmoid(logit + 2) - shift], 1)


class Glow(nn.Module):
    def __init__(self, width: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.steps = nn.ModuleList(Coupling(width, hidden) for _ in range(steps))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        log_det = torch.zeros(len(x))
        for step in self.steps:
            x, change = step(x)
            log_det = log_det + change
        return x, log_det

    def reverse(self, z: Tensor) -> Tensor:
        for step in reversed(self.steps):
            z = step.reverse(z)
        return z


class Attention(nn.Module):
    """MulT's, of (time, batch, width)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, query: Tensor, source: Tensor, mask: Tensor) -> Tensor:
        time, batch, width = query.shape
        size = width // self.heads
        q = functional.linear(query, self.in_proj_weight[:width], self.in_proj_bias[:width]) * size**-0.5
        k, v = functional.linear(source, self.in_proj_weight[width:], self.in_proj_bias[width:]).chunk(2, dim=-1)
        q, k, v = (part.contiguous().view(-1, batch * self.heads, size).transpose(0, 1) for part in (q, k, v))
        weights = functional.softmax(torch.bmm(q, k.transpose(1, 2)) + mask, dim=-1)
        mixed = torch.bmm(functional.dropout(weights, self.dropout, self.training), v)
        return self.out_proj(mixed.transpose(0, 1).contiguous().view(time, batch, width))


class EncoderLayer(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = Attention(width, heads, dropout)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor, source: Tensor | None) -> Tensor:
        mask = torch.triu(torch.full((len(x), len(x)), -math.inf), 1)
        normed = self.norms[0](x)
        x = x + self.attention(normed, normed if source is None else self.norms[0](source), mask)
        return x + self.fc2(functional.relu(self.fc1(self.norms[1](x))))


class Encoder(nn.Module):
    def __init__(self, width: int, heads: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        x = self.placed(x)
        source = None if source is None else self.placed(source)
        for layer in self.layers:
            x = layer(x, source)
        return self.norm(x)

    def placed(self, x: Tensor) -> Tensor:
        half = x.shape[2] // 2
        rates = torch.exp(torch.arange(half) * -(math.log(10000) / (half - 1)))
        angles = torch.arange(1, len(x) + 1)[:, None] * rates
        positions = torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)
        return math.sqrt(x.shape[2]) * x + positions[:, None]


class Published(nn.Module):
    """The public code's model with a system's sizes, dropouts and weights; only `combine: code` and `flow: code`."""

    def __init__(self, system: DicmorSystem) -> None:
        super().__init__()
        self.settings = settings = system.settings
        sizes = settings.sizes()
        d, classes = sizes.width, len(system.prior.mean)
        dropout = {m: getattr(settings, f"{m}_attention_dropout") for m in MODALITIES}

        def encoder(width: int, layers: int, modality: str) -> Encoder:
            return Encoder(width, sizes.attention_heads, layers, dropout[modality])

        self.project = nn.ModuleDict(
            {
                m: nn.Conv1d(
                    system.project[m].convolution.in_channels,
                    d,
                    settings.kernel,
                    padding=settings.kernel // 2,
                    bias=False,
                )
                for m in MODALITIES
            }
        )
        self.flow = nn.ModuleDict({m: Glow(d, sizes.flow_hidden, sizes.flow_steps) for m in MODALITIES})
        self.priors = nn.ModuleList(ZeroConv(d, 2 * d) for _ in range(classes))
        self.cat = nn.ModuleDict({m: nn.Conv1d(2 * d, d, 1) for m in MODALITIES})
        self.rec = nn.ModuleDict({m: reconstruction(d, sizes.rcab_blocks) for m in MODALITIES})
        for module in self.rec.modules():
            if isinstance(module, nn.ReLU):
                module.inplace = True
        self.cross = nn.ModuleDict(
            {
                f"{one}_with_{other}": encoder(d, sizes.cross_layers, other)
                for one in MODALITIES
                for other in MODALITIES
                if one != other
            }
        )
        self.memory = nn.ModuleDict({m: encoder(2 * d, sizes.memory_layers, "text") for m in MODALITIES})
        self.proj1, self.proj2, self.out = nn.Linear(6 * d, 6 * d), nn.Linear(6 * d, 6 * d), nn.Linear(6 * d, classes)
        with torch.no_grad():
            for theirs, ours in self.pairs(system):
                ours.copy_(theirs)

    def forward(self, features: dict[str, Tensor], labels: Tensor, condition: str) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits (batch, classes) and loss parts of frames (batch, time, dim) that are resampled already."""
        text = functional.dropout(features["text"], self.settings.text_dropout, self.training)
        x = {m: self.project[m]((text if m == "text" else features[m]).transpose(1, 2)) for m in MODALITIES}
        true = dict(x)
        z, log_det = {}, {}
        for m in MODALITIES:
            z[m], log_det[m] = self.flow[m](x[m].unsqueeze(-1))
        log_p = dict.fromkeys(MODALITIES, torch.zeros(()))
        for sample, label in enumerate(labels.tolist()):
            zero = torch.zeros_like(z["text"][sample]).unsqueeze(0)
            mean, log_sd = self.priors[label](zero).chunk(2, 1)
            for m in MODALITIES:
                log_p[m] = log_p[m] + gaussian_log_p(z[m][sample].unsqueeze(0), mean, log_sd).sum()
        nll = torch.zeros(())
        for m in MODALITIES:
            bits = -(log_det[m].sum() + log_p[m]) / (math.log(2) * x[m].numel())
            nll = nll + torch.max(torch.zeros_like(bits), bits)
        available = [m for m, there in zip(MODALITIES, availability(condition), strict=True) if there]
        missing = [m for m in MODALITIES if m not in available]
        rec = torch.zeros(())
        for m in missing:
            estimates = [self.flow[m].reverse(z[other]).squeeze(-1).detach() for other in available]
            joined = estimates[0] if len(estimates) == 1 else self.cat[m](torch.cat(estimates, dim=1))
            x[m] = self.rec[m](joined)
            rec = rec + (x[m] - true[m].detach()).pow(2).sum() / x[m].numel() / len(missing)
        x = {m: value.permute(2, 0, 1) for m, value in x.items()}
        last = []
        for m in MODALITIES:
            others = [self.cross[f"{m}_with_{other}"](x[m], x[other]) for other in MODALITIES if other != m]
            last.append(self.memory[m](torch.cat(others, dim=2))[-1])
        h = torch.cat(last, dim=1)
        dropped = functional.dropout(functional.relu(self.proj1(h)), self.settings.output_dropout, self.training)
        logits = self.out(self.proj2(dropped) + h)
        cls = functional.cross_entropy(logits, labels)
        return logits, {"total": cls + 0.1 * (nll + rec), "cls": cls, "nll": nll, "rec": rec}

    def pairs(self, system: DicmorSystem, gradient: bool = False) -> Copies:
        """All of the system's weights, or gradients (zeros for none), part by part beside those here."""

        def value(parameter: Tensor) -> Tensor:
            if not gradient:
                return parameter
            return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad

        def of(module: nn.Module, name: str) -> Tensor:
            return value(getattr(module, name))

        def same(theirs: nn.Module, ours: nn.Module) -> Copies:
            for one, other in zip(theirs.parameters(), ours.parameters(), strict=True):
                yield value(one), value(other)

        def linear(theirs: Linears, ours: nn.Linear, number: int) -> Copies:
            yield of(theirs, "weight")[number].T, of(ours, "weight")
            yield of(theirs, "bias")[number, 0], of(ours, "bias")

        def norm(theirs: Norms, ours: nn.LayerNorm, number: int) -> Copies:
            yield of(theirs, "scale")[number, 0], of(ours, "weight")
            yield of(theirs, "shift")[number, 0], of(ours, "bias")

        def encoder(theirs: Transformers, ours: Encoder, number: int) -> Copies:
            yield from norm(theirs.norm, ours.norm, number)
            for one, other in zip(theirs.layers, ours.layers, strict=True):
                assert isinstance(one, Layer)
                yield of(one.query_key_value, "weight")[number].T, of(other.attention, "in_proj_weight")
                yield of(one.query_key_value, "bias")[number, 0], of(other.attention, "in_proj_bias")
                yield from linear(one.out, other.attention.out_proj, number)
                yield from linear(one.widen, other.fc1, number)
                yield from linear(one.narrow, other.fc2, number)
                yield from norm(one.norm, other.norms[0], number)
                yield from norm(one.feed_forward_norm, other.norms[1], number)

        def flow(theirs: CouplingStack, ours: Glow) -> Copies:
            for number, step in enumerate(ours.steps):
                for index, conv in enumerate((step.net[0], step.net[2], step.net[4].conv)):
                    yield value(theirs.weights[index])[number].T, of(conv, "weight")[:, :, 0, 0]
                    yield value(theirs.biases[index])[number, 0], of(conv, "bias")
                yield of(theirs, "scale")[number, 0], of(step.net[4], "scale")[0, :, 0, 0]

        for number, m in enumerate(MODALITIES):
            branch = system.branch(m)
            yield from same(system.project[m], self.project[m])
            yield from flow(branch.flow, self.flow[m])
            yield from same(branch.join, self.cat[m])
            yield from same(branch.reconstruct, self.rec[m])
            yield from encoder(system.fuse.memory, self.memory[m], number)
        for number, (asking, asked) in enumerate(PAIRS):
            yield from encoder(system.fuse.cross, self.cross[f"{MODALITIES[asking]}_with_{MODALITIES[asked]}"], number)
        for label, prior in enumerate(self.priors):
            d = system.prior.mean.shape[1]
            yield of(system.prior, "mean")[label], of(prior.conv, "bias")[:d]
            yield of(system.prior, "log_sigma")[label], of(prior.conv, "bias")[d:]
        yield from same(system.fuse.block[0], self.proj1)
        yield from same(system.fuse.block[3], self.proj2)
        yield from same(system.fuse.last, self.out)


def gaussian_log_p(x: Tensor, mean: Tensor, log_sd: Tensor) -> Tensor:
    return -0.5 * math.log(2 * math.pi) - log_sd - 0.5 * (x - mean) ** 2 / torch.exp(2 * log_sd)
