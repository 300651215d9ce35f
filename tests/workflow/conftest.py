"""A small synthetic corpus and a project in which the whole workflow has run."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from extractors.demo import build
from tests.workflow.project import Project, copy_project, small_config


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic corpus of three sessions, with its encoders."""
    folder = tmp_path_factory.mktemp("raw") / "demo"
    build(folder, seed=1, sessions=3, utterances_per_speaker=8)
    return folder


@pytest.fixture(scope="session")
def finished(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose whole workflow has run once, without a break."""
    project = copy_project(tmp_path_factory.mktemp("finished") / "project")
    (project.folder / "small.yaml").write_text(yaml.safe_dump(small_config(raw)))
    job = project.snakemake()
    assert job.returncode == 0, job.stdout
    return project
