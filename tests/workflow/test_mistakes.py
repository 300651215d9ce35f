"""Mistakes on the command line, and jobs that outlive their Snakemake."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tests.workflow.project import ROOT, Project, copy_project, small_config


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose corpus has label files and no media: enough to plan."""
    folder = tmp_path_factory.mktemp("mistakes")
    for session in (1, 2, 3):
        for part in ("EmoEvaluation", "transcriptions"):
            path = folder / f"raw/iemocap/Session{session}/dialog/{part}/Ses0{session}F_impro01.txt"
            path.parent.mkdir(parents=True)
            path.touch()
    (folder / "raw/bert").mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / "raw/bert" / name).write_text("{}")
    project = copy_project(folder / "project")
    config = small_config(folder / "raw", ("cm_arr", "baseline"))
    config["encoders"]["text"] = {"model": "hashing"}  # type: ignore[index]
    config["encoders"]["speech"] = {"model": "logmel"}  # type: ignore[index]
    (project.folder / "small.yaml").write_text(yaml.safe_dump(config))
    return project


RUN = "results/models/iemocap/cm_arr/{}/model.safetensors"


@pytest.mark.parametrize(
    ("target", "line"),
    [
        (RUN.format("fold9/seed1"), "iemocap has no fold 9 (protocol clean): name one of 1, 2, 3"),
        ("results/predictions/iemocap/cm_arr-protocol-mmin_script/fold7/seed1/svt.csv",
         "iemocap has no fold 7 (protocol mmin_script): name one of 1, 2, 3, 4, 5, 6"),
        ("results/features/iemocap/shards/text/session9.h5", "iemocap has no session 9: name one of 1, 2, 3"),
        ("results/tabel2.csv", "no rule makes results/tabel2.csv ({}, results in results): did you mean results/"),
        (RUN.format("fold1/seed1").replace("cm_arr", "cmarr"), "no rule makes results/models/iemocap/cmarr/"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line_and_nothing_is_planned(project: Project, target: str, line: str) -> None:
    job = project.snakemake("--dry-run", target)
    assert job.returncode == 1
    assert "Traceback" not in job.stdout
    assert "Job stats" not in job.stdout
    told = job.stdout.splitlines()[-1]
    assert told.startswith("error: " + line.format(project.folder / "small.yaml"))


def test_a_seed_that_is_not_configured_may_be_asked_for(project: Project) -> None:
    assert project.planned(RUN.format("fold1/seed77"))["train"] == 1


def test_a_dry_run_says_why_a_job_would_run(project: Project) -> None:
    shown = project.snakemake("--dry-run", "results/table1.csv").stdout
    assert "Reason: Missing output files: results/table1.csv" in shown


def test_a_job_outlives_its_snakemake_and_no_second_one_is_started_beside_it(raw: Path, tmp_path: Path) -> None:
    """`kill -9` of Snakemake alone; the job is held still while the next run is tried."""
    project = copy_project(tmp_path / "project")
    (project.folder / "small.yaml").write_text(yaml.safe_dump(small_config(raw, ("baseline",))))
    target = "results/features/iemocap/shards/video/session1.h5"
    made = project.snakemake("results/corpora/iemocap/manifest.csv")
    assert made.returncode == 0, made.stdout
    lock = project.folder / "results/features/iemocap/shards/video/.session1.parts/.lock"
    words = project.command(target, "--notemp", "--configfile", "small.yaml")
    with (tmp_path / "first.log").open("w") as log:
        first = subprocess.Popen(words, cwd=project.folder, stdout=log, stderr=log)
    while not (lock.exists() and lock.read_text()):
        time.sleep(0.001)
        assert first.poll() is None, (tmp_path / "first.log").read_text()
    pid, _ = json.loads(lock.read_text())
    os.kill(pid, signal.SIGSTOP)
    try:
        first.kill()
        first.wait()
        assert project.snakemake("--unlock").returncode == 0
        second = project.snakemake(target, "--notemp")
        assert second.returncode == 1
        assert f"error: {target}: process {pid} on " in second.stdout
        assert lock.exists()
    finally:
        os.kill(pid, signal.SIGCONT)
    while lock.exists():
        time.sleep(0.1)
    third = project.snakemake(target, "--notemp")
    assert third.returncode == 0, third.stdout
    assert (project.folder / target).exists()
    assert not list((project.folder / "results").rglob(".*"))


def test_make_says_that_there_is_no_such_python(tmp_path: Path) -> None:
    (tmp_path / "envs").mkdir()
    (tmp_path / "envs/requirements.lock").touch()
    (tmp_path / "Makefile").write_text((ROOT / "Makefile").read_text())
    for python, words in (
        ("python3.42", "there is no python3.42; run make PYTHON="),
        ("false", "older than Python 3.11"),
    ):
        job = subprocess.run(["make", "environment", f"PYTHON={python}"], cwd=tmp_path, capture_output=True, text=True)
        assert job.returncode == 2
        (line,) = [line for line in job.stdout.splitlines() if line.startswith("error: ")]
        assert words in line
