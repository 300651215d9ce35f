"""Embeddings of an utterance, one per modality, with silence in the place of what is not read."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.rows import rows_of, spread
from cmarr.blocks.sequence_encoder import LstmEncoder, TextCnn
from cmarr.settings.mmin import Family
from cmarr.vocabulary import MODALITIES


class Encoders(nn.Module):
    """LSTMs for speech and video, a TextCNN or an LSTM for text (public code AIM3-RUC/MMIN, models/mmin_model.py).

    That code multiplies missing features by 0 and encodes them; here their place is taken by a constant number of zero
    frames, so that neither their content nor their length counts. It orders embeddings speech, text, video; here they
    have the order of `MODALITIES`.
    """

    def __init__(
        self, dims: dict[str, int], settings: Family, text: Literal["cnn", "lstm"] = "cnn", last_text: bool = False
    ) -> None:
        """`last_text`: the last step of the text's LSTM."""
        super().__init__()
        width, legacy = settings.embedding, settings.legacy_padding
        self.text: TextCnn | LstmEncoder = (
            TextCnn(dims["text"], width, settings.text_dropout, legacy)
            if text == "cnn"
            else LstmEncoder(dims["text"], width, legacy, last=last_text)
        )
        self.speech = LstmEncoder(dims["speech"], width, legacy)
        self.video = LstmEncoder(dims["video"], width, legacy)

    def parts(self) -> tuple[TextCnn | LstmEncoder, LstmEncoder, LstmEncoder]:
        """The encoders in the order of `MODALITIES`."""
        return self.text, self.speech, self.video

    def forward(self, batch: Batch, read: Tensor) -> Tensor:
        """(batch, 3 * width) in the order of `MODALITIES`.

        Where `read` (batch, 3) bool on the CPU is true stands the encoder's output, elsewhere its output for silence;
        rows that are not read are not indexed.
        """
        device = next(self.parameters()).device
        embeddings = []
        for column, (modality, encoder) in enumerate(zip(MODALITIES, self.parts(), strict=True)):
            rows, others = (rows_of(flags, device) for flags in (read[:, column], ~read[:, column]))
            parts = []
            if len(rows):
                seen = encoder(batch.features[modality][rows], batch.lengths[modality][rows])
                parts.append(spread(seen, rows, len(read)))
            if len(others):
                parts.append(spread(encoder.silence(len(others)), others, len(read)))
            embeddings.append(sum(parts[1:], start=parts[0]))
        return torch.cat(embeddings, dim=1)
