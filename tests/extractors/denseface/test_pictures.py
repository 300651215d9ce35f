from __future__ import annotations

import numpy as np

from extractors.denseface import pictures
from extractors.ferplus_targets import EMOTIONS


def test_the_curve_names_its_last_values_and_marks_new_sides() -> None:
    columns = ("epoch", "side", "learning_rate", "train_loss", "valid_accuracy", "valid_mean_recall")
    rows = [dict(zip(columns, (n, 32 + 16 * (n > 2), 0.1, 2 / n, 20.0 * n, 10.0 * n), strict=True)) for n in (1, 2, 3)]
    loss, scores, _ = pictures.curve(rows).axes
    assert [text.get_text() for text in scores.get_legend().get_texts()] == [
        "accuracy, last 60.00 %",
        "mean class recall, last 30.00 %",
    ]
    assert np.asarray(loss.lines[0].get_ydata()).tolist() == [2, 1, 2 / 3]
    assert [np.asarray(line.get_xdata()).tolist() for line in loss.lines[1:]] == [[2.5, 2.5]]


def test_the_confusion_shows_shares_of_the_true_class() -> None:
    counts = np.zeros((8, 8), int)
    counts[0, 0], counts[0, 1], counts[7, 2] = 3, 1, 5
    panel = pictures.confusion(counts, "made up").axes[0]
    shown = {text.get_position(): text.get_text() for text in panel.texts}
    assert (shown[0, 0], shown[1, 0], shown[2, 7], shown[0, 7]) == ("75", "25", "100", "0")
    assert panel.get_yticklabels()[0].get_text() == f"{EMOTIONS[0]} (4)"
