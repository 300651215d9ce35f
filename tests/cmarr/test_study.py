from __future__ import annotations

import subprocess
import sys
from math import log10
from pathlib import Path

import pytest

from cmarr.settings.space import Options, Range
from cmarr.study import Study, Tried
from extractors.errors import UserError

SPACE = {"training.learning_rate": Range(1e-5, 1e-1, log=True), "size": Options((None, 8, 16))}
FIRST = {"training.learning_rate": 1e-5, "size": 8}


def study(folder: Path, fingerprint: str = "f", seed: int = 1) -> Study:
    return Study(folder, fingerprint, SPACE, FIRST, seed)


def step(of: Study) -> None:
    trial = of.ask()
    rate, size = trial.params["training.learning_rate"], trial.params["size"]
    failed = size is None and rate > 1e-3
    of.tell(trial, None if failed else -abs(rate - 0.02) + (size == 16), {"rate": rate})


def test_the_first_trial_has_the_configured_values(tmp_path: Path) -> None:
    one = study(tmp_path)
    assert one.tried() == []
    step(one)
    assert one.tried() == [Tried(FIRST, -abs(1e-5 - 0.02), {"rate": 1e-5})]


def test_a_study_that_is_opened_for_every_trial_equals_one_that_is_not(tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole = study(tmp_path / "whole")
    for _ in range(16):
        step(whole)
        step(study(tmp_path / "parts"))
    assert study(tmp_path / "parts").tried() == whole.tried()
    assert len({each.values["training.learning_rate"] for each in whole.tried()}) == 16


def test_a_trial_in_which_the_process_died_is_repeated(tmp_path: Path) -> None:
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = study(tmp_path / "whole")
    for number in range(10):
        step(whole)
        if number in (0, 3, 8):
            lost = study(tmp_path / "killed").ask()
            assert study(tmp_path / "killed").ask().params == lost.params
        step(study(tmp_path / "killed"))
    assert study(tmp_path / "killed").tried() == whole.tried()


def test_a_half_written_line_and_a_lock_of_the_dead_are_taken_away(tmp_path: Path) -> None:
    one = study(tmp_path)
    step(one)
    step(one)
    path, expected = tmp_path / "f.journal", one.tried()
    whole = path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(whole[: last + 20])  # the end of the second trial is lost
    (tmp_path / "f.journal.lock").touch()
    assert len(study(tmp_path).tried()) == 1
    step(study(tmp_path))
    assert study(tmp_path).tried() == expected


@pytest.mark.parametrize("damage", [b"{", b"\xff", b"3", b"{}", b""])
def test_a_damaged_line_in_the_middle_is_named_with_its_file(tmp_path: Path, damage: bytes) -> None:
    step(study(tmp_path))
    path = tmp_path / "f.journal"
    first, _, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, damage + b"\n", *rest]))
    with pytest.raises(UserError, match=r"f\.journal: line 2 is damaged; delete the file") as caught:
        study(tmp_path)
    assert "\n" not in str(caught.value)


def test_better_settings_are_found_than_by_chance(tmp_path: Path) -> None:
    one = Study(tmp_path, "f", {"rate": Range(1e-5, 1e-1, log=True)}, {"rate": 1e-5}, 1)
    for _ in range(30):
        trial = one.ask()
        one.tell(trial, -abs(log10(trial.params["rate"]) + 2), {})
    distances = sorted(abs(log10(float(each.values["rate"] or 0)) + 2) for each in one.tried()[15:])
    assert distances[7] < 0.5  # of rates by chance the median is 1 decade away


def test_another_fingerprint_is_another_study_and_the_old_one_stays(tmp_path: Path) -> None:
    one = study(tmp_path)
    step(one)
    other = study(tmp_path, "g")
    assert other.tried() == []
    step(other)
    assert len(study(tmp_path).tried()) == 1


def test_the_journal_is_text_and_optuna_is_imported_by_tuning_alone(tmp_path: Path) -> None:
    step(study(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["f.journal"]
    assert (tmp_path / "f.journal").read_text().startswith("{")
    code = "import sys, cmarr.train, cmarr.workflow, cmarr.study; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
