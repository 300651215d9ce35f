"""CIF-MMIN: imagination with invariant features from contrast between modalities (Liu et al., IEEE TAC 2024).

Public code: ZhuoYulang/CIF-MMIN, models/utt_self_supervise_model.py (stage `teacher`) and
models/our/CIF_MMIN_model.py (stage `main`). Deviations: docs/mmin.md.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.cascade import Cascade
from cmarr.blocks.classifier import classifier
from cmarr.blocks.initial import kaiming_
from cmarr.blocks.pair_contrast import pair_contrast
from cmarr.blocks.student import Student
from cmarr.blocks.utterance import Encoders
from cmarr.settings import CifMmin, System
from cmarr.systems.base import Stage, SystemModule, classification_loss
from cmarr.vocabulary import FULL, MISSING_CONDITIONS, MODALITIES

PAIRS = (("text", "video"), ("text", "speech"), ("video", "speech"))
"""in the order of `contrast_weights`"""


class SpecificAndInvariant(nn.Module):
    """Specific and invariant features, each by encoders of their own; all invariant ones come from LSTMs."""

    def __init__(self, settings: CifMmin, dims: dict[str, int], last_text: bool = False) -> None:
        """`last_text`: the last step of the text's invariant encoder in place of the largest value over time."""
        super().__init__()
        self.specific = Encoders(dims, settings)
        self.invariant = Encoders(dims, settings, text="lstm", last_text=last_text)

    def parts(self) -> tuple[nn.Module, ...]:
        """All six encoders."""
        return *self.specific.parts(), *self.invariant.parts()

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """h and g, both (batch, 3 * width) in the order of `MODALITIES`; silence stands for what is missing."""
        return self.specific(batch, batch.available), self.invariant(batch, batch.available)


class CifMminSystem(Student):
    """A student beside its teacher, whose features it starts from."""

    def __init__(self, settings: CifMmin, dims: dict[str, int], classes: int) -> None:
        super().__init__()
        width = settings.embedding
        together = len(MODALITIES) * width
        self.settings, self.averaged = settings, {"speech": settings.speech_pool}
        self.teacher = SpecificAndInvariant(settings, dims)
        self.teacher_heads = nn.ModuleDict({modality: _head(width) for modality in MODALITIES})
        self.teacher_classify = classifier(together, width, classes, settings.teacher_dropout)
        self.student = SpecificAndInvariant(settings, dims, settings.legacy_conl_last)
        self.cascade = Cascade(together, settings.cascade_layers, settings.cascade_blocks)
        self.classify = classifier(together, width, classes, settings.head_dropout)
        kaiming_(self)

    def stages(self) -> tuple[Stage, ...]:
        """The teacher on complete utterances, then the student on incomplete ones."""
        settings, patterns = self.settings, MISSING_CONDITIONS
        taught = (*self.teacher.parts(), *self.teacher_heads.values(), self.teacher_classify)
        learning = (*self.student.parts(), self.cascade, self.classify)
        return (
            Stage(settings.teacher, self.teacher_loss, self.teacher_logits, taught, (FULL,), "teacher", judged=(FULL,)),
            Stage(
                settings.training, self.loss, self, learning, patterns,
                begin=self.begin, targets=self.targets, judge=self.judge,
            ),
        )  # fmt: skip

    def teacher_logits(self, batch: Batch) -> Tensor:
        """Logits (batch, classes) of the teacher, from specific features alone."""
        return cast(Tensor, self.teacher_classify(self.teacher.specific(batch, batch.available)))

    def teacher_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Parts: `cls`, and one contrast of invariant features for each pair, such as `text_video`.

        Nothing but the contrast trains the invariant encoders.
        """
        h, g = self.teacher(batch)
        projected = {
            modality: self.teacher_heads[modality](own)
            for modality, own in zip(MODALITIES, g.chunk(len(MODALITIES), dim=1), strict=True)
        }
        cls = classification_loss(self.teacher_classify(h), batch)
        contrasts = {f"{one}_{other}": pair_contrast(projected[one], projected[other]) for one, other in PAIRS}
        weighted = zip(self.settings.contrast_weights, contrasts.values(), strict=True)
        return {"total": cls + sum(weight * contrast for weight, contrast in weighted), "cls": cls, **contrasts}

    def classified(self, h: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (n, classes) from the specific features plus the imagined ones (n, 3 * width)."""
        imagined = self.cascade(h, g)[0]
        return self.classify(h + imagined), imagined


def _head(width: int) -> nn.Sequential:
    """Projection (batch, width) to the same shape, before the contrast (models/networks/shared.py)."""
    return nn.Sequential(
        nn.Linear(width, width), nn.LeakyReLU(), nn.LayerNorm(width), nn.Linear(width, width), nn.LeakyReLU()
    )


def build(settings: System, dims: dict[str, int], classes: int) -> SystemModule:
    """A fresh CIF-MMIN; ValueError when the settings are another system's."""
    if not isinstance(settings, CifMmin):
        raise ValueError(f"cif_mmin needs CifMmin settings, not {type(settings).__name__}")
    return CifMminSystem(settings, dims, classes)
