"""Runs of the verb `significance`, on results that are made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cmarr.__main__ import VERBS
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from extractors.files import read_csv, write_csv, write_json

FULL = "baseline"


def significance(results: Path, out: Path, runs: list[str], *more: str, predictions: Path | None = None) -> int:
    made = ["--models", str(results / "models"), "--predictions", str(predictions or results / "predictions")]
    files = ["--out", str(out / "significance.csv"), "--figure", str(out / "significance.png")]
    draws = [] if "--draws" in more else ["--draws", "4000"]
    return run("cmarr", VERBS, ["significance", *made, "--runs", *runs, "--full", FULL, *files, *draws, *more])


def written(
    folder: Path, fold: str, system: str, right: np.ndarray, labels: list[str], seed: int = 1, first: str = "u",
    per_dialogue: int = 1, corpus: str = "toy",
) -> str:  # fmt: skip
    """A run that recognises the utterances that are `right`, under every condition; `first` begins their names."""
    name = f"{corpus}/{system}/fold{fold}/seed{seed}"
    record = {
        "corpus": corpus, "system": system, "fold": fold, "seed": seed, "protocol": "clean", "choice": "validation",
        "encoders": "frozen", "speech": "logmel", "origin": "release", "notes": [], "classes": ["a", "b"],
    }  # fmt: skip
    write_json(folder / f"models/{name}/record.json", record)
    rows = [
        {
            "utterance": f"{first}{len(labels)}-{place}",
            "dialogue": f"{first}{len(labels)}-d{place // per_dialogue}",
            "speaker": f"{first}{len(labels)}-s{place % 2}",
            "label": label,
            "p_a": str(int((label == "a") == hit)),
            "p_b": "0.5",
        }
        for place, (label, hit) in enumerate(zip(labels, right, strict=True))
    ]
    for condition in CONDITIONS:
        write_csv(folder / f"predictions/{name}/{condition}.csv", list(rows[0]), rows)
    return name


def found_of(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Rows of the condition `t` by system and metric."""
    rows = read_csv(folder / "significance.csv")
    return {(row["system"], row["metric"]): row for row in rows if row["condition"] == "t"}
