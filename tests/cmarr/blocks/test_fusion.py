from __future__ import annotations

from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from cmarr.blocks.fusion import Fusion, MeanFusion
from cmarr.settings import CmArr
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability
from tests.closeness import changed

AVAILABLE = torch.tensor([availability(condition) for condition in CONDITIONS])
SWITCHES = [{}, {"third_block": "sv"}, {"query": "first_available"}, {"fusion_pooling": "last"}]


def sequences(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {modality: torch.randn(len(AVAILABLE), 32, 8, generator=generator) for modality in MODALITIES}


def fusion(**settings: object) -> Fusion:
    torch.manual_seed(0)
    return Fusion(CmArr.model_validate({"size": "tiny", **settings}), 4).eval()


def means() -> MeanFusion:
    torch.manual_seed(0)
    return MeanFusion(CmArr(size="tiny"), 4).eval()


@pytest.mark.parametrize("fuse", [*(fusion(**switch) for switch in SWITCHES), means()])
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_counts(fuse: nn.Module, modality: str) -> None:
    x = sequences()
    before = fuse(x, AVAILABLE)
    assert before.shape == (len(AVAILABLE), 4)
    assert changed(before, fuse(x | {modality: x[modality] + 1 + x[modality] ** 2}, AVAILABLE))


def expected(fuse: Fusion, text: Tensor, speech: Tensor, video: Tensor, last: bool = False) -> Tensor:
    """Eq. 10 to 13 of one sample, each input (width, time)."""
    text, speech, video = (value.T[None] for value in (text, speech, video))
    results = [fuse.to_video(text, video), fuse.to_speech(text, speech)]
    if fuse.speech_to_video is not None:
        results.append(fuse.speech_to_video(speech, video))
    joined = torch.cat(results, dim=2)
    mixed = fuse.to_itself(joined, joined)[0]
    first, _, _, second = fuse.head
    out: Tensor = second(first(mixed[-1] if last else sum(mixed) / len(mixed)).clamp(min=0))
    return out


@pytest.mark.parametrize("switch", SWITCHES)
def test_is_equations_10_to_13(switch: dict[str, str]) -> None:
    """With `first_available` the three parts are played by the available modalities first, sample by sample."""
    fuse, x = fusion(**switch), sequences()
    logits = fuse(x, AVAILABLE)
    for row, condition in enumerate(CONDITIONS):
        names = list(MODALITIES)
        if "query" in switch:
            names = [m for m in MODALITIES if m[0] in condition] + [m for m in MODALITIES if m[0] not in condition]
        by_hand = expected(fuse, *(x[name][row] for name in names), last="fusion_pooling" in switch)
        torch.testing.assert_close(logits[row], by_hand, atol=1e-5, rtol=1e-4)


def test_equations_tell_parts_apart() -> None:
    """Otherwise the test above could not see who asks."""
    fuse, x = fusion(third_block="sv"), sequences()
    results = [expected(fuse, *(x[name][0] for name in names)) for names in permutations(MODALITIES)]
    assert all((one - other).abs().max() > 1e-3 for i, one in enumerate(results) for other in results[:i])


def test_third_block_widens_what_follows() -> None:
    assert fusion().head[0].in_features == 64
    assert fusion(third_block="sv").head[0].in_features == 96
    assert fusion(third_block="sv").to_itself.attention.embed_dim == 96


def test_means_go_side_by_side_into_the_head() -> None:
    fuse, x = means(), sequences()
    joined = torch.cat([x[modality].sum(2) / 8 for modality in MODALITIES], dim=1)
    torch.testing.assert_close(fuse(x, AVAILABLE), fuse.head(joined))


def test_parameter_counts() -> None:
    """Of the parts that the paper size lists: 2 x 50,112 for eq. 10 and 11, 198,528 for eq. 13."""
    fuse = Fusion(CmArr(), 4)
    counts = [sum(p.numel() for p in part.parameters()) for part in (fuse.to_video, fuse.to_speech, fuse.to_itself)]
    assert counts == [50_112, 50_112, 198_528]
