from __future__ import annotations

from itertools import combinations, permutations

import pytest
import torch
from torch import Tensor, nn

from cmarr.blocks.fusion import Fusion, MeanFusion, fusion
from cmarr.settings import CmArr
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability
from tests.closeness import changed

AVAILABLE = torch.tensor([availability(condition) for condition in CONDITIONS])
SWITCHES = [
    {"fusion": "recovered_asks"},
    {"fusion": "each_asks"},
    {"fusion": "text_asks"},
    {"fusion": "text_asks", "third_block": "sv"},
    {"fusion": "available_asks"},
    {"fusion": "available_asks", "third_block": "sv"},
    {"fusion": "recovered_asks", "fusion_pooling": "last"},
]


def sequences(seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {modality: torch.randn(len(AVAILABLE), 32, 8, generator=generator) for modality in MODALITIES}


def made(**settings: object) -> nn.Module:
    torch.manual_seed(0)
    return fusion(CmArr.model_validate({"size": "tiny", **settings}), 4).eval()


@pytest.mark.parametrize("switch", [*SWITCHES, {"fusion": "means"}])
@pytest.mark.parametrize("modality", MODALITIES)
def test_every_modality_counts(switch: dict[str, str], modality: str) -> None:
    fuse, x = made(**switch), sequences()
    before = fuse(x, AVAILABLE)
    assert before.shape == (len(AVAILABLE), 4)
    after = fuse(x | {modality: x[modality].roll(1, 0)}, AVAILABLE)
    assert all(changed(one, other) for one, other in zip(before, after, strict=True))


def results(fuse: Fusion, values: dict[str, Tensor], condition: str, kind: str) -> list[Tensor]:
    """What each block says of one sample, each value (1, time, width)."""
    real = [name for name in MODALITIES if name[0] in condition]
    if kind in ("text_asks", "available_asks"):
        first, second, third = MODALITIES
        if kind == "available_asks":
            first, second, third = [*real, *(name for name in MODALITIES if name not in real)]
        pairs = [[(first, second)], [(first, third)], [(second, third)]][: len(fuse.blocks)]
    else:
        pairs = []
        for one, other in combinations(MODALITIES, 2):
            if kind == "each_asks" or (one in real) == (other in real):
                pairs.append([(one, other), (other, one)])
            else:
                pairs.append([(other, one) if one in real else (one, other)])
    return [
        sum(block(values[asking], values[asked]) for asking, asked in asks) / len(asks)
        for block, asks in zip(fuse.blocks, pairs, strict=True)
    ]


def by_hand(fuse: Fusion, values: dict[str, Tensor], condition: str, kind: str, last: bool = False) -> Tensor:
    joined = torch.cat(results(fuse, values, condition, kind), dim=2)
    mixed = fuse.to_itself(joined, joined)[0]
    first, _, _, second = fuse.head
    out: Tensor = second(first(mixed[-1] if last else sum(mixed) / len(mixed)).clamp(min=0))
    return out


@pytest.mark.parametrize("switch", SWITCHES)
def test_is_equations_10_to_13(switch: dict[str, str]) -> None:
    fuse, x = made(**switch), sequences()
    assert isinstance(fuse, Fusion)
    logits = fuse(x, AVAILABLE)
    for row, condition in enumerate(CONDITIONS):
        values = {name: x[name][row].T[None] for name in MODALITIES}
        expected = by_hand(fuse, values, condition, switch["fusion"], "fusion_pooling" in switch)
        torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=1e-4)


def test_the_example_of_the_paper() -> None:
    """Text is missing: the recovered text asks speech and video, and nothing else (eq. 10 and 11)."""
    fuse, x = made(), sequences()
    assert isinstance(fuse, Fusion)
    values = {name: x[name].transpose(1, 2) for name in MODALITIES}
    available = torch.tensor(availability("sv")).expand(len(AVAILABLE), -1)
    speech, video = (fuse._asked(number, [*values.values()], available) for number in range(2))
    torch.testing.assert_close(speech, fuse.blocks[0](values["text"], values["speech"]))
    torch.testing.assert_close(video, fuse.blocks[1](values["text"], values["video"]))


@pytest.mark.parametrize("switch", [SWITCHES[0], SWITCHES[3]])
def test_equations_tell_parts_apart(switch: dict[str, str]) -> None:
    """Otherwise the test above could not see who asks."""
    fuse, x = made(**switch), sequences()
    assert isinstance(fuse, Fusion)
    found = []
    for names in permutations(MODALITIES):
        values = {name: x[other][0].T[None] for name, other in zip(MODALITIES, names, strict=True)}
        found.append(by_hand(fuse, values, "v", switch["fusion"]))
    assert all((one - other).abs().max() > 1e-2 for one, other in combinations(found, 2))


def test_third_block_widens_what_follows() -> None:
    widths = [made(**switch).head[0].in_features for switch in SWITCHES]
    assert widths == [96, 96, 64, 96, 64, 96, 96]


def test_means_go_side_by_side_into_the_head() -> None:
    fuse, x = made(fusion="means"), sequences()
    assert isinstance(fuse, MeanFusion)
    joined = torch.cat([x[modality].sum(2) / 8 for modality in MODALITIES], dim=1)
    torch.testing.assert_close(fuse(x, AVAILABLE), fuse.head(joined))


def test_parameter_counts() -> None:
    """50,112 a block of eq. 10 and 11 and 198,528 for eq. 13, as the paper size lists; three pairs make it 3 d wide."""

    def counts(**settings: object) -> list[int]:
        fuse = fusion(CmArr.model_validate(settings), 4)
        assert isinstance(fuse, Fusion)
        return [sum(p.numel() for p in part.parameters()) for part in (*fuse.blocks, fuse.to_itself)]

    assert counts(fusion="text_asks") == [50_112, 50_112, 198_528]
    assert counts() == counts(fusion="each_asks") == [50_112, 50_112, 50_112, 12 * 192**2 + 15 * 192]
