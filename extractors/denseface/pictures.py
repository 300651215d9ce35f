"""Pictures of a training and of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from extractors.ferplus_targets import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def curve(rows: Sequence[dict[str, float]]) -> Figure:
    """Loss, accuracy and mean class recall against epochs; dotted lines where the picture side changes."""
    figure, (upper, lower) = _pyplot().subplots(2, 1, figsize=(8, 6), sharex=True, layout="constrained")
    epochs = [row["epoch"] for row in rows]
    upper.plot(epochs, [row["train_loss"] for row in rows], "o-", color="tab:red")
    upper.set_ylabel("training loss")
    rate = upper.twinx()
    rate.plot(epochs, [row["learning_rate"] for row in rows], "--", color="tab:gray")
    rate.set_ylabel("learning rate (dashed)", color="tab:gray")
    for key, name in (("valid_accuracy", "accuracy"), ("valid_mean_recall", "mean class recall")):
        values = [row[key] for row in rows]
        lower.plot(epochs, values, "o-", label=f"{name}, last {values[-1]:.2f} %")
    lower.set_ylabel("validation, majority (%)")
    lower.set_xlabel("epoch")
    lower.legend(loc="lower right")
    lower.grid(alpha=0.3)
    sides = [row["side"] for row in rows]
    for before, epoch, side, last in zip(epochs, epochs[1:], sides[1:], sides, strict=False):
        if side != last:
            for panel in (upper, lower):
                panel.axvline((before + epoch) / 2, color="black", linestyle=":", linewidth=1)
    upper.set_title(
        "Picture sides: " + ", ".join(f"{side:g}" for side in dict.fromkeys(sides)), fontsize=10, loc="left"
    )
    return cast("Figure", figure)


def confusion(counts: NDArray[np.integer[Any]], title: str) -> Figure:
    """Share of each true class (row) given each label (column), in per cent, with the numbers of faces."""
    figure, panel = _pyplot().subplots(figsize=(8, 6.5), layout="constrained")
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    image = panel.imshow(shares, cmap="Blues", vmin=0, vmax=100)
    names = [f"{name} ({total})" for name, total in zip(EMOTIONS, counts.sum(1), strict=True)]
    panel.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=40, ha="right")
    panel.set_yticks(range(len(EMOTIONS)), names)
    panel.set_xlabel("predicted")
    panel.set_ylabel("votes' majority (faces)")
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 50 else "black"
        panel.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=9, color=colour)
    panel.set_title(title, fontsize=11)
    figure.colorbar(image, label="% of the true class", shrink=0.8)
    return cast("Figure", figure)


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot
