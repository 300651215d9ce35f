"""The face encoder trained by the workflow on made-up rows of FER+, and used by it."""

from __future__ import annotations

from pathlib import Path

import yaml

from extractors.files import read_json
from tests.extractors.denseface.bands import write_bands
from tests.workflow.project import copy_project, small_config


def test_one_target_trains_and_evaluates_and_the_weights_can_be_used(raw: Path, tmp_path: Path) -> None:
    project = copy_project(tmp_path / "project")
    config = small_config(raw, systems=("baseline",))
    images, votes = write_bands(tmp_path, 4, 2)
    recipe = {"epochs": 1, "batch": 16, "sides": [16]}
    config["denseface"] = {"images": str(images), "votes": str(votes), "recipe": recipe}
    config["encoders"]["video"]["weights"] = "results/denseface/weights.safetensors"  # type: ignore[index]
    (project.folder / "small.yaml").write_text(yaml.safe_dump(config))
    config["corpora"]["iemocap"]["root"] = "none"  # type: ignore[index]
    (project.folder / "no_corpus.yaml").write_text(yaml.safe_dump(config))
    target = "results/denseface/valid/scores.json"
    without = project.snakemake("--dry-run", target, configfile="no_corpus.yaml")
    assert without.returncode == 0, without.stdout
    refused = project.snakemake("--dry-run", configfile="no_corpus.yaml")
    assert refused.returncode == 1
    assert [line for line in refused.stdout.splitlines() if line.startswith("error: folder none is missing: set ")]
    assert project.planned(target) == {"denseface": 1, "denseface_evaluate": 1, "total": 2}
    assert project.planned()["denseface"] == 1  # the extraction of video needs the weights
    job = project.snakemake(target)
    assert job.returncode == 0, job.stdout
    made = project.folder / "results/denseface"
    assert read_json(made / "valid/scores.json")["faces"] == 16
    assert read_json(made / "record.json")["steps"] == 2
    assert (made / "curve.png").is_file()
    assert (made / "valid/confusion.png").is_file()
    assert not project.planned(target)
