"""Verb `fig4`: WAR and UAR against one weight of the loss at a time (Fig. 4 of the paper)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmarr.aggregate import FACTS, ONE_SEED, SCORES, Cell, cells, described, facts, noted, single_seed
from cmarr.metrics import reach
from cmarr.picture import colour, legend, notes_of, panels, save
from cmarr.variants import base, overrides
from extractors.files import UserError, read_csv, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARAMETERS = {"alpha": "α, weight of L_udcl", "lambda_rec": "λ, weight of L_rec", "beta": "β, weight of L_spcl"}
"""in the order of the figure"""
COLUMNS = ("corpus", "system", "parameter", "value", *SCORES, *FACTS)
Sweep = dict[float, str]
"""value to the system that has it, in increasing order"""


def sweeps(systems: list[str], plain: str, defaults: Mapping[str, float]) -> dict[str, Sweep]:
    """Per parameter the variants of `plain` that differ in it alone, and `plain` itself at its default."""
    found: dict[str, Sweep] = {name: {} for name in PARAMETERS}
    for system in systems:
        changed = overrides(system) if base(system) == plain else {}
        if system == plain:
            for name, sweep in found.items():
                sweep.setdefault(defaults[name], system)
        elif len(changed) == 1 and next(iter(changed)) in found:
            ((name, value),) = changed.items()
            found[name][float(value)] = system
    return {name: dict(sorted(sweep.items())) for name, sweep in found.items()}


def default(text: str) -> tuple[str, float]:
    """`alpha=1.0` as name and number; ValueError for another parameter."""
    name, value = text.split("=")
    if name not in PARAMETERS:
        raise ValueError(f"{name} is not one of {', '.join(PARAMETERS)}")
    return name, float(value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scores", type=Path, required=True, help="of one corpus")
    parser.add_argument("--system", required=True, help="system whose variants are compared")
    parser.add_argument(
        "--defaults", nargs="+", type=default, required=True, metavar="NAME=VALUE",
        help=f"values of the plain system: {', '.join(PARAMETERS)}",
    )  # fmt: skip
    parser.add_argument("--out-csv", type=Path, required=True, help="one row per parameter and value")
    parser.add_argument("--out-figure", type=Path, required=True, help="PNG: a panel per parameter")


def main(args: argparse.Namespace) -> None:
    scores = read_csv(args.scores)
    corpora = list(dict.fromkeys(row["corpus"] for row in scores))
    if len(corpora) != 1 or args.system not in (row["system"] for row in scores):
        raise UserError(f"{args.scores}: needs one corpus and {args.system} in it; it has {', '.join(corpora)}")
    if lacking := sorted(PARAMETERS.keys() - dict(args.defaults).keys()):
        raise UserError(f"--defaults: give the value of {lacking[0]} too, as in {lacking[0]}=1")
    found = sweeps(list(dict.fromkeys(row["system"] for row in scores)), args.system, dict(args.defaults))
    table = cells(scores)
    rows = []
    for name, sweep in found.items():
        for value, system in sweep.items():
            cell = table[corpora[0], system, "average"]
            place = {"corpus": corpora[0], "system": system, "parameter": name, "value": f"{value:g}"}
            about = facts(row for row in scores if row["system"] == system)
            rows.append(place | cell.statistics() | noted(about, cell.war, cell.uar))
    write_csv(args.out_csv, COLUMNS, rows)
    chosen = {system: table[corpora[0], system, "average"] for sweep in found.values() for system in sweep.values()}
    used = [row for row in scores if row["system"] in chosen]
    origin = facts(used)["origin"]
    title = f"{args.system} on {corpora[0]} ({origin}), {described(used)}: average over the six missing conditions"
    title += "; bars: 95 % intervals over folds" * (len({row["fold"] for row in used}) > 1)
    title += f". {ONE_SEED}" * single_seed(used)
    save(draw(found, chosen, args.system), args.out_figure, title, notes_of(used), origin)


def draw(found: Mapping[str, Sweep], chosen: Mapping[str, Cell], plain: str) -> Figure:
    """A panel per parameter; evenly spaced values, error bars are 95 % intervals over folds."""
    figure, axes = panels(1, len(found), 3.4, sharey=True)
    for (name, sweep), panel in zip(found.items(), axes[0], strict=True):
        places = np.arange(len(sweep))
        for number, metric in enumerate(("war", "uar")):
            folds = [getattr(chosen[system], metric).array for system in sweep.values()]
            panel.errorbar(
                places + 0.06 * (number - 0.5), [values.mean() for values in folds],
                np.nan_to_num([reach(values) for values in folds]).T, marker="os"[number], markersize=5,
                elinewidth=0.8, capsize=2, color=colour(number), label=metric.upper(),
            )  # fmt: skip
        for place, system in enumerate(sweep.values()):
            if system == plain:
                panel.axvline(place, color="black", linestyle=":", linewidth=1, zorder=0, label="default")
        panel.set_xticks(places, [f"{value:g}" for value in sweep])
        panel.set_xlim(-0.5, max(len(sweep), 1) - 0.5)
        panel.set_xlabel(PARAMETERS[name])
        panel.grid(axis="y", color="#eeeeee")
    axes[0, 0].set_ylabel("WAR, UAR (%)")
    legend(figure)
    return figure
