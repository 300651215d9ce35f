"""The linear reference: multinomial logistic regression on means over time, a model per condition."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.resample import mean_over_time
from cmarr.blocks.rows import rows_of, spread
from cmarr.choice import Choice
from cmarr.data import Dataset
from cmarr.settings import AnySystem, Linear
from cmarr.systems.base import SolvedModule
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability, present
from extractors.files import UserError

LOG = logging.getLogger("cmarr")
UTTERANCES_AT_ONCE = 64
TOLERANCE, MOST_ITERATIONS = 1e-4, 1000
"""of the solver: largest entry of the gradient of the mean loss, and when to stop without"""


class LinearSystem(SolvedModule):
    """Seven linear maps, each from the standardised means of the modalities that its condition has."""

    def __init__(self, settings: Linear, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        self.settings, self.classes = settings, classes
        self.maps = nn.ModuleDict({c: nn.Linear(sum(dims[m] for m in present(c)), classes) for c in CONDITIONS})
        for modality in MODALITIES:
            self.register_buffer(f"{modality}_mean", torch.zeros(dims[modality]))
            self.register_buffer(f"{modality}_deviation", torch.ones(dims[modality]))

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes); each row by the map of its own condition."""
        device = next(iter(batch.features.values())).device
        logits = torch.zeros(len(batch.available), self.classes, device=device)
        for condition in CONDITIONS:
            rows = rows_of((batch.available == torch.tensor(availability(condition))).all(dim=1), device)
            if len(rows):
                means = [
                    self._standardised(m, mean_over_time(batch.features[m][rows], batch.lengths[m][rows]))
                    for m in present(condition)
                ]
                logits = logits + spread(self.maps[condition](torch.cat(means, dim=1)), rows, len(logits))
        return logits

    def _standardised(self, modality: str, means: Tensor) -> Tensor:
        standardised: Tensor = (means - getattr(self, f"{modality}_mean")) / getattr(self, f"{modality}_deviation")
        return standardised

    def solve(self, data: Dataset, train: Tensor, judged: Tensor, choice: Choice) -> list[dict[str, Any]]:
        """A row per condition and C, with its score on the judged utterances; UserError with a single class."""
        labels, count = data.labels.cpu()[torch.cat([train, judged])].numpy(), len(train)
        if len(np.unique(labels[:count])) < 2:
            raise UserError("linear: all training utterances of the fold have one class; take its session out")
        inputs = {}
        for modality in MODALITIES:
            parts = torch.cat([train, judged]).split(UTTERANCES_AT_ONCE)
            means = torch.cat([mean_over_time(*data.packed[modality].gather(part)) for part in parts]).double()
            deviation, mean = torch.std_mean(means[:count], dim=0, correction=0)
            getattr(self, f"{modality}_mean").copy_(mean)
            getattr(self, f"{modality}_deviation").copy_(torch.where(deviation > 1e-8, deviation, 1.0))
            inputs[modality] = self._standardised(modality, means).cpu().numpy()
        history = []
        for condition in CONDITIONS:
            x = np.concatenate([inputs[modality] for modality in present(condition)], axis=1)
            best: dict[str, Any] = {}
            for row, weight, bias in self._candidates(condition, x[:count], labels[:count], bool(len(judged))):
                if len(judged):
                    guesses = (x[count:] @ weight.T + bias).argmax(axis=1)
                    row |= choice.scores(labels[count:], {condition: guesses}, self.classes)
                if not best or row[choice.column] > best[choice.column]:
                    best = row
                    solved = {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
                    self.maps[condition].load_state_dict(solved)
                history.append(row)
            best["kept"] = 1
            LOG.info("%s: C %g is kept%s", condition, best["candidate"], _score(best, choice))
        return history

    def _candidates(
        self, condition: str, x: NDArray[np.float64], labels: NDArray[np.int64], chosen: bool
    ) -> Iterator[tuple[dict[str, Any], NDArray[np.float64], NDArray[np.float64]]]:
        """Row of the history, weights (classes, dim) and biases (classes,) per C, which rises.

        Each starts from the one before. A class without an utterance has a bias of -inf.
        """
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        weights = None if self.settings.class_weight == "none" else self.settings.class_weight
        model = LogisticRegression(class_weight=weights, warm_start=True, tol=TOLERANCE, max_iter=MOST_ITERATIONS)
        for c in sorted(self.settings.c) if chosen else [self.settings.c_unchosen]:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model.set_params(C=c).fit(x, labels)
            iterations = int(model.n_iter_.max())
            if iterations >= MOST_ITERATIONS:
                LOG.warning("%s, C %g: stopped after %d iterations, before its optimum", condition, c, iterations)
            weight, bias = np.zeros((self.classes, x.shape[1])), np.full(self.classes, -np.inf)
            bias[model.classes_] = 0
            there = model.classes_[-len(model.coef_) :]  # of two classes, the weights of the second one alone
            weight[there], bias[there] = model.coef_, model.intercept_
            yield {"stage": condition, "candidate": c, "iterations": iterations, "kept": 0}, weight, bias


def _score(row: dict[str, Any], choice: Choice) -> str:
    return f", {choice.column} {row[choice.column]:.2f} %" if choice.column in row else ""


def build(settings: AnySystem, dims: dict[str, int], classes: int) -> SolvedModule:
    """A fresh one; ValueError when the settings are another system's."""
    if not isinstance(settings, Linear):
        raise ValueError(f"linear needs Linear settings, not {type(settings).__name__}")
    return LinearSystem(settings, dims, classes)
