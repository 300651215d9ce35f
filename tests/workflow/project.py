"""A copy of the project, and a way to run Snakemake in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "config.yaml", "workflow", "profiles", "envs", "cmarr", "extractors")


@dataclass(frozen=True)
class Project:
    folder: Path

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", *words]

    def snakemake(self, *words: str, configfile: str | None = "small.yaml") -> subprocess.CompletedProcess[str]:
        """Run to the end; stdout and stderr come together in stdout."""
        more = ["--configfile", configfile] if configfile else []
        clean = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PATH")}
        return subprocess.run(
            self.command(*words, *more), cwd=self.folder, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean | {"PATH": "/usr/bin:/bin"},
        )  # fmt: skip

    def planned(self, *words: str) -> Counter[str]:
        """Jobs per rule that a dry run announces."""
        shown = self.snakemake("--dry-run", *words)
        assert shown.returncode == 0, shown.stdout
        if "Nothing to be done" in shown.stdout:
            return Counter()
        table = shown.stdout.split("Job stats:")[1].split("\n\n")[0]
        return Counter({name: int(count) for name, count in re.findall(r"^(\w+)\s+(\d+)$", table, re.MULTILINE)})


def copy_project(folder: Path) -> Project:
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / part)
    return Project(folder)


def small_config(raw: Path, systems: tuple[str, ...] = ("mmin", "cm_arr", "baseline")) -> dict[str, object]:
    """Two epochs of the systems on the sessions of a small corpus; studies are as small as they can be."""
    training = {"epochs": 2, "learning_rate": 0.002}
    small = {name: {"size": "tiny", "training": training} for name in systems}
    if "mmin" in systems:
        small["mmin"] = {"embedding": 8, "teacher": training, "training": training}
    return {
        "results": "results",
        "corpora": {
            "iemocap": {
                "type": "iemocap", "root": str(raw / "iemocap"), "origin": "synthetic", "sessions": ["1", "2", "3"],
            }
        },
        "encoders": {
            "text": {"model": str(raw / "bert")},
            "speech": {"model": str(raw / "wav2vec2")},
            "video": {"frames_per_second": 3},
        },
        "systems": small,
        "studies": {
            "ablations": ["cm_arr-ablation-no_udcl"], "alpha": [0.5, 1], "lambda_rec": [10], "beta": [0.1],
            "sweep_folds": ["1"], "tsne_fold": "1", "protocols": ["paper_besttest"] if "mmin" in systems else [],
        },
    }  # fmt: skip
