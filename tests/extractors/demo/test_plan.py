"""What the scripts of both corpora have in common: balance, and cues none of which carries all of the emotion."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest

from extractors.demo import plan
from extractors.demo.assembly import LAYOUTS, Layout


@pytest.fixture(scope="module", params=LAYOUTS)
def turns(request: pytest.FixtureRequest) -> list[plan.Turn]:
    layout = LAYOUTS[request.param]
    return layout.script(0, layout.SESSIONS, 16)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_ids_are_unique_and_turns_of_a_group_follow_one_another(layout: Layout) -> None:
    turns = layout.script(0, 3, 8)
    assert len({turn.utterance for turn in turns}) == len(turns)
    groups = [name for name, _ in groupby(turns, layout.group)]
    assert len(set(groups)) == len(groups)


def test_kept_turns_are_balanced_within_each_speaker(turns: list[plan.Turn]) -> None:
    kept = Counter((turn.speaker, turn.emotion4) for turn in turns if turn.kept)
    assert len(kept) == 4 * len({turn.speaker for turn in turns})
    assert len(set(kept.values())) == 1
    assert {emotion for _, emotion in kept} == set(plan.CLASSES)
    others = Counter(turn.speaker for turn in turns if not turn.kept)
    assert set(others.values()) == {plan.FILTERED_PER_SPEAKER}


def test_each_session_has_the_same_share_of_clear_cues(turns: list[plan.Turn]) -> None:
    for modality, odds in (("word", plan.WORD), ("voice", plan.VOICE), ("face", plan.FACE)):
        for session in {turn.session for turn in turns}:
            cues = [getattr(turn, modality) for turn in turns if turn.session == session]
            shown = [(turn, getattr(turn, modality)) for turn in turns if turn.session == session and turn.emotion4]
            right = sum(cue.emotion == turn.emotion4 and cue.strength >= 0.75 for turn, cue in shown)
            assert abs(right / len(cues) - odds.clear * len(shown) / len(cues)) < 0.12


def test_modalities_err_on_different_turns(turns: list[plan.Turn]) -> None:
    kept = [turn for turn in turns if turn.kept]
    wrong = [
        {turn.utterance for turn in kept if getattr(turn, modality).emotion != turn.emotion4}
        for modality in ("word", "voice", "face")
    ]
    assert all(wrong)
    assert len(wrong[0] & wrong[1] & wrong[2]) <= 2


def test_draws_are_spread_evenly() -> None:
    draws = np.array(list(plan.draw(20, np.random.default_rng(0))))
    assert draws.shape == (20, 3)
    np.testing.assert_array_equal(np.sort(draws, 0) * 20 // 1, np.arange(20)[:, None].repeat(3, 1))


def test_faces_are_hidden_by_their_place_among_the_kept_turns(turns: list[plan.Turn]) -> None:
    some = [replace(turn, kept=place % 2 == 1) for place, turn in enumerate(turns[:8])]
    hidden = [place for place, turn in enumerate(plan.hide(some, (1, 3, 9))) if not turn.face_visible]
    assert hidden == [3, 7]


def test_truth_says_what_each_modality_shows(turns: list[plan.Turn]) -> None:
    turn = replace(turns[0], word=plan.Cue("sad", 0.123), face_visible=False)
    row = plan.truth(turn, 1.5, 2.5, "left")
    assert tuple(row) == plan.TRUTH_COLUMNS
    assert (row["word_shows"], row["face_visible"], row["start"], row["half"]) == ("sad 0.12", 0, 1.5, "left")
    assert row["origin"] == "synthetic"
