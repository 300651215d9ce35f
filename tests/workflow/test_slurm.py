"""The Slurm profile on a real cluster; `.ci/slurm` starts one of one node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import copy_project, small_config


def cluster_answers() -> bool:
    return (
        shutil.which("sinfo") is not None and subprocess.run(["sinfo"], capture_output=True, timeout=30).returncode == 0
    )


pytestmark = pytest.mark.skipif(not cluster_answers(), reason="no Slurm cluster (see .ci/slurm)")


def test_jobs_run_on_the_cluster(raw: Path, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    (project.folder / "small.yaml").write_text(yaml.safe_dump(small_config(raw)))
    job = project.snakemake(
        "results/features/iemocap/text.h5", "--workflow-profile", "profiles/slurm",
        "--set-resources", "extract:gpu=0", "extract:mem_mb=1500", "--slurm-no-account",
        "--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "5",
    )  # fmt: skip
    assert job.returncode == 0, job.stdout
    assert job.stdout.count("has been submitted with SLURM jobid") == 5  # manifest, three sessions, pack
    assert (project.folder / "results/features/iemocap/text.h5").exists()
