"""Rules of tuning, planned only."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import Project, copy_project, small_config


@pytest.fixture(scope="module")
def project(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing has run."""
    made = copy_project(tmp_path_factory.mktemp("tuning") / "project")
    (made.folder / "small.yaml").write_text(yaml.safe_dump(small_config(raw)))
    return made


def test_tuning_is_a_job_for_each_system_on_each_corpus_and_trains_nothing_else(project: Project) -> None:
    jobs = {"manifest": 1, "extract": 9, "pack": 3, "folds": 1, "tune": 3, "tuned": 1}
    assert project.planned("results/tuned.yaml") == Counter(jobs | {"total": 18})
    assert project.planned("tuned") == Counter(jobs | {"total": 18})
    shown = project.snakemake("--dry-run", "--printshellcmds", "results/tuning/iemocap/mmin/chosen.json").stdout
    assert "--trials 20 --steps 2000 --seed 1 --threads 1 --out-dir results/tuning/iemocap/mmin" in shown


def test_nothing_is_tuned_unless_it_is_asked_for(project: Project) -> None:
    assert "tune" not in project.planned()


def test_what_was_tuned_is_what_is_trained(raw: Path, project: Project) -> None:
    tuned = {"iemocap": {"cm_arr": {"trials": 7, "steps": 60, "folds": ["1", "3"], "settings": {"beta": 0.37}}}}
    content = small_config(raw) | {"tuned": tuned, "variants": ["cm_arr-beta-0.5"]}
    (project.folder / "tuned.yaml").write_text(yaml.safe_dump(content))
    shown = project.snakemake("--dry-run", "--printshellcmds", "results/table2.csv", configfile="tuned.yaml").stdout
    lines = {
        system: [line for line in shown.splitlines() if f" --system {system} " in line and "cmarr train" in line]
        for system in ("cm_arr", "cm_arr-beta-0.5", "mmin")
    }
    for system, beta, trials in (("cm_arr", 0.37, 7), ("cm_arr-beta-0.5", 0.5, 7), ("mmin", None, 0)):
        assert len(lines[system]) == 3, shown
        assert all((f" --trials {trials} --tuned-on 1 3 --stores" in line) == bool(trials) for line in lines[system])
        assert all(("--trials" in line) == bool(trials) for line in lines[system])
        assert all(f'"beta": {beta},' in line for line in lines[system] if beta)


def test_a_protocol_without_validation_ends_with_one_line(raw: Path, project: Project) -> None:
    (project.folder / "last.yaml").write_text(yaml.safe_dump(small_config(raw) | {"protocol": "paper_last"}))
    job = project.snakemake("--dry-run", "results/tuned.yaml", configfile="last.yaml")
    assert job.returncode != 0
    line = "error: tuning: protocol paper_last has no validation utterances to score; set `protocol: clean`"
    assert job.stdout.splitlines()[-1] == line
    assert "Traceback" not in job.stdout
