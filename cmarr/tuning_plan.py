"""What the rules of tuning need to know about the experiment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cmarr.config import settings_of
from cmarr.ending import one_line, stop
from cmarr.settings.tuning import ONE_FOLD, PROTOCOLS
from cmarr.variants import base
from cmarr.workflow import Plan, as_json
from extractors.errors import UserError


class TuningPlan:
    """Tuning as the rules see it; it starts from `systems`, whatever was tuned before."""

    def __init__(self, plan: Plan, content: Mapping[str, Any]) -> None:
        """`content`: the merged configuration of Snakemake."""
        self._plan = plan
        self._config = plan.config.model_copy(update={"tuned": {}})
        self.configuration = json.dumps({key: value for key, value in content.items() if key != "tuned"})
        spaces = {name: each.space() for name, each in plan.config.systems.chosen().items()}
        self.systems = [name for name, space in spaces.items() if space]
        self.left_out = [name for name, space in spaces.items() if not space]
        """systems without a search space"""

    def files(self, name: str) -> list[str]:
        """A file of every tuning; ends the program when no system has a search space."""
        if not self.systems:
            stop(UserError(f"nothing to tune: {', '.join(self.left_out)} have no search space (docs/tuning.md)"))
        plan = self._plan
        return [f"{plan.results}/tuning/{corpus}/{each}/{name}" for corpus in plan.corpora for each in self.systems]

    def folds(self, corpus: str, system: str) -> str:
        """File with the folds; ends the program when there is nothing to tune, or nothing to tune by."""
        plan, protocol = self._plan, self._plan.config.protocol
        if system not in self.systems:
            why = f"is a variant: tune {base(system)}" if system != base(system) else "has no search space"
            stop(UserError(f"tuning: {system} {why} (docs/tuning.md)"))
        if protocol not in PROTOCOLS:
            stop(UserError(f"tuning: protocol {protocol} has no validation utterances to score; set `protocol: clean`"))
        there = plan.folds(corpus)
        if unknown := [fold for fold in plan.config.tuning.folds or () if fold not in there]:
            stop(UserError(f"tuning.folds: {corpus} has no fold {unknown[0]}; name some of {', '.join(there)}"))
        if protocol in ONE_FOLD and len(plan.config.tuning.folds or there) > 1:
            stop(
                UserError(
                    f"tuning: under {protocol} folds validate on each other's test utterances; name one fold, such as "
                    f'`tuning.folds: ["{there[0]}"]`'
                )
            )
        return f"{plan.results}/folds/{corpus}/{protocol}.json"

    def system(self, name: str, corpus: str) -> str:
        """Settings of a system for a corpus as they are configured, as JSON; ends the program if there are none."""
        with one_line():
            return as_json(settings_of(self._config, name, corpus))

    @property
    def budget(self) -> str:
        """Arguments that are the same for every system."""
        tuning = self._config.tuning
        size = f" --batch-size {tuning.batch_size}" if tuning.batch_size else ""
        folds = f" --fold {' '.join(tuning.folds)}" if tuning.folds else ""
        return f"--trials {tuning.trials} --steps {tuning.steps} --seed {tuning.seed}{size}{folds}"
