from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix

from cmarr.__main__ import VERBS
from cmarr.confusion import draw
from cmarr.vocabulary import CONDITIONS
from extractors.console import run
from extractors.files import read_csv
from tests.cmarr.random_results import CORPORA, SEEDS, guessed, random_results


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_results(tmp_path_factory)


def test_cells_are_percentages_of_the_true_class_over_all_folds_and_seeds(results: Path) -> None:
    rows = [
        row for row in read_csv(results / "confusions.csv") if (row["corpus"], row["system"]) == ("clips", "cm_arr")
    ]
    classes, folds = CORPORA["clips"]
    panels = draw(rows).axes
    for condition, panel in zip(CONDITIONS, panels, strict=False):
        pairs = [guessed(results, f"clips/cm_arr/fold{fold}/seed{seed}", condition) for fold in folds for seed in SEEDS]
        labels, guesses = ([name for pair in pairs for name in pair[side]] for side in (0, 1))
        shares = 100 * confusion_matrix(labels, guesses, labels=classes, normalize="true")
        assert np.asarray(panel.images[0].get_array()) == pytest.approx(shares)
        texts = {text.get_position(): text.get_text() for text in panel.texts}
        assert texts[2, 1] == f"{shares[1, 2]:.0f}"
        assert f"WAR {100 * accuracy_score(labels, guesses):.1f}" in panel.get_title()
        assert [text.get_text() for text in panel.get_xticklabels()] == list(classes)
    for panel in panels[::4]:
        assert [text.get_text() for text in panel.get_yticklabels()] == list(classes)
    assert not panels[7].images


def test_the_verb_draws_one_system(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures/confusion.png"
    arguments = ["confusion", "--confusions", str(results / "confusions.csv"), "--corpus", "toy", "--out", str(out)]
    assert run("cmarr", VERBS, [*arguments, "--system", "baseline"]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"
    assert b"origin: synthetic" in out.read_bytes()
    assert run("cmarr", VERBS, [*arguments, "--system", "mmin"]) == 1
    assert "confusions.csv: has no mmin on toy" in capsys.readouterr().err
