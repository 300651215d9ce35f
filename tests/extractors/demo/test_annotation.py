"""Transcripts and label files, line by line."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from extractors.demo import annotation, iemocap, sound

DIALOGUE = "Ses03M_impro05a"


@pytest.fixture
def lines() -> list[sound.Line]:
    turns = [turn for turn in iemocap.script(0, 3, 16) if iemocap.group(turn) == DIALOGUE]
    return sound.lay_out(turns, [np.ones(20000, np.float32) for _ in turns], np.random.default_rng(0))


def test_transcript(lines: list[sound.Line], tmp_path: Path) -> None:
    annotation.write_transcript(tmp_path / f"{DIALOGUE}.txt", lines, extra_turns=True)
    rows = (tmp_path / f"{DIALOGUE}.txt").read_text().splitlines()
    assert rows[1] == "M: (synthetic)"
    timed = rf"({DIALOGUE}_[FM](?:\d{{3}}|XX0)) \[(\d{{3}}\.\d{{4}})-(\d{{3}}\.\d{{4}})\]: (.*)"
    hits = [re.fullmatch(timed, row) for row in rows if not row.startswith("M:")]
    assert all(hits)
    starts = [float(hit[2]) for hit in hits if hit]
    assert starts == sorted(starts)
    assert [row.split(" ")[0][-4:] for row in rows[-3:]] == ["MXX0", "FXX0", "FXX0"]
    assert rows[-1].endswith("]: ")
    texts = {hit[1]: hit[4] for hit in hits if hit and "XX" not in hit[1]}
    assert texts == {line.turn.utterance: line.turn.text for line in lines}


def test_evaluation(lines: list[sound.Line], tmp_path: Path) -> None:
    annotation.write_evaluation(tmp_path / f"{DIALOGUE}.txt", lines, np.random.default_rng(0))
    text = (tmp_path / f"{DIALOGUE}.txt").read_text()
    header, blank, rest = text.split("\n", 2)
    assert header.startswith("% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]")
    assert blank == ""
    assert rest.endswith("\n\n")
    summary = (
        rf"\[(\d+\.\d{{4}}) - (\d+\.\d{{4}})\]\t({DIALOGUE}_[FM]\d{{3}})\t([a-z]{{3}})\t\[(\d\.\d{{4}}(, )?){{3}}\]"
    )
    found = []
    for block in rest.strip().split("\n\n"):
        head, *votes = block.splitlines()
        hit = re.fullmatch(summary, head)
        assert hit
        found.append((hit[3], hit[4], float(hit[1]), float(hit[2])))
        own = hit[3][-4]
        assert [row.split(":")[0] for row in votes] == [
            *("C-E2", "C-E3", "C-E4", f"C-{own}3"),
            *("A-E3", "A-E4", f"A-{own}3"),
        ]
        for row in votes[:4]:
            assert re.fullmatch(r"C-\w\d:\t([A-Z][a-z]+; ?)+\t\(.*\)", row)
        for row in votes[4:]:
            assert re.fullmatch(r"A-\w\d:\tval \d; act \d; dom  \d?;\t\(\)", row)
    assert found == sorted((line.turn.utterance, line.turn.code, line.start, line.end) for line in lines)
    single = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*_*_*.txt")}
    assert f"Categorical/{DIALOGUE}_e2_cat.txt" in single
    assert f"Self-evaluation/{DIALOGUE}_f3_atr.txt" in single


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
