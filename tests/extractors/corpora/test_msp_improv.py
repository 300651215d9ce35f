from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.corpora import msp_improv
from extractors.corpora.judge import judge
from extractors.corpora.msp_improv_release import EXCLUDED
from extractors.settings import MspImprov, Policy
from tests.extractors.corpora.msp_tree import (
    FIRST,
    LACKING,
    NO_FILE,
    RATER,
    RATERS,
    SECOND,
    THIRD,
    VALUES,
    MspTree,
    block,
    listing,
    reasons,
    remarks,
)


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


@pytest.fixture
def tree(tmp_path: Path) -> MspTree:
    return MspTree(tmp_path / "corpus")


@pytest.mark.parametrize("labels", ["Evaluation.txt", "MSP-IMPROV/Evalution.TXT"])
@pytest.mark.parametrize("split_media", [True, False])
def test_rows_of_both_layouts(tmp_path: Path, split_media: bool, labels: str) -> None:
    tree = MspTree(tmp_path / "corpus", split_media, labels)
    tree.clip("MSP-IMPROV-S09S-M06-S-FM01", "S", media=44_100)
    tree.clip("MSP-IMPROV-S20N-F01-S-MF12", "A", "", media=48_000)
    found = listing(tree.root)
    assert (found.rejected, found.wordless) == ([], {"MSP-IMPROV-S20N-F01-S-MF12": "transcript has only blanks"})
    short = [(row.utterance, row.dialogue, row.session, row.speaker, row.label, row.text) for row in found.rows]
    assert short == [
        ("MSP-IMPROV-S09S-M06-S-FM01", "S09S-6", "6", "6M", "sad", "Hello  there."),
        ("MSP-IMPROV-S20N-F01-S-MF12", "S20N-1", "1", "1F", "angry", ""),
    ]
    one = found.rows[0]
    below = labels.removesuffix(tree.labels.name)
    assert one.audio == f"{below}{'Audio/' * split_media}session6/S09S/S/MSP-IMPROV-S09S-M06-S-FM01.wav"
    assert one.video == f"{below}{'Video/' * split_media}session6/S09S/S/MSP-IMPROV-S09S-M06-S-FM01.avi"
    assert {one.audio_start, one.audio_end, one.video_start, one.video_end} == {None}
    assert one.crop == "full"
    judged = judge(found, tree.root, Policy(empty_transcript="keep"), silent)
    assert [row.utterance for row in judged.rows] == [row.utterance for row in found.rows]
    spelt = ("", "label", "the evaluation file is spelt Evalution.TXT")
    assert remarks(found) == ({spelt} if below else set())
    corpus = MspImprov(type="msp_improv", root=str(tree.root))
    assert msp_improv.label_files(corpus) == [tree.labels]
    assert msp_improv.sessions(corpus) == ("1", "2", "3", "4", "5", "6")
    assert msp_improv.classes(corpus) == ("angry", "happy", "neutral", "sad")


def test_every_problem_has_its_row_in_order_of_label_subset_transcript(tree: MspTree) -> None:
    excluded = min(EXCLUDED)
    name = "MSP-IMPROV-S02H-F03-{}".format
    letters = {"S-FM01": "X", "S-FM02": "O", "S-FM03": "Q", "P-FM01": "X", "P-FM02": "H", "R-FF01": "H", "T-FM01": "H"}
    for turn, letter in {**letters, "S-FM04": "H", "S-FM05": "H", "S-FM06": "H"}.items():
        tree.clip(name(turn), letter)
    tree.clip(excluded, "A", text=None)
    tree.label(block(name("S-FM04"), "S") + block(name("S-FM04"), "H"))
    tree.words(name("S-FM07")).write_text("Words without a label.\n")
    tree.media(name("S-FM08"), "avi").parent.mkdir(parents=True)
    tree.media(name("S-FM08"), "avi").write_bytes(b"")
    tree.words(name("S-FM05")).write_bytes(b"a" * (msp_improv.MOST_BYTES + 1))
    found = listing(tree.root)
    assert reasons(found) == {
        name("S-FM01"): ("label", "label X (no agreement) is not one of the four classes"),
        name("S-FM02"): ("label", "label O (other) is not one of the four classes"),
        name("S-FM03"): ("label", "label Q is not one of the four classes"),
        name("P-FM01"): ("label", "label X (no agreement) is not one of the four classes"),
        name("P-FM02"): ("subset", "mmin: scenario P (natural interaction) instead of S"),
        name("R-FF01"): ("subset", "mmin: scenario R (read) instead of S"),
        name("T-FM01"): ("subset", "mmin: scenario T (target sentence improvised) instead of S"),
        name("S-FM04"): ("label", "3 consensus lines: H, S, H"),
        name("S-FM05"): ("transcript", reasons(found)[name("S-FM05")][1]),
        name("S-FM07"): ("label", "recorded or transcribed, but there is no consensus line"),
        name("S-FM08"): ("label", "recorded or transcribed, but there is no consensus line"),
        excluded: ("subset", "mmin: on the list of 121 excluded clips"),
    }
    assert reasons(found)[name("S-FM05")][1].endswith(f"{name('S-FM05')}.txt: 1048577 bytes long, 1048576 at most are "
                                                      "expected; the file is damaged")  # fmt: skip
    assert [(row.utterance, row.audio, row.video) for row in found.rows] == [(name("S-FM06"), "", "")]
    whole = listing(tree.root, subset="all")
    assert [row.utterance for row in whole.rows] == [
        excluded,
        *(name(turn) for turn in ("P-FM02", "R-FF01", "S-FM06", "T-FM01")),
    ]
    assert {row.stage for row in whole.rejected} == {"label", "transcript"}
    assert whole.check == found.check
    assert name("S-FM04") not in {row.utterance for row in found.ratings}
    assert len(found.ratings) == 10


def test_transcripts(tree: MspTree) -> None:
    clips = [f"MSP-IMPROV-S03N-M05-S-MF{i:02d}" for i in range(1, 10)]
    contents = [
        b"",
        b"\xef\xbb\xbf",
        b" \t\r\n\xc2\xa0\n",
        b"Caf\xe9?\x07\n",
        b"Caf\xc3\xa9?",
        b"one\r\ntwo\n\nthree\r\n",
    ]
    for clip in clips:
        tree.clip(clip, text=None)
    tree.words(clips[0]).parent.mkdir(parents=True)
    for clip, content in zip(clips[1:], contents, strict=False):
        tree.words(clip).write_bytes(content)
    elsewhere = tree.root / "text" / "session5" / f"{clips[7]}.TXT"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_text("Elsewhere.")
    for folder in ("Phonetic_Alignments", "forcedalignment2"):
        (tree.root / folder).mkdir()
        for clip in clips:
            (tree.root / folder / f"{clip}.txt").write_text("0 10 sil")
    found = listing(tree.root)
    assert [row.text for row in found.rows] == ["", "", "", "", "Café?", "Café?", "one two  three", "Elsewhere.", ""]
    assert found.wordless == {
        clips[0]: "no transcript file",
        clips[1]: "transcript is empty",
        clips[2]: "transcript is empty",
        clips[3]: "transcript has only blanks",
        clips[8]: "no transcript file",
    }
    assert remarks(found) == {(clips[4], "transcript", "not UTF-8, read as Latin-1")}
    judged = judge(found, tree.root, Policy(), silent)
    assert reasons(judged)[clips[3]] == ("transcript", "transcript has only blanks")


def test_remarks_on_the_evaluation_file(tree: MspTree) -> None:
    lacking = VALUES.replace("D:2.600000", "D:NaN").replace("N:3.600000", "N:")
    tree.label("Evaluation of all clips\n\n")
    tree.label(block(FIRST, "A", [RATER, RATER, RATER, LACKING, "W_1; Sad; A:1;", "no; values"], lacking))
    tree.label(block(SECOND, "H", RATERS[:1], "A:3.0; V:"))
    tree.label(f"{RATER}\n{block(THIRD, 'N').replace('S01A', 'S21A')}")
    with tree.labels.open("ab") as stream:
        stream.write(block(THIRD, "N").replace("bored", "b\xf6se").encode("latin-1"))
    for clip in (FIRST, SECOND, THIRD):
        tree.words(clip).parent.mkdir(parents=True, exist_ok=True)
        tree.words(clip).write_text("Yes.")
    found = listing(tree.root)
    assert remarks(found) == {
        ("", "label", f"Evaluation.txt: lines that belong to no clip: {2 + len(RATERS)}, the first is line 1"),
        (FIRST, "label", "no value for dominance, naturalness in the consensus line"),
        (FIRST, "label", "rater lines without a value: 1"),
        (FIRST, "label", "rater lines that cannot be read: 2"),
        (FIRST, "label", "rater lines that repeat another: 2"),
        (SECOND, "label", "no value for activation, valence, dominance, naturalness in the consensus line"),
        (THIRD, "label", "evaluation lines not UTF-8, read as Latin-1"),
    }
    assert [row.label for row in found.rows] == ["angry", "neutral", "happy"]
    (number,) = (n for n, line in enumerate(tree.labels.read_bytes().splitlines(), 1) if b"S21A" in line)
    begins = "of the evaluation file begins like a consensus line but is none"
    assert reasons(found) == {f"line {number}": ("label", f"line {number} {begins}")}
    unchosen = {
        clip: ("subset", f"session {clip[18]} is not among the chosen sessions") for clip in (FIRST, SECOND, THIRD)
    }
    assert reasons(listing(tree.root, "6")) == reasons(found) | unchosen
    values = [(row.utterance, row.activation, row.valence, row.dominance, row.naturalness) for row in found.ratings]
    assert values == [(FIRST, 3.4, 3.0, None, None), (THIRD, 3.4, 3.0, 2.6, 3.6), (SECOND, None, None, None, None)]
    assert {row.activation_scale for row in found.ratings} == {"1 active, 5 calm"}
    assert "not flipped" in found.check["activation"]


def test_sessions_limit_all_but_the_check(tree: MspTree) -> None:
    for clip, letter in ((FIRST, "A"), (SECOND, "X"), (THIRD, "H"), (f"{THIRD[:-1]}2", "X")):
        tree.label(block(clip, letter, [RATER, RATER]))
    tree.label("stray\n")
    found = listing(tree.root, "2")
    assert [row.utterance for row in found.rows] == [THIRD]
    assert {name: reason[0] for name, reason in reasons(found).items()} == {
        FIRST: "subset", SECOND: "subset", f"{THIRD[:-1]}2": "label",
    }  # fmt: skip
    assert found.size == 4
    assert {row.utterance for row in found.ratings} == {THIRD, f"{THIRD[:-1]}2"}
    assert {name for name, _, _ in remarks(found)} == {"", THIRD, f"{THIRD[:-1]}2"}
    assert found.check["found"]["session"] == {"1": 2, "2": 2}
    assert found.check["status"] == "not a release"
    assert found.wordless == {THIRD: "no transcript file"}


@settings(max_examples=30)
@given(content=st.binary(max_size=40))
def test_any_bytes_are_a_transcript(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    tree = MspTree(tmp_path_factory.mktemp("any") / "corpus")
    tree.clip(FIRST)
    tree.words(FIRST).write_bytes(content)
    found = listing(tree.root)
    (row,) = found.rows
    assert row.text.isprintable() or not any(character in row.text for character in "\n\r\x00\x1b\x85\u2028")
    assert bool(found.wordless) == (not row.text)


def test_transcripts_by_people_count_where_others_differ(tree: MspTree) -> None:
    one, two, three, four = (f"MSP-IMPROV-S03N-M05-S-MF{i:02d}" for i in range(1, 5))
    for clip in (one, two, three, four):
        tree.clip(clip)
    for clip, folder, words in (
        (one, "ASR", "Hello hair."),
        (one, "Text", "Yellow hair."),
        (two, "ASR", "Hello\tthere."),
        (three, "more_HUMAN_words", "Hello hair."),
        (four, "ASR", "Hello hair."),
    ):
        (tree.root / folder).mkdir(exist_ok=True)
        (tree.root / folder / f"{clip}.txt").write_text(words)
    tree.words(four).rename(tree.root / f"{four}.txt")
    found = listing(tree.root)
    assert [(row.utterance, row.text) for row in found.rows] == [(one, "Hello  there."), (two, "Hello there.")]
    place = "Human_transcriptions/All_human_transcriptions/"
    assert remarks(found) == {(one, "transcript", f"3 transcripts differ; {place}{one}.txt is used")}
    assert reasons(found) == {
        three: ("transcript", f"2 different transcripts: {place}{three}.txt, more_HUMAN_words/{three}.txt"),
        four: ("transcript", f"2 different transcripts: ASR/{four}.txt, {four}.txt"),
    }


def test_a_fifo_is_never_opened(tree: MspTree) -> None:
    tree.clip(FIRST, text=None)
    tree.clip(SECOND)
    os.mkfifo(tree.root / f"{FIRST}.txt")
    for name in (f"{SECOND}.wav", f"{SECOND}.WAV"):
        os.mkfifo(tree.root / name)
    assert reasons(listing(tree.root)) == {
        FIRST: ("transcript", f"{FIRST}.txt: {NO_FILE}"),
        SECOND: ("audio", f"2 wav files that differ: {SECOND}.WAV, {SECOND}.wav"),
    }


def test_reading_transcripts_shows_a_bar_on_stderr_only(tree: MspTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.clip(FIRST)
    listing(tree.root)
    out, err = capsys.readouterr()
    assert out == ""
    assert "reading labels and transcripts: 100%" in err
