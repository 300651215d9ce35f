"""Exponential moving average of the weights that a stage trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from cmarr.systems.base import Stage


class WeightAverage:
    """After step t of the stage, from 1: average += (1 - d) (weights - average), d = min(decay, (1 + t) / (10 + t)).

    At first d is small, so that the weights at the beginning are soon forgotten. The average starts from them. Buffers
    and weights that the stage does not train are not averaged.
    """

    def __init__(self, system: nn.Module, stage: Stage, decay: float) -> None:
        self._decay = decay
        self._trained = list(dict.fromkeys(weight for part in stage.trained for weight in part.parameters()))
        self._means = [weight.detach().clone() for weight in self._trained]
        places = {weight: place for place, weight in enumerate(self._trained)}
        known = system.state_dict(keep_vars=True).items()
        self._places = {name: places[weight] for name, weight in known if weight in places}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted over the stage from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))
        for mean, weight in zip(self._means, self._trained, strict=True):
            mean.lerp_(weight, 1 - decay)

    def state_dict(self) -> dict[str, Tensor]:
        """Averages by their names in the system's state; shared weights have several."""
        return {name: self._means[place] for name, place in self._places.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state_dict` gave."""
        for name, place in self._places.items():
            self._means[place].copy_(state[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The system has the averages within the block, and its own weights again behind it."""
        own = [weight.detach().clone() for weight in self._trained]
        try:
            self._fill(self._means)
            yield
        finally:
            self._fill(own)

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for weight, value in zip(self._trained, values, strict=True):
            weight.copy_(value)
