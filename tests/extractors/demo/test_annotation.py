"""Transcripts and label files, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from extractors.corpora.iemocap import parse_labels, parse_transcript
from extractors.demo import annotation, plan, sound


@pytest.fixture
def lines() -> list[sound.Line]:
    turns = [turn for turn in plan.script(0, 3, 16) if turn.dialogue == "Ses03M_impro05a"]
    return sound.lay_out(turns, [np.ones(20000, np.float32) for _ in turns], np.random.default_rng(0))


def test_transcript(lines: list[sound.Line], tmp_path: Path) -> None:
    annotation.write_transcript(tmp_path / "t.txt", lines, extra_turns=True)
    text = (tmp_path / "t.txt").read_text()
    rows = text.splitlines()
    assert rows[1] == "M: (synthetic)"
    timed = r"Ses03M_impro05a_[FM](\d{3}|XX0) \[(\d{3}\.\d{4})-(\d{3}\.\d{4})\]: .*"
    hits = [re.fullmatch(timed, row) for row in rows if not row.startswith("M:")]
    assert all(hits)
    starts = [float(hit[2]) for hit in hits if hit]
    assert starts == sorted(starts)
    assert [row.split(" ")[0][-4:] for row in rows[-3:]] == ["MXX0", "FXX0", "FXX0"]
    assert rows[-1].endswith("]: ")
    assert dict(parse_transcript(text)) == {line.turn.utterance: line.turn.text for line in lines}


def test_evaluation(lines: list[sound.Line], tmp_path: Path) -> None:
    annotation.write_evaluation(tmp_path, lines, np.random.default_rng(0))
    text = (tmp_path / "Ses03M_impro05a.txt").read_text()
    header, blank, rest = text.split("\n", 2)
    assert header.startswith("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]")
    assert blank == ""
    assert rest.endswith("\n\n")
    turns = parse_labels(text)
    assert [turn.utterance for turn in turns] == sorted(line.turn.utterance for line in lines)
    codes = {line.turn.utterance: (line.turn.code, line.start, line.end) for line in lines}
    assert {turn.utterance: (turn.code, turn.start, turn.end) for turn in turns} == codes
    for block in rest.strip().split("\n\n"):
        tags = [row.split(":")[0] for row in block.splitlines()[1:]]
        own = block.split("_")[2][0]
        assert tags == ["C-E2", "C-E3", "C-E4", f"C-{own}3", "A-E3", "A-E4", f"A-{own}3"]
        for row in block.splitlines()[1:5]:
            assert re.fullmatch(r"C-\w\d:\t([A-Z][a-z]+; ?)+\t\(.*\)", row)
        for row in block.splitlines()[5:]:
            assert re.fullmatch(r"A-\w\d:\tval \d; act \d; dom  \d?;\t\(\)", row)


@pytest.mark.parametrize("code", sorted(annotation.MIDDLES))
def test_votes_have_the_majority_that_the_label_says(code: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        votes = annotation._votes(code, random)[:3]
        names = [vote.split(";")[0] for vote in votes]
        most = max(names, key=names.count)
        assert names.count(most) == 1 if code == "xxx" else most == annotation.NAMES[code]


def test_junk_is_apple_double(tmp_path: Path) -> None:
    annotation.write_junk(tmp_path / "a.wav")
    assert (tmp_path / "._a.wav").read_bytes().startswith(bytes.fromhex("0005160700020000"))
