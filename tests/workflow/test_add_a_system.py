"""docs/add-a-system.md, executed: its files are written, its entries configured, and Table 2 has columns for them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import yaml

from extractors.files import read_csv, read_json
from tests.workflow.project import ROOT, Project

PAGE = (ROOT / "docs" / "add-a-system.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def block(language: str) -> str:
    (text,) = blocks(language)
    return text


@pytest.fixture
def project(tmp_path: Path, finished: Project) -> Project:
    """A copy of a finished run, with the page's files and their entries beside another system."""
    made = Project(tmp_path / "project")
    shutil.copytree(finished.folder, made.folder)
    for name, text in zip(("vote", "nearest"), blocks("python"), strict=True):
        (made.folder / f"cmarr/systems/{name}.py").write_text(text)
    content = yaml.safe_load((finished.folder / "small.yaml").read_text())
    cm_arr = content["systems"]["cm_arr"]
    content |= {
        "systems": yaml.safe_load(block("yaml"))["systems"] | {"cm_arr": cm_arr},
        "variants": ["vote-dropout-0"],
    }
    (made.folder / "small.yaml").write_text(yaml.safe_dump(content))
    return made


def test_a_system_is_one_file_and_one_entry(project: Project) -> None:
    (command,) = block("sh").splitlines()
    words = command.removeprefix("snakemake --cores 2 ").split()
    job = project.snakemake(*words)
    assert job.returncode == 0, job.stdout
    rows = read_csv(project.folder / "results/table2.csv")
    assert list(dict.fromkeys(row["system"] for row in rows)) == ["cm_arr", "nearest", "vote", "vote-dropout-0"]
    record = read_json(project.folder / "results/models/iemocap/vote/fold1/seed1/record.json")
    assert record["settings"]["dropout"] == 0.1
    assert record["settings"]["training"]["epochs"] == 20
    means = {row["system"]: float(row["uar_mean"]) for row in rows if row["condition"] == "svt"}
    assert min(means["vote"], means["nearest"]) > 40  # the demo's features tell the four classes
    assert {row["epochs"] for row in rows if row["system"] == "nearest"} == {""}
    told = " ".join((project.folder / "results/table2.txt").read_text().split())
    assert "Solved for, not trained in epochs: nearest." in told
    curve = "results/figures/learning/iemocap/nearest.png"
    assert project.snakemake(curve).returncode == 0

    module = project.folder / "cmarr/systems/vote.py"
    module.write_text(module.read_text().replace("logits = 0\n", "logits = 0.0\n"))
    assert project.planned("results/table2.csv")["train"] == 6  # three folds of the system and of its variant


def test_a_mistyped_key_of_ones_own_system_is_named(project: Project) -> None:
    text = (project.folder / "small.yaml").read_text()
    (project.folder / "small.yaml").write_text(text.replace("dropout: 0.1", "dropuot: 0.1"))
    job = project.snakemake("--dry-run", "results/table2.csv")
    assert job.returncode != 0
    assert "unknown key `dropuot` under `systems.vote`: did you mean `dropout`?" in job.stdout


def test_a_name_without_a_file_is_a_typing_error(project: Project) -> None:
    (project.folder / "cmarr/systems/vote.py").unlink()
    job = project.snakemake("--dry-run", "results/table2.csv")
    assert "unknown key `vote` under `systems`: " in job.stdout
