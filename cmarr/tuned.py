"""Verb `tuned`: what tuning chose as a configuration file, and a picture of all trials."""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cmarr.config import parse
from cmarr.picture import MARKERS, colour, legend, panels, save
from extractors.files import UserError, publish, read_csv, read_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BUDGET = ("trials", "steps", "batch_size", "protocol")
EQUAL = ("seed", "folds", "column", "features", "inputs")
"""what is the same for all systems of a corpus"""
RING: dict[str, Any] = {"markersize": 10, "markerfacecolor": "none", "linestyle": "none"}


@dataclass(frozen=True)
class Tuning:
    """What was tried for one system on one corpus."""

    chosen: dict[str, Any]
    """content of chosen.json"""
    scores: list[float]
    """of each trial in order, not a number for one that failed"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configuration", required=True, help="the configuration that was tuned, JSON")
    parser.add_argument(
        "--chosen", nargs="+", type=Path, required=True, help="chosen.json files, trials.csv beside each"
    )
    parser.add_argument("--untuned", nargs="*", default=[], help="systems without a search space, to be named")
    parser.add_argument("--out", type=Path, required=True, help="YAML: the configuration with `tuned` in it")
    parser.add_argument("--figure", type=Path, required=True, help="PNG: a panel per corpus, the trials of each system")


def main(args: argparse.Namespace) -> None:
    found = [_read(path) for path in args.chosen]
    if len({tuple(each.chosen[key] for key in BUDGET) for each in found}) > 1:
        raise UserError(f"--chosen: {', '.join(BUDGET)} differ; run the rule `tuned` to have equal budgets")
    _check_equal(args.chosen, found)
    content = with_tuned(json.loads(args.configuration), found)
    text = _comment(found, args.untuned) + _yaml(content)
    with publish(args.out) as draft:
        draft.write_text(text, encoding="utf-8")
    origins = ", ".join(dict.fromkeys(each.chosen["origin"] for each in found))
    save(draw(found), args.figure, f"{_said(found)} ({origins})", _notes(found), origins)


def _check_equal(paths: Sequence[Path], found: Sequence[Tuning]) -> None:
    """UserError when systems were tuned on different data of a corpus, or judged by different scores."""
    first: dict[str, tuple[Path, Tuning]] = {}
    for path, each in zip(paths, found, strict=True):
        other, its = first.setdefault(each.chosen["corpus"], (path, each))
        if differing := [key for key in EQUAL if each.chosen[key] != its.chosen[key]]:
            raise UserError(
                f"{path}: {', '.join(differing)} differ from those of {other}; delete the one that is out of date and "
                "run the rule `tuned`"
            )


def with_tuned(configuration: Mapping[str, Any], found: Sequence[Tuning]) -> dict[str, Any]:
    """The configuration with what was chosen as its `tuned`; UserError if it is not valid."""
    tuned: dict[str, dict[str, Any]] = {}
    for each in found:
        told = {key: each.chosen[key] for key in ("trials", "steps", "folds", "settings")}
        tuned.setdefault(each.chosen["corpus"], {})[each.chosen["system"]] = told
    content = {key: value for key, value in configuration.items() if key != "tuned"} | {"tuned": tuned}
    parse(content)
    return content


def _read(path: Path) -> Tuning:
    rows = read_csv(path.with_name("trials.csv"))
    return Tuning(read_json(path), [float(row["score"] or "nan") for row in rows])


def _yaml(content: Mapping[str, Any]) -> str:
    import yaml

    return str(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=120))


def _said(found: Sequence[Tuning]) -> str:
    """The budget, in words."""
    about = found[0].chosen
    size = f" of {about['batch_size']} utterances" if about["batch_size"] else ""
    return (
        f"{about['trials']} trials of {about['steps']} steps{size} for each system and corpus, scored by "
        f"{about['column'].partition('_')[2].replace('_', ' ').replace('uar', 'UAR')} of validation utterances, "
        f"protocol {about['protocol']}"
    )


def _comment(found: Sequence[Tuning], untuned: Sequence[str]) -> str:
    lines = [f"Made by `python -m cmarr tuned`: {_said(found)}; folds and seed as under `tuning`."]
    minutes = ", ".join(f"{e.chosen['system']} on {e.chosen['corpus']} {e.chosen['seconds'] / 60:.1f}" for e in found)
    lines.append(f"Minutes: {minutes}.")
    if not found[0].chosen["batch_size"]:
        lines.append("Batch sizes are those that are configured: equal steps are not equal utterances.")
    if untuned:
        lines.append(f"Without a search space, as configured: {', '.join(untuned)}.")
    return "".join(f"# {line}\n" for text in lines for line in textwrap.wrap(text, 118))


def _notes(found: Sequence[Tuning]) -> list[str]:
    failed = [f"{e.chosen['system']} on {e.chosen['corpus']} {e.chosen['failed']}" for e in found if e.chosen["failed"]]
    notes = [note for each in found for note in each.chosen["notes"]]
    return [*dict.fromkeys(notes), *([f"trials that failed: {', '.join(failed)}"] if failed else [])]


def draw(found: Sequence[Tuning]) -> Figure:
    """A panel per corpus: a dot per trial, a line for the best score so far, a ring around the chosen trial."""
    corpora = list(dict.fromkeys(each.chosen["corpus"] for each in found))
    systems = list(dict.fromkeys(each.chosen["system"] for each in found))
    figure, axes = panels(len(corpora), 1, 3.4 * len(corpora), sharex=True)
    for corpus, panel in zip(corpora, axes[:, 0], strict=True):
        for each in found:
            if each.chosen["corpus"] == corpus:
                _trials(panel, each, systems.index(each.chosen["system"]))
        panel.set_title(corpus, fontsize=10, loc="left")
        panel.set_ylabel("validation score (%)")
        panel.grid(color="#eeeeee")
        panel.set_axisbelow(True)
        panel.xaxis.get_major_locator().set_params(integer=True)
    panel.set_xlabel("trial; the first one has the configured settings, epochs scaled to the budget")
    axes[0, 0].plot([], [], "o", color="#555555", markersize=4, linestyle="none", label="trial")
    axes[0, 0].plot([], [], color="#555555", drawstyle="steps-post", label="best so far")
    axes[0, 0].plot([], [], "o", color="#555555", label="chosen", **RING)
    legend(figure)
    return figure


def _trials(panel: Axes, tuning: Tuning, place: int) -> None:
    scores = np.array(tuning.scores)
    numbers = np.arange(1, len(scores) + 1)
    best = np.fmax.accumulate(scores)
    panel.plot(numbers, best, color=colour(place), drawstyle="steps-post", linewidth=1.4, label=tuning.chosen["system"])
    panel.plot(
        numbers, scores, MARKERS[place % len(MARKERS)], color=colour(place), markersize=4, alpha=0.6, linestyle="none"
    )
    chosen = tuning.chosen["chosen"]
    panel.plot([chosen], [scores[chosen - 1]], "o", color=colour(place), **RING)
