"""The script of the demo: names, balance, and that every modality carries the emotion but none carries all of it."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from extractors.demo import plan

DIALOGUE = r"Ses0[1-5][FM]_(impro0[1-8][ab]?|script0[1-3]_[1-3]b?)"


@pytest.fixture(scope="module")
def turns() -> list[plan.Turn]:
    return plan.script(seed=0, sessions=5, utterances_per_speaker=16)


def test_names_are_those_of_the_release(turns: list[plan.Turn]) -> None:
    assert all(re.fullmatch(rf"{DIALOGUE}_[FM]\d{{3}}", turn.utterance) for turn in turns)
    assert len({turn.utterance for turn in turns}) == len(turns)
    assert {"Ses03M_impro05a", "Ses03M_impro05b", "Ses05M_script01_1", "Ses05M_script01_1b"} <= {
        t.dialogue for t in turns
    }
    for session in "12345":
        for marker in "FM":
            for kind in ("impro", "script"):
                assert any(turn.dialogue.startswith(f"Ses0{session}{marker}_{kind}") for turn in turns)


def test_numbers_run_without_gaps_per_speaker_and_dialogue(turns: list[plan.Turn]) -> None:
    numbers: dict[str, list[int]] = {}
    for turn in turns:
        numbers.setdefault(turn.utterance[:-3], []).append(int(turn.utterance[-3:]))
    assert all(found == list(range(len(found))) for found in numbers.values())


def test_kept_turns_are_balanced_within_each_speaker(turns: list[plan.Turn]) -> None:
    kept = Counter((turn.speaker, turn.emotion4) for turn in turns if turn.emotion4)
    assert len(kept) == 40
    assert set(kept.values()) == {4}
    codes = Counter(turn.code for turn in turns)
    assert set(codes) == {"ang", "hap", "exc", "neu", "sad", "fru", "xxx", "sur", "fea", "dis", "oth"}


def test_the_marked_actor_is_on_the_left(turns: list[plan.Turn]) -> None:
    halves = {(turn.utterance[5], turn.sex): turn.half for turn in turns}
    assert halves == {("F", "F"): "left", ("M", "M"): "left", ("F", "M"): "right", ("M", "F"): "right"}


def test_each_session_has_the_same_share_of_clear_cues(turns: list[plan.Turn]) -> None:
    for modality, odds in (("word", plan.WORD), ("voice", plan.VOICE), ("face", plan.FACE)):
        for session in range(1, 6):
            cues = [getattr(turn, modality) for turn in turns if turn.session == session]
            shown = [(turn, getattr(turn, modality)) for turn in turns if turn.session == session and turn.emotion4]
            right = sum(cue.emotion == turn.emotion4 and cue.strength >= 0.75 for turn, cue in shown)
            assert abs(right / len(cues) - odds.clear * len(shown) / len(cues)) < 0.12


def test_modalities_err_on_different_turns(turns: list[plan.Turn]) -> None:
    kept = [turn for turn in turns if turn.emotion4]
    wrong = [
        {turn.utterance for turn in kept if getattr(turn, modality).emotion != turn.emotion4}
        for modality in ("word", "voice", "face")
    ]
    assert all(wrong)
    assert len(wrong[0] & wrong[1] & wrong[2]) <= 2


def test_three_actors_leave_the_picture(turns: list[plan.Turn]) -> None:
    away = [turn for turn in turns if not turn.face_visible]
    assert len(away) == 3
    assert all(turn.emotion4 for turn in away)


@pytest.mark.parametrize(("sessions", "count"), [(0, 4), (6, 4), (1, 0)])
def test_impossible_sizes_are_refused(sessions: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected 1-5"):
        plan.script(0, sessions, count)
