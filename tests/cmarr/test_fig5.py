from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from cmarr.__main__ import VERBS
from cmarr.distances import frechet
from cmarr.fig5 import SHADES, draw, embed, read
from cmarr.vocabulary import MODALITIES
from extractors.console import run
from extractors.files import read_csv

ABOUT = {
    "corpus": "toy", "system": "cm_arr", "fold": "5", "seed": 1, "protocol": "clean", "choice": "validation",
    "encoders": "frozen", "origin": "synthetic", "notes": "untrained face model", "utterances": ["a"],
}  # fmt: skip


def points(seed: int, noise: float) -> dict[str, np.ndarray]:
    """Recovered sets are the true ones with noise; 12 utterances, width 4."""
    rng = np.random.default_rng(seed)
    true = {name: rng.normal(3, 1, (12, 4)).astype(np.float32) for name in MODALITIES}
    recovered = {
        name: (values + rng.normal(0, noise, values.shape)).astype(np.float32) for name, values in true.items()
    }
    return {f"true.{name}": true[name] for name in true} | {f"recovered.{name}": recovered[name] for name in true}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for seed, path in enumerate(paths):
        save_file(points(seed, 1.0 - 0.9 * seed), path, {"about": json.dumps(ABOUT)})
    return paths


def fig5(files: list[Path], *names: str) -> int:
    folder = files[0].parent
    out = ["--out-figure", str(folder / "fig5.png"), "--out-csv", str(folder / "fig5.csv")]
    return run("cmarr", VERBS, ["fig5", "--representations", *map(str, files), "--names", *names, *out])


def test_numbers_per_method_and_modality(files: list[Path]) -> None:
    from PIL import Image

    assert fig5(files, "reference", "CM-ARR") == 0
    rows = read_csv(files[0].with_name("fig5.csv"))
    assert [(row["method"], row["modality"]) for row in rows] == [
        (method, modality) for method in ("reference", "CM-ARR") for modality in MODALITIES
    ]
    for number, row in enumerate(rows):
        sets = points(number // 3, 1.0 - 0.9 * (number // 3))
        recovered, true = (sets[f"{kind}.{row['modality']}"].astype(float) for kind in ("recovered", "true"))
        centred = []
        for one, other in zip(recovered - true.mean(0), true - true.mean(0), strict=True):
            centred.append(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
        assert float(row["cosine_centred"]) == pytest.approx(np.mean(centred), abs=6e-5)
        assert float(row["cosine_centred"]) < float(row["cosine"])
        assert float(row["frechet_squared"]) == pytest.approx(frechet(recovered, true), abs=6e-5)
        assert (row["utterances"], row["width"], row["fold"]) == ("12", "4", "5")
        assert (row["origin"], row["notes"]) == ("synthetic", "untrained face model")
    with Image.open(files[0].with_name("fig5.png")) as picture:
        assert picture.info["Description"] == "origin: synthetic"


def test_a_panel_per_method_with_all_points_and_the_numbers(files: list[Path]) -> None:
    methods = [read(path, path.stem) for path in files]
    rows = [method.row(modality) for method in methods for modality in MODALITIES]
    panels = draw(methods, rows).axes
    assert [panel.get_title() for panel in panels] == ["first", "second"]
    for panel, own in zip(panels, (rows[:3], rows[3:]), strict=True):
        assert len(panel.collections[0].get_offsets()) == 6 * 12
        assert len(np.unique(panel.collections[0].get_facecolors(), axis=0)) == len(SHADES)
        for row, line in zip(own, panel.get_xlabel().splitlines(), strict=True):
            assert line.startswith(row["modality"])
            assert f"{float(row['cosine']):.3f}" in line


def test_one_embedding_of_all_sets_that_repeats() -> None:
    sets = points(0, 0.1)
    one, other = embed(sets), embed(sets)
    assert list(one) == list(sets)
    for name in sets:
        assert one[name].shape == (12, 2)
        assert (one[name] == other[name]).all()
    assert embed({name: values[:1] for name, values in sets.items()})["true.text"].shape == (1, 2)


def test_wrong_files_are_user_errors(files: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert fig5(files, "one") == 1
    assert "--names: give 2 of them" in capsys.readouterr().err
    files[1].write_bytes(files[1].read_bytes()[:100])
    assert fig5(files, "one", "two") == 1
    assert "second.safetensors: not readable representations" in capsys.readouterr().err
    save_file(points(0, 1), files[1])
    assert fig5(files, "one", "two") == 1
    assert "second.safetensors: not readable representations" in capsys.readouterr().err
    assert not files[0].with_name("fig5.csv").exists()
