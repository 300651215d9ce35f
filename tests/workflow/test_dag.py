"""Whole runs of the workflow on a small synthetic corpus."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import h5py
import yaml

from cmarr.vocabulary import CONDITIONS
from extractors.denseface.network import SHIPPED_SHA256
from extractors.files import read_csv
from tests.workflow.project import Project, copy_project, small_config

SYSTEMS, FOLDS = ("mmin", "cm_arr"), ("1", "2", "3")
STUDIES = ("table2", "table3", "fig4", "protocols")
OF_TABLE_2 = {
    "table2": 1, "significance": 1, "figures": 1, "missing_rate": 1, "recall": 1, "confusion": 2, "all": 1,
}  # fmt: skip
OF_CM_ARR = OF_TABLE_2 | {"scores": 4, "table3": 1, "fig4": 1, "fig5": 1, "protocols": 1}
"""jobs after the predictions, when those of cm_arr change"""
WHOLE = {
    "manifest": 1, "extract": 9, "pack": 3, "folds": 2, "train": 20, "predict": 19, "represent": 2, "table1": 1,
    "learning": 2,
} | OF_CM_ARR  # fmt: skip


def total(counts: dict[str, int]) -> Counter[str]:
    return Counter(counts) + Counter({"total": sum(counts.values())})


def test_a_bare_run_makes_every_table_and_figure(finished: Project) -> None:
    results = finished.folder / "results"
    table = read_csv(results / "table2.csv")
    assert len(table) == len(SYSTEMS) * 8
    assert {row["folds"] for row in table} == {"3"}
    rows = {study: read_csv(results / f"scores/{study}.csv") for study in STUDIES}
    columns = {study: list(dict.fromkeys(row["system"] for row in found)) for study, found in rows.items()}
    assert columns == {
        "table2": list(SYSTEMS),
        "table3": ["baseline", "cm_arr-ablation-no_udcl", "cm_arr"],
        "fig4": ["cm_arr-alpha-0.5", "cm_arr"],
        "protocols": ["mmin", "cm_arr", *(f"{system}-protocol-paper_besttest" for system in SYSTEMS)],
    }
    assert [len(found) for found in rows.values()] == [count * len(CONDITIONS) for count in (6, 9, 2, 12)]
    assert len(read_csv(results / "confusions/fig4.csv")) == 2 * len(CONDITIONS) * 16
    assert sorted(path.name for path in (results / "models/iemocap").iterdir()) == [
        "baseline", "cm_arr", "cm_arr-ablation-no_udcl", "cm_arr-alpha-0-beta-0", "cm_arr-alpha-0.5",
        "cm_arr-protocol-paper_besttest", "mmin", "mmin-protocol-paper_besttest",
    ]  # fmt: skip
    for name in ("table1", "table2_paper", "table3", "fig4", "fig5", "recall", "missing_rate", "significance"):
        assert read_csv(results / f"{name}.csv"), name
    flattered = read_csv(results / "protocols.csv")
    assert {row["other_protocol"] for row in flattered} == {"paper_besttest"}
    pictures = ["fig4", "fig5", "figures/conditions", "figures/missing_rate", "figures/significance"]
    pictures += [f"figures/{kind}/iemocap/{system}" for kind in ("learning", "confusion") for system in SYSTEMS]
    for name in pictures:
        assert (results / f"{name}.png").stat().st_size > 10_000, name


def test_every_made_file_says_where_its_data_come_from(finished: Project) -> None:
    results = finished.folder / "results"
    tables = sorted(results.rglob("*.csv"))
    assert len(tables) > 50
    for path in tables:
        with path.open(newline="") as stream:
            reader = csv.DictReader(stream)
            assert "origin" in (reader.fieldnames or []), path
            expected = "published" if path.name == "table2_paper.csv" else "synthetic"
            assert all(row["origin"] == expected for row in reader), path
    for path in results.rglob("*.json"):
        assert json.loads(path.read_text())["origin"] == "synthetic", path
    for path in results.rglob("*.h5"):
        with h5py.File(path) as file:
            assert file.attrs["origin"].decode() == "synthetic"
    for name in ("table2.md", "table2.tex", "table2.txt", "table3.md", "protocols.md"):
        assert "synthetic" in (results / name).read_text()
    for path in results.rglob("record.json"):
        encoders = [store["encoder"] for store in json.loads(path.read_text())["inputs"].values() if "encoder" in store]
        assert f"denseface ferplus:{SHIPPED_SHA256[:12]}" in encoders


def test_every_job_wrote_a_log_and_a_benchmark(finished: Project) -> None:
    results = finished.folder / "results"
    jobs = sum(WHOLE.values()) - WHOLE["all"]
    assert len(list((results / "logs").rglob("*.log"))) == jobs
    assert len(list((results / "benchmarks").rglob("*.tsv"))) == jobs


def test_a_finished_run_repeated_has_nothing_to_do(finished: Project) -> None:
    assert finished.planned() == Counter()


def test_forcing_one_model_runs_its_fold_and_what_depends_on_it(finished: Project) -> None:
    model = "results/models/iemocap/cm_arr/fold3/seed1/model.safetensors"
    of_fold = {"train": 1, "predict": 1, "learning": 1, "scores": 3, "table3": 1, "protocols": 1} | OF_TABLE_2
    assert finished.planned("-R", model) == total(of_fold)
    job = finished.snakemake("-R", model)
    assert job.returncode == 0, job.stdout
    assert finished.planned() == Counter()


def test_an_edit_of_stage_2_trains_again_but_extracts_nothing(finished: Project) -> None:
    path = finished.folder / "cmarr/engine.py"
    before = path.read_text()
    path.write_text(before + "\nEDITED = 1\n")
    again = {name: WHOLE[name] for name in ("train", "predict", "represent", "learning")}
    assert finished.planned() == total(again | OF_CM_ARR)
    path.write_text(before + "\n# a comment\n")
    assert finished.planned() == Counter()
    path.write_text(before)


def test_an_edit_of_one_system_trains_that_system_only(finished: Project) -> None:
    path = finished.folder / "cmarr/systems/baseline.py"
    before = path.read_text()
    path.write_text(before + "\nEDITED = 1\n")
    assert finished.planned() == total({"train": 3, "predict": 3, "scores": 1, "table3": 1, "all": 1})
    path.write_text(before)


def test_an_edit_of_the_readme_runs_nothing(finished: Project) -> None:
    (finished.folder / "README.md").write_text("<!-- a comment -->\n")
    assert finished.planned() == Counter()


def test_a_changed_setting_runs_what_depends_on_it(finished: Project) -> None:
    path = finished.folder / "small.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    content["systems"]["cm_arr"]["dropout"] = 0.2
    path.write_text(yaml.safe_dump(content))
    of_cm_arr = {"train": 11, "predict": 10, "represent": 2, "learning": 1} | OF_CM_ARR
    assert finished.planned() == total(of_cm_arr)
    content["systems"]["cm_arr"].pop("dropout")
    content["encoders"]["video"]["margin"] = 0.1
    path.write_text(yaml.safe_dump(content))
    planned = finished.planned()
    assert (planned["extract"], planned["pack"], planned["manifest"]) == (3, 1, 0)
    path.write_text(before)


def test_a_run_that_was_killed_goes_on_and_ends_with_the_same_numbers(
    finished: Project, raw: Path, tmp_path: Path
) -> None:
    project = copy_project(tmp_path / "project")
    (project.folder / "small.yaml").write_text(yaml.safe_dump(small_config(raw, ("baseline",))))
    chance = random.Random(0)
    for rule in ("extract", "train"):
        job = subprocess.Popen(
            project.command("--configfile", "small.yaml"), cwd=project.folder, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while not any((project.folder / "results/logs" / rule).rglob("*.log")):
            time.sleep(0.1)
            assert job.poll() is None, "the run was over before it could be killed"
        time.sleep(chance.uniform(1, 5))
        os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        assert project.snakemake("--unlock").returncode == 0
    last = project.snakemake()
    assert last.returncode == 0, last.stdout
    whole = finished.folder / "results"
    paths = sorted((whole / "predictions/iemocap/baseline").rglob("*.csv"))
    assert len(paths) == len(CONDITIONS) * len(FOLDS)
    for path in paths:
        assert (project.folder / "results" / path.relative_to(whole)).read_bytes() == path.read_bytes(), path


def test_a_clone_without_corpora_gets_one_line_with_the_fix(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    job = project.snakemake("results/table2.csv", configfile=None)
    assert job.returncode != 0
    (line,) = [line for line in job.stdout.splitlines() if line.startswith("error: ")]
    assert job.stdout.splitlines()[-1] == line
    assert "Traceback" not in job.stdout
    assert "data/IEMOCAP_full_release" in line
    assert "corpora.iemocap.root in config.yaml" in line
    assert "make demo" in line


def test_a_mistyped_key_stops_before_any_job(finished: Project) -> None:
    content = yaml.safe_load((finished.folder / "small.yaml").read_text())
    content["systems"]["cm_arr"]["trainign"] = {}
    (finished.folder / "wrong.yaml").write_text(yaml.safe_dump(content))
    job = finished.snakemake(configfile="wrong.yaml")
    assert job.returncode != 0
    assert "unknown key `trainign` under `systems.cm_arr`: did you mean `training`?" in job.stdout
    assert "Traceback" not in job.stdout


def test_the_slurm_profile_plans_the_same_jobs(finished: Project) -> None:
    assert finished.planned("--forceall", "--workflow-profile", "profiles/slurm") == total(WHOLE)


def test_a_table_without_its_system_ends_with_one_line(finished: Project) -> None:
    content = yaml.safe_load((finished.folder / "small.yaml").read_text())
    del content["systems"]["baseline"]
    (finished.folder / "alone.yaml").write_text(yaml.safe_dump(content))
    job = finished.snakemake("--dry-run", "results/table3.csv", configfile="alone.yaml")
    assert job.returncode != 0
    line = f"error: table3 needs baseline: add `baseline: {{}}` under `systems` in {finished.folder / 'alone.yaml'}"
    assert job.stdout.splitlines()[-1] == line
    assert "Traceback" not in job.stdout


def test_a_variant_by_its_path_is_trained_without_being_configured(finished: Project) -> None:
    target = "results/predictions/iemocap/cm_arr-beta-0.5-training.epochs-1/fold2/seed7/svt.csv"
    assert finished.planned(target) == total({"train": 1, "predict": 1})
    job = finished.snakemake("--dry-run", target.replace("beta", "bta"))
    assert job.returncode != 0
    assert "unknown key `bta` under `systems.cm_arr`: did you mean `beta`?" in job.stdout
    assert "Traceback" not in job.stdout


def test_another_protocol_has_folds_of_its_own(finished: Project) -> None:
    content = yaml.safe_load((finished.folder / "small.yaml").read_text()) | {"protocol": "mmin_script"}
    (finished.folder / "speakers.yaml").write_text(yaml.safe_dump(content))
    words = ("--dry-run", "--printshellcmds", "results/table2.csv")
    shown = finished.snakemake(*words, configfile="speakers.yaml").stdout
    assert "--protocol mmin_script --choice-metric pooled_uar" in shown
    assert set(re.findall(r"Train cm_arr on iemocap, fold (\d+), seed 1", shown)) == set("123456")
