"""Names of the MSP-IMPROV layout; tests/extractors/demo/test_assembly.py looks at its files."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from extractors.corpora import __file__ as corpora
from extractors.demo import msp_improv, plan

ID = (
    r"MSP-IMPROV-(?P<scene>S(?:0[1-9]|1\d|20)[AHNS])-(?P<actor>[FM]0[1-6])"
    r"-(?P<scenario>[PRST])-(?P<pair>FM|MF|FF|MM)(?P<number>\d\d)"
)
EXCLUDED = Path(corpora).with_name("msp_improv_excluded.txt")
SCRIPTS = [(seed, sessions, count) for seed in (0, 1) for sessions, count in ((6, 16), (3, 8), (1, 1))]


def fields(turn: plan.Turn) -> dict[str, str]:
    hit = re.fullmatch(ID, turn.utterance)
    assert hit, turn.utterance
    return hit.groupdict()


@pytest.fixture(scope="module")
def turns() -> list[plan.Turn]:
    return msp_improv.script(seed=0, sessions=6, utterances_per_speaker=16)


def test_names_are_those_of_the_release(turns: list[plan.Turn]) -> None:
    for turn in turns:
        found = fields(turn)
        assert found["actor"] == f"{turn.sex}0{turn.session}"
        if found["scenario"] == "R":
            assert found["actor"] in {"F02", "F03", "F05", "F06", "M01", "M02", "M03"}
            assert found["pair"] == 2 * turn.sex
        else:
            assert found["pair"] in ("FM", "MF")
        if found["scenario"] == "T":
            assert found["pair"][0] == turn.sex
            assert found["number"] in ("01", "02")
            assert found["scene"] < "S16"


@pytest.mark.parametrize(("seed", "sessions", "count"), SCRIPTS)
def test_scenes(seed: int, sessions: int, count: int) -> None:
    """Five or more in each session, for a validation set of whole scenes, and none of the excluded clips."""
    excluded = EXCLUDED.read_text(encoding="utf-8").split() if EXCLUDED.is_file() else []
    scenes = defaultdict(set)
    for turn in msp_improv.script(seed, sessions, count):
        assert turn.utterance not in excluded
        if turn.kept:
            scenes[turn.session].add(fields(turn)["scene"])
    assert len(scenes) == sessions
    assert min(map(len, scenes.values())) >= 5
    targets = {scene[-1] for found in scenes.values() for scene in found}
    assert targets == set("AHNS")


def test_every_speaker_leads_and_follows(turns: list[plan.Turn]) -> None:
    pairs = Counter((turn.speaker, fields(turn)["pair"]) for turn in turns if turn.kept)
    assert len(pairs) == 24
    assert set(pairs.values()) == {6}


def test_what_is_filtered(turns: list[plan.Turn]) -> None:
    filtered = [turn for turn in turns if not turn.kept]
    assert {fields(turn)["scenario"] for turn in filtered} == set("PRST")
    assert {turn.code for turn in filtered if fields(turn)["scenario"] == "S"} == set("XO")
    for turn in turns:
        assert turn.emotion4 == {"A": "ang", "H": "hap", "N": "neu", "S": "sad"}.get(turn.code, "")
        assert turn.kept == (fields(turn)["scenario"] == "S" and turn.code in "AHNS")


def test_numbers_rise_with_a_gap_here_and_there(turns: list[plan.Turn]) -> None:
    numbers: dict[str, list[int]] = {}
    for turn in turns:
        numbers.setdefault(turn.utterance[:-2], []).append(int(turn.utterance[-2:]))
    assert all(found == sorted(set(found)) for found in numbers.values())
    assert 1 <= sum(found != list(range(1, len(found) + 1)) for found in numbers.values()) <= len(numbers) / 4


@pytest.mark.parametrize(("asked", "kept"), [(1, 4), (4, 4), (8, 4), (12, 8), (16, 12), (32, 24)])
def test_kept_are_three_quarters_in_whole_quartets(asked: int, kept: int) -> None:
    turns = msp_improv.script(0, 1, asked)
    assert Counter(turn.speaker for turn in turns if turn.kept) == {"1F": kept, "1M": kept}


def test_one_actor_leaves_the_picture(turns: list[plan.Turn]) -> None:
    assert [turn.kept for turn in turns if not turn.face_visible] == [True]
