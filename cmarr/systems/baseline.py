"""The baseline of Table 3: projection, fusion and cross-entropy."""

from __future__ import annotations

from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.fusion import fusion
from cmarr.blocks.projection import Projection
from cmarr.settings import Baseline, System
from cmarr.systems.base import Stage, SystemModule, classification_loss, observed
from cmarr.vocabulary import FULL, MODALITIES


class BaselineSystem(SystemModule):
    """CM-ARR without uncertainty, flows, reconstruction and contrasts: a missing X_n is zeros.

    The paper does not describe it; X_n comes straight from the features, and training sees full triples only.
    """

    def __init__(self, settings: Baseline, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        self.settings, sizes = settings, settings.sizes()
        self.project = nn.ModuleDict({m: Projection(dims[m], settings) for m in MODALITIES})
        self.fuse = fusion(settings, classes)
        self.empty = (sizes.width, sizes.time_steps)

    def stages(self) -> tuple[Stage, ...]:
        """One stage on complete utterances."""
        return (Stage(self.settings.training, self.loss, self, (self,), patterns=(FULL,)),)

    def forward(self, batch: Batch) -> Tensor:
        """Logits (batch, classes)."""
        logits: Tensor = self.fuse(observed(batch, self.project, self.empty), batch.available)
        return logits

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, the cross-entropy."""
        cls = classification_loss(self(batch), batch)
        return {"total": cls, "cls": cls}


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh baseline; ValueError when the settings are another system's."""
    if not isinstance(settings, Baseline):
        raise ValueError(f"baseline needs Baseline settings, not {type(settings).__name__}")
    return BaselineSystem(settings, dims, classes)
