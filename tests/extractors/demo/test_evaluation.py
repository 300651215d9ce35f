"""The label file, line by line, with a reader of its own."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest

from extractors.demo import evaluation, msp_improv, plan

NUMBER = r"(?:\d\.\d{6}|NaN)"
HEAD = rf"UTD-(IMPROV-\S+)\.avi; ([AHNSOX]); A:({NUMBER}); V:({NUMBER}); D:({NUMBER}) ; N:({NUMBER});"
RATER = (
    rf"([A-Za-z0-9_-]+); (Angry|Happy|Neutral|Sad|Other); (.*); A:({NUMBER}); V:({NUMBER}); D:({NUMBER}); N:({NUMBER});"
)


@pytest.fixture(scope="module")
def turns() -> list[plan.Turn]:
    return msp_improv.script(0, 6, 16)


@pytest.fixture(scope="module")
def blocks(turns: list[plan.Turn], tmp_path_factory: pytest.TempPathFactory) -> list[list[str]]:
    path = tmp_path_factory.mktemp("labels") / "Evaluation.txt"
    evaluation.write_evaluation(path, turns)
    text = path.read_text()
    assert text.endswith(";\n\n")
    return [block.split("\n") for block in text.removesuffix("\n\n").split("\n\n")]


def test_a_block_for_each_clip(turns: list[plan.Turn], blocks: list[list[str]]) -> None:
    heads = [re.fullmatch(HEAD, block[0]) for block in blocks]
    found = [(f"MSP-{head[1]}", head[2]) for head in heads if head]
    assert found == sorted((turn.utterance, turn.code) for turn in turns)


def test_raters_agree_with_the_label_and_their_mean_is_in_the_first_line(blocks: list[list[str]]) -> None:
    for block in blocks:
        head = re.fullmatch(HEAD, block[0])
        raters = {line: hit for line in block[1:] if (hit := re.fullmatch(RATER, line))}
        assert head
        assert len({hit[1] for hit in raters.values()}) == len(raters) == 5
        votes = Counter(hit[2][0] for hit in raters.values()).most_common(2)
        assert votes[0][1] == 1 if head[2] == "X" else votes[0][0] == head[2] and votes[0][1] >= 3
        for place in range(4):
            values = [float(hit[4 + place]) for hit in raters.values()]
            assert all(np.isnan(value) or 1 <= value <= 5 for value in values)
            np.testing.assert_allclose(float(head[3 + place]), np.mean(values), atol=1e-6)


def test_oddities(blocks: list[list[str]]) -> None:
    again = [len(block) - len(set(block)) for block in blocks]
    assert (sum(again), again[0]) == (1, 1)
    assert [place for place, block in enumerate(blocks) if "NaN" in "".join(block)] == [1]
    free = [hit[3] for block in blocks for line in block[1:] if (hit := re.fullmatch(RATER, line))]
    assert any(";" in words for words in free)
    assert "" in free
    assert all("synthetic" in line for block in blocks for line in block[1:])


def test_small_activation_means_active(turns: list[plan.Turn], blocks: list[list[str]]) -> None:
    calm = {letter: [] for letter in "AHNSOX"}
    for block in blocks:
        if head := re.fullmatch(HEAD, block[0]):
            calm[head[2]].append(float(head[3]))
    assert np.mean(calm["A"]) < np.mean(calm["H"]) < np.mean(calm["S"])
