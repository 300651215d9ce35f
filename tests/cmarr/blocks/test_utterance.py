from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cmarr.batch import Batch
from cmarr.blocks.sequence_encoder import LstmEncoder, TextCnn
from cmarr.blocks.utterance import Encoders
from cmarr.settings import Mmin

DIMS = {"text": 4, "speech": 3, "video": 2}
LENGTHS = {"text": torch.tensor([1, 7, 5]), "speech": torch.tensor([9, 4, 2]), "video": torch.tensor([3, 3, 8])}
READ = torch.tensor([[True, False, True], [False, True, False], [True, True, False]])


def made(**switches: object) -> Encoders:
    torch.manual_seed(0)
    return Encoders(DIMS, Mmin(embedding=6), **switches).eval()  # type: ignore[arg-type]


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    features: dict[str, Tensor] = {}
    for modality, dim in DIMS.items():
        x = torch.randn(3, 9, dim, generator=generator)
        features[modality] = torch.where(torch.arange(9)[:, None] < LENGTHS[modality][:, None, None], x, 0)
    return Batch(features, LENGTHS, torch.ones(3, 3, dtype=torch.bool))


def test_encoder_or_silence_row_by_row() -> None:
    encoders, utterances = made(), batch()
    out = encoders(utterances, READ)
    assert out.shape == (3, 18)
    for row in range(3):
        for column, (modality, encoder) in enumerate(zip(DIMS, encoders.parts(), strict=True)):
            length = LENGTHS[modality][row : row + 1]
            one = utterances.features[modality][row : row + 1]
            expected = encoder(one, length) if READ[row, column] else encoder.silence(1)
            torch.testing.assert_close(out[row, 6 * column : 6 * column + 6], expected[0])


def test_what_is_not_read_may_be_junk_or_absent() -> None:
    encoders, utterances = made(), batch()
    junk = {
        m: torch.where(READ[:, column, None, None], x, torch.nan)
        for column, (m, x) in enumerate(utterances.features.items())
    }
    lengths = {m: torch.where(READ[:, column], length, -5) for column, (m, length) in enumerate(LENGTHS.items())}
    spoilt = Batch(junk, lengths, utterances.available)
    assert torch.equal(encoders(spoilt, READ), encoders(utterances, READ))
    nothing = torch.zeros(2, 3, dtype=torch.bool)
    quiet = torch.cat([encoder.silence(1) for encoder in encoders.parts()], dim=1)
    torch.testing.assert_close(encoders(Batch({}, {}, nothing), nothing), quiet.expand(2, -1))


@pytest.mark.parametrize("last", [False, True])
def test_kinds_of_encoders(last: bool) -> None:
    text, speech, video = made(text="lstm", last_text=last).parts()
    assert isinstance(text, LstmEncoder)
    assert text.last is last
    assert (speech.last, video.last) == (False, False)
    cnn, _, _ = made().parts()
    assert isinstance(cnn, TextCnn)
    assert cnn.head[0].p == 0.5
    legacy = Encoders(DIMS, Mmin(embedding=6, legacy_padding=True))
    assert all(encoder.legacy_padding for encoder in legacy.parts())
