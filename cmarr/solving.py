"""Systems whose weights are solved for: what `cmarr.engine.fit` is for those that are trained in epochs."""

from __future__ import annotations

import logging
import time

import torch

from cmarr.engine import Fit, Task, probabilities
from cmarr.systems.base import SolvedModule
from cmarr.vocabulary import CONDITIONS

LOG = logging.getLogger("cmarr")
WHOLE = "all"
"""stage of the last row of the history, which has the scores of the solved system as a whole"""


def solve(system: SolvedModule, task: Task) -> Fit:
    """Solve for the weights. A killed job starts anew: no state is published."""
    begin = time.monotonic()
    with torch.no_grad():
        history = system.solve(task.data, task.train, task.judged, task.choice)
    scores = {}
    if len(task.judged):
        guesses = {
            condition: probabilities(system, task.data, task.judged, condition).argmax(dim=1).cpu().numpy()
            for condition in CONDITIONS
        }
        labels = task.data.labels.cpu()[task.judged].numpy()
        scores = task.choice.scores(labels, guesses, len(task.data.classes))
    best = {name: value.detach().cpu().clone() for name, value in system.state_dict().items()}
    outcome = Fit(best, {}, 0, [*history, {"stage": WHOLE, **scores}], time.monotonic() - begin)
    LOG.info("solved in %.1f s", outcome.seconds)
    return outcome
