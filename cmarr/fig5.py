"""Verb `fig5`: recovered beside true representations, as a picture and in numbers (Fig. 5 of the paper)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cmarr.aggregate import FACTS, Row, facts, number
from cmarr.distances import Points, cosine, frechet
from cmarr.picture import SMALL, legend, notes_of, panels, save
from cmarr.vocabulary import MODALITIES
from extractors.files import UserError, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHADES = {
    "recovered.text": "#9ecae1", "recovered.speech": "#fdae6b", "recovered.video": "#a1d99b",
    "true.text": "#08519c", "true.speech": "#a63603", "true.video": "#00541f",
}  # fmt: skip
"""light for recovered, dark for true"""
NUMBERS = ("cosine", "cosine_centred", "frechet_squared")
COLUMNS = (
    "method", "modality", *NUMBERS, "utterances", "width", "corpus", "system", "fold", "seed", *FACTS,
)  # fmt: skip


@dataclass(frozen=True)
class Method:
    """Representations that one model makes of one test fold."""

    name: str
    points: dict[str, Points]
    """`recovered.<modality>` and `true.<modality>`, each (utterances, width)"""
    about: Row

    def row(self, modality: str) -> Row:
        """Recovered against true set: cosine as it is and less the true set's mean, and squared Frechet distance."""
        recovered, true = (self.points[f"{kind}.{modality}"] for kind in ("recovered", "true"))
        centre = true.mean(0)
        found = (cosine(recovered, true), cosine(recovered - centre, true - centre), frechet(recovered, true))
        size = {"utterances": str(len(true)), "width": str(true.shape[1])}
        numbers = {name: number(value, 4) for name, value in zip(NUMBERS, found, strict=True)}
        return {"method": self.name, "modality": modality} | numbers | size | self.about


def read(path: Path, name: str) -> Method:
    """A file of the verb `represent`; UserError when it cannot be read."""
    import safetensors

    try:
        with safetensors.safe_open(path, "np") as file:
            about = json.loads(file.metadata()["about"])
            points = {key: file.get_tensor(key).astype(np.float64) for key in file.keys()}  # noqa: SIM118
    except (OSError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise UserError(f"{path}: not readable representations ({error}); delete it and run again") from error
    kept = ("corpus", "system", "fold", "seed", *FACTS)
    return Method(name, points, {key: str(about.get(key, "")) for key in kept})


def embed(points: Mapping[str, Points]) -> dict[str, Points]:
    """One joint t-SNE of all sets, (utterances, 2) each: perplexity 30 or a third of few points, PCA, fixed seed."""
    from sklearn.manifold import TSNE

    together = np.concatenate([*points.values()])
    perplexity = min(30.0, (len(together) - 1) / 3)
    flat = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(together)
    return dict(zip(points, np.split(flat, np.cumsum([len(part) for part in points.values()])[:-1]), strict=True))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--representations", nargs="+", type=Path, required=True,
        help="files of `represent`, a panel each: first the reference method",
    )  # fmt: skip
    parser.add_argument("--names", nargs="+", required=True, help="heads of the panels, one per file")
    parser.add_argument("--out-figure", type=Path, required=True, help="PNG")
    parser.add_argument("--out-csv", type=Path, required=True, help="one row per method and modality")


def main(args: argparse.Namespace) -> None:
    if len(args.names) != len(args.representations):
        raise UserError(f"--names: give {len(args.representations)} of them, one per file of representations")
    methods = [read(path, name) for path, name in zip(args.representations, args.names, strict=True)]
    rows = [method.row(modality) for method in methods for modality in MODALITIES]
    write_csv(args.out_csv, COLUMNS, rows)
    about = facts(rows)
    corpora = ", ".join(dict.fromkeys(row["corpus"] for row in rows))
    folds = ", ".join(dict.fromkeys(f"fold {row['fold']} seed {row['seed']}" for row in rows))
    title = (
        f"Recovered and true representations on {corpora} ({about['origin']}), protocol {about['protocol']}, "
        f"encoders {about['encoders']}, test of {folds}, {rows[0]['utterances']} utterances"
    )
    save(draw(methods, rows), args.out_figure, title, notes_of(rows), about["origin"])


def draw(methods: list[Method], rows: list[Row]) -> Figure:
    """A panel per method with its numbers below."""
    figure, axes = panels(1, len(methods), 5.6)
    for method, panel in zip(methods, axes[0], strict=True):
        flat = embed(method.points)
        places = np.concatenate([*flat.values()])
        shades = np.repeat([SHADES[name] for name in flat], [len(part) for part in flat.values()])
        mixed = np.random.default_rng(0).permutation(len(places))  # so that no set covers another
        panel.scatter(*places[mixed].T, s=4 + 2000 / len(places), c=shades[mixed], alpha=0.8, linewidths=0)
        lines = [
            f"{row['modality']:7s} cosine {float(row['cosine']):6.3f}  centred {float(row['cosine_centred']):6.3f}"
            f"  squared Fréchet {float(row['frechet_squared']):<8.4g}"
            for row in rows if row["method"] == method.name
        ]  # fmt: skip
        panel.set_title(method.name, fontsize=11)
        panel.set_xlabel("\n".join(lines), fontsize=SMALL, family="monospace")
        panel.set_xticks([])
        panel.set_yticks([])
    for name, shade in SHADES.items():
        kind, modality = name.split(".")
        axes[0, 0].plot([], [], "o", color=shade, label=f"{modality}, {kind}")
    legend(figure)
    return figure
