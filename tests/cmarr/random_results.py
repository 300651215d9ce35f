"""Models and predictions as a run leaves them, with random numbers in them, and what follows from them by hand."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score

from cmarr.__main__ import VERBS
from cmarr.vocabulary import CLASSES, CONDITIONS
from extractors.console import run
from extractors.files import write_json

SEEDS, SYSTEMS = (1, 2), ("baseline", "cm_arr-beta-0.5", "cm_arr")
CORPORA = {"toy": (CLASSES, ("1", "2", "3")), "clips": (("sad", "joy", "very angry"), ("a", "b_1"))}
"""name to classes and folds"""
NOTES = {"toy": ["epoch chosen on test data", "untrained face model"], "clips": ["epoch chosen on test data"]}
SPEECH = "toy-speech_a 1"
RUNS = [
    f"{corpus}/{system}/fold{fold}/seed{seed}"
    for corpus, (_, folds) in CORPORA.items() for system in SYSTEMS for fold in folds for seed in SEEDS
]  # fmt: skip


def random_results(factory: pytest.TempPathFactory) -> Path:
    """Folder with models/, predictions/, scores.csv and confusions.csv; made once, so leave it as it is."""
    folder = factory.getbasetemp() / "random_results"
    if folder.exists():
        return folder
    rng = np.random.default_rng(0)
    truth: dict[tuple[str, str], np.ndarray] = {}
    for name in RUNS:
        corpus, system, fold, seed = name.split("/")
        classes = CORPORA[corpus][0]
        record = {
            "corpus": corpus, "system": system, "protocol": "paper_besttest", "choice": "test", "encoders": "frozen",
            "speech": SPEECH, "fold": fold[4:], "seed": int(seed[4:]), "best_epoch": 1, "origin": "synthetic",
            "notes": NOTES[corpus], "classes": classes,
            "trials": 4, "epochs": 9 + int(seed[4:]), "steps": 1500 * int(seed[4:]), "parameters": 1234567,
        }  # fmt: skip
        write_json(folder / "models" / name / "record.json", record)
        labels = truth.setdefault((corpus, fold), rng.choice(classes, 30))
        for condition in CONDITIONS:
            frame = pd.DataFrame(rng.dirichlet([1] * len(classes), 30), columns=[f"p_{label}" for label in classes])
            frame.insert(0, "utterance", [f"u{number}" for number in range(30)])
            frame.insert(1, "label", labels)
            target = folder / "predictions" / name / f"{condition}.csv"
            target.parent.mkdir(parents=True, exist_ok=True)
            frame.assign(origin="synthetic").to_csv(target, index=False)
    score(folder, RUNS)
    return folder


def score(folder: Path, runs: list[str]) -> None:
    """From the models and predictions below a folder to scores.csv and confusions.csv in it."""
    places = ["--models", str(folder / "models"), "--predictions", str(folder / "predictions")]
    out = ["--out", str(folder / "scores.csv"), "--confusions", str(folder / "confusions.csv")]
    assert run("cmarr", VERBS, ["scores", *places, *out, "--runs", *runs]) == 0


@cache
def guessed(folder: Path, name: str, condition: str) -> tuple[list[str], list[str]]:
    """Labels and predictions of one file."""
    frame = pd.read_csv(folder / f"predictions/{name}/{condition}.csv")
    classes = CORPORA[name.split("/")[0]][0]
    guesses = frame[[f"p_{label}" for label in classes]].to_numpy().argmax(axis=1)
    return list(frame["label"]), [classes[number] for number in guesses]


def recomputed_pooled(folder: Path, corpus: str, system: str, conditions: tuple[str, ...]) -> tuple[float, float]:
    """WAR and UAR in percent of the utterances of all folds together, mean over seeds and `conditions`."""
    classes, folds = CORPORA[corpus]
    scores = []
    for seed in SEEDS:
        for condition in conditions:
            labels, guesses = [], []
            for fold in folds:
                more = guessed(folder, f"{corpus}/{system}/fold{fold}/seed{seed}", condition)
                labels += more[0]
                guesses += more[1]
            recall = recall_score(labels, guesses, average="macro", labels=classes)
            scores.append((100 * accuracy_score(labels, guesses), 100 * recall))
    war, uar = np.mean(scores, axis=0)
    return war, uar


def recomputed(folder: Path, corpus: str, system: str, conditions: tuple[str, ...]) -> np.ndarray:
    """WAR and UAR in percent (folds, seeds, 2), each the mean over `conditions`, straight from the prediction files."""
    classes, folds = CORPORA[corpus]
    found = np.zeros((len(folds), len(SEEDS), len(conditions), 2))
    for i, fold in enumerate(folds):
        for j, seed in enumerate(SEEDS):
            for k, condition in enumerate(conditions):
                labels, guesses = guessed(folder, f"{corpus}/{system}/fold{fold}/seed{seed}", condition)
                recall = recall_score(labels, guesses, average="macro", labels=classes)
                found[i, j, k] = 100 * accuracy_score(labels, guesses), 100 * recall
    return found.mean(axis=2)
