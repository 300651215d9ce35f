"""The trials of one tuning: Optuna's sampler and journal, so that a killed one goes on as if nothing had been."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cmarr.seeds import derive
from cmarr.settings.space import Options, Range, Value
from extractors.errors import UserError

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

RANDOM_TRIALS = 6
"""the configured settings and random ones, before the sampler has anything to learn from"""
RECORD = "record"


@dataclass(frozen=True)
class Tried:
    """A trial that has ended."""

    values: dict[str, Value]
    """by setting"""
    score: float | None
    """None when the training failed"""
    record: dict[str, Any]
    """what else was told of it"""


class Study:
    """A journal file in a folder, one per `fingerprint` of everything that a score depends on.

    Trials are numbered by how many have ended before. What is tried next depends on that number, the seed and the
    scores so far alone: a trial in which the process was killed is repeated with the same settings, and a study that
    goes on later equals one that was not interrupted. One process at a time.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        space: Mapping[str, Range | Options],
        first: Mapping[str, Value],
        seed: int,
    ) -> None:
        """`first`: values of the first trial, which the `space` has."""
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
        from optuna.trial import TrialState

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        path = folder / f"{fingerprint}.journal"
        _mend(path)
        backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
        self._study = optuna.create_study(
            storage=JournalStorage(backend), study_name="tuning", direction="maximize", load_if_exists=True
        )
        self._space = {name: _distribution(each) for name, each in space.items()}
        self._first, self._seed = dict(first), seed
        self._waiting, self._ended = (TrialState.WAITING,), (TrialState.COMPLETE, TrialState.PRUNED)
        for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(left.number, state=TrialState.FAIL)

    def tried(self) -> list[Tried]:
        """Trials that have ended, in order."""
        found = self._study.get_trials(deepcopy=False, states=self._ended)
        return [Tried(dict(each.params), each.value, dict(each.user_attrs[RECORD])) for each in found]

    def ask(self) -> Trial:
        """The next trial, whose `params` are the values to try."""
        from optuna.samplers import TPESampler

        number = len(self.tried())
        if number == 0 and not self._study.get_trials(deepcopy=False, states=self._waiting):
            self._study.enqueue_trial(self._first)
        seed = derive("tuning", self._seed, number) % 2**32
        self._study.sampler = TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS)
        return self._study.ask(self._space)

    def tell(self, trial: Trial, score: float | None, record: Mapping[str, Any]) -> None:
        """End a trial. Settings whose training fails (`score` None) count as worse than all others."""
        from optuna.trial import TrialState

        trial.set_user_attr(RECORD, dict(record))
        self._study.tell(trial, score, state=None if score is not None else TrialState.PRUNED)


def _distribution(dimension: Range | Options) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(dimension, Range):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log)
    return CategoricalDistribution(dimension.values)


def _mend(path: Path) -> None:
    """Take off a last line that was being written when the process or the machine died, and its lock.

    UserError when another line is damaged.
    """
    path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
    if not path.is_file():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as stream:
            stream.truncate(whole)
    for number, line in enumerate(content[:whole].splitlines(), 1):
        if not _is_entry(line):
            raise UserError(f"{path}: line {number} is damaged; delete the file to begin this tuning again")


def _is_entry(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and "op_code" in entry
