"""Verb `tuned`, and what a configuration with its result means."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from cmarr.__main__ import VERBS
from cmarr.config import parse, run_name, settings_of
from cmarr.tuned import _read as read
from cmarr.tuned import draw
from extractors.console import run
from extractors.files import UserError, read_json, write_csv, write_json

CONTENT: dict[str, Any] = {
    "corpora": {"toy": {"type": "iemocap", "root": "x"}, "clips": {"type": "msp_improv", "root": "y"}},
    "systems": {"mmin": {"teacher": {"epochs": 3}, "cycle_weight": 7}, "cm_arr": {"beta": 0.2}},
    "tuning": {"trials": 4, "steps": 50},
}
CHOSEN = {
    "mmin": {"training": {"learning_rate": 1e-5, "epochs": 9}, "teacher": {"epochs": 2}, "cycle_weight": 0.25},
    "cm_arr": {"beta": 0.5, "training": {"epochs": 12}},
}


def made(folder: Path, corpora: tuple[str, ...] = ("toy", "clips"), trials: int = 4) -> list[Path]:
    """Files of a tuning of both systems."""
    found, chance = [], random.Random(0)
    for corpus in corpora:
        for system, settings in CHOSEN.items():
            path = folder / corpus / system / "chosen.json"
            scores = [chance.uniform(30, 60) for _ in range(trials)]
            best = max(range(trials), key=scores.__getitem__)
            write_json(path, {
                "corpus": corpus, "system": system, "trials": trials, "steps": 50, "settings": settings,
                "protocol": "clean", "column": "validation_mean_uar", "origin": "synthetic", "notes": ["toy"],
                "folds": ["1", "2"],
                "batch_size": None, "seed": 1, "features": {}, "inputs": {"folds.json": "abc"},
                "chosen": best + 1, "failed": int(system == "mmin"), "seconds": 66.0,
            })  # fmt: skip
            rows: list[dict[str, object]] = [{"score": score} for score in scores]
            if system == "mmin":
                rows[(best + 1) % trials] = {"score": ""}
            write_csv(path.with_name("trials.csv"), ["score"], rows)
            found.append(path)
    return found


def words(folder: Path, paths: list[Path], content: dict[str, Any] = CONTENT) -> list[str]:
    return [
        "tuned", "--configuration", json.dumps(content), "--chosen", *map(str, paths), "--untuned", "majority",
        "--out", str(folder / "tuned.yaml"), "--figure", str(folder / "tuning.png"),
    ]  # fmt: skip


def test_the_result_is_a_configuration_that_says_how_it_was_made(tmp_path: Path) -> None:
    before = CONTENT | {"tuned": {"toy": {"mmin": {"trials": 1, "steps": 1, "settings": {}}}}}
    assert run("cmarr", VERBS, words(tmp_path, made(tmp_path), before)) == 0
    text = (tmp_path / "tuned.yaml").read_text()
    comment = " ".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("#"))
    assert comment.startswith(
        "Made by `python -m cmarr tuned`: 4 trials of 50 steps for each system and corpus, scored"
    )
    assert "by mean UAR of validation utterances, protocol clean" in comment
    assert "Minutes: mmin on toy 1.1, cm_arr on toy 1.1, mmin on clips 1.1" in comment
    assert "equal steps are not equal utterances" in comment
    assert "Without a search space, as configured: majority." in comment
    content = yaml.safe_load(text)
    assert {key: value for key, value in content.items() if key != "tuned"} == CONTENT
    config = parse(content)
    for corpus in ("toy", "clips"):
        for system, settings in CHOSEN.items():
            told = config.tuned[corpus][system]
            assert (told.trials, told.steps, told.folds, told.settings) == (4, 50, ("1", "2"), settings)
    assert (tmp_path / "tuning.png").stat().st_size > 10_000


def test_unequal_budgets_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [*made(tmp_path, ("toy",)), *made(tmp_path, ("clips",), trials=3)]
    assert run("cmarr", VERBS, words(tmp_path, paths)) == 1
    assert "trials, steps, batch_size, protocol differ" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "tuned.yaml").exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [("seed", 2), ("folds", ["1"]), ("column", "x"), ("features", {"max_tokens": 3}), ("inputs", {"folds.json": "d"})],
)
def test_systems_tuned_on_something_else_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, value: object
) -> None:
    paths = made(tmp_path)
    write_json(paths[3], read_json(paths[3]) | {key: value})
    assert run("cmarr", VERBS, words(tmp_path, paths)) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{paths[3]}: {key} differ from those of {paths[2]}; delete the one" in line
    write_json(paths[2], read_json(paths[2]) | {key: value})  # corpora need not agree
    assert run("cmarr", VERBS, words(tmp_path, paths)) == 0


def test_one_batch_size_is_named_as_part_of_the_budget(tmp_path: Path) -> None:
    paths = made(tmp_path)
    for path in paths:
        write_json(path, read_json(path) | {"batch_size": 16})
    assert run("cmarr", VERBS, words(tmp_path, paths)) == 0
    text = (tmp_path / "tuned.yaml").read_text()
    assert "4 trials of 50 steps of 16 utterances for" in text
    assert "equal utterances" not in text


def test_what_was_tuned_stands_above_systems_and_below_a_name() -> None:
    tuned = {"toy": {name: {"trials": 4, "steps": 50, "settings": each} for name, each in CHOSEN.items()}}
    config = parse(CONTENT | {"tuned": tuned})
    ours, theirs = (settings_of(config, "mmin", corpus).model_dump() for corpus in ("toy", "clips"))
    assert (ours["cycle_weight"], theirs["cycle_weight"]) == (0.25, 7)
    assert (ours["teacher"]["epochs"], theirs["teacher"]["epochs"]) == (2, 3)
    assert (ours["teacher"]["batch_size"], theirs["teacher"]["batch_size"]) == (128, 64)  # as published for each
    assert ours["training"]["learning_rate"] == 1e-5
    named = settings_of(config, "cm_arr-beta-0.1-training.epochs-5", "toy").model_dump()
    assert (named["beta"], named["training"]["epochs"]) == (0.1, 5)


@pytest.mark.parametrize(
    ("name", "run_of"),
    [
        ("cm_arr-beta-0.5", "cm_arr-beta-0.5"),  # as tuned for toy, but not for clips
        ("cm_arr-beta-0.2", "cm_arr-beta-0.2"),
        ("mmin-cycle_weight-0.25", "mmin"),
    ],
)
def test_a_run_is_named_by_what_differs_from_tuned_settings_on_any_corpus(name: str, run_of: str) -> None:
    mmin = {"trials": 4, "steps": 50, "settings": CHOSEN["mmin"]}
    cm_arr = {"trials": 4, "steps": 50, "settings": CHOSEN["cm_arr"]}
    config = parse(CONTENT | {"tuned": {"toy": {"mmin": mmin, "cm_arr": cm_arr}, "clips": {"mmin": mmin}}})
    assert run_name(config, name) == run_of


@pytest.mark.parametrize(
    ("tuned", "line"),
    [
        ({"tpy": {}}, "configuration: tuned: no corpus is called `tpy`; did you mean `toy`?"),
        ({"toy": {"cm_ar": {"settings": {}}}}, "configuration: tuned.toy: cm_ar: `cm_ar` is not configured under `sy"),
        ({"toy": {"cm_arr": {"settings": {"bta": 1}}}}, "tuned.toy: cm_arr: unknown key `bta` under `systems.cm_arr`"),
        ({"toy": {"cm_arr": {"settings": {"beta": -1}}}}, "configuration: tuned.toy: cm_arr: systems.cm_arr.beta: "),
        ({"toy": {"cm_arr-beta-1": {"settings": {}}}}, "cm_arr-beta-1 is a variant; name the system, cm_arr"),
        ({"toy": {"cm_arr": {"setings": {}}}}, "unknown key `setings` under `tuned.toy.cm_arr`: did you mean"),
    ],
)
def test_a_wrong_key_is_named_with_its_place(tuned: dict[str, Any], line: str) -> None:
    whole = {
        corpus: {name: {"trials": 1, "steps": 1, "settings": {}} | each for name, each in systems.items()}
        for corpus, systems in tuned.items()
    }
    with pytest.raises(UserError) as caught:
        parse(CONTENT | {"tuned": whole})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_picture_has_a_panel_per_corpus_and_the_best_so_far(tmp_path: Path) -> None:
    found = [read(path) for path in made(tmp_path)]
    figure = draw(found)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["toy", "clips"]
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    best = [max(score for score in found[1].scores[: n + 1]) for n in range(4)]
    assert list(lines["cm_arr"].get_ydata()) == pytest.approx(best)
