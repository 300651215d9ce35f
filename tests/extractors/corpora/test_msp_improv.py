from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from extractors.corpora import Listing, msp_improv
from extractors.corpora.judge import judge
from extractors.corpora.msp_improv_release import EXCLUDED
from extractors.files import UserError
from extractors.settings import MspImprov, Policy
from tests.extractors.corpora.msp_tree import LACKING, RATER, RATERS, VALUES, MspTree, block

FIRST, SECOND, THIRD = (f"MSP-IMPROV-S01A-{clip}" for clip in ("F01-S-FM01", "M01-S-FM02", "F02-S-MF01"))


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


def listing(root: Path, sessions: str = "123456", subset: str = "mmin") -> Listing:
    corpus = MspImprov.model_validate({"type": "msp_improv", "root": str(root), "subset": subset})
    return msp_improv.read(corpus, tuple(sessions))


def reasons(found: Listing) -> dict[str, tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {row.utterance: (row.stage, row.reason) for row in found.rejected}
    assert len(rows) == len(found.rejected)
    return rows


def remarks(found: Listing) -> set[tuple[str, str, str]]:
    return {(row.utterance, row.stage, row.remark) for row in found.remarks}


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
    (tree.root / "Phonetic_Alignments").mkdir()
    for clip in clips:
        (tree.root / "Phonetic_Alignments" / f"{clip}.txt").write_text("0 10 sil")
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
        ("", "label", f"Evaluation.txt: lines that belong to no clip: {2 + 1 + len(RATERS)}"),
        (FIRST, "label", "no value for dominance, naturalness in the consensus line"),
        (FIRST, "label", "rater lines without a value: 1"),
        (FIRST, "label", "rater lines that cannot be read: 2"),
        (FIRST, "label", "rater lines that repeat another: 2"),
        (SECOND, "label", "no value for activation, valence, dominance, naturalness in the consensus line"),
        (THIRD, "label", "evaluation lines not UTF-8, read as Latin-1"),
    }
    assert [row.label for row in found.rows] == ["angry", "neutral", "happy"]
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
    assert set(reasons(found)) == {f"{THIRD[:-1]}2"}
    assert {row.utterance for row in found.ratings} == {THIRD, f"{THIRD[:-1]}2"}
    assert {name for name, _, _ in remarks(found)} == {"", THIRD, f"{THIRD[:-1]}2"}
    assert found.check["found"]["session"] == {"1": 2, "2": 2}
    assert found.check["status"] == "not a release"
    assert found.wordless == {THIRD: "no transcript file"}


def test_names_that_are_no_ids_are_not_looked_at(tree: MspTree) -> None:
    tree.clip(FIRST, "A", media=48_000)
    folder = tree.media(FIRST, "wav").parent
    for name in (f"._{SECOND}.wav", f"{SECOND}.wav.bak", f"{SECOND}.mp4", f"{SECOND.lower()}.wav", f"{SECOND}.av\u0131",
                 SECOND.replace("M01", "M07") + ".wav", SECOND.replace("S01A", "S21A") + ".avi", f"x{SECOND}.txt",
                 SECOND.replace("FM02", "FM\u0660\u0662") + ".wav", "Readme.txt", f"{SECOND}.wav\n"):  # fmt: skip
        (folder / name).write_bytes(b"")
    (folder / f"{SECOND}.wav").mkdir()
    found = listing(tree.root)
    assert [row.utterance for row in found.rows] == [FIRST]
    assert (found.rejected, found.remarks) == ([], [])


def test_two_files_of_one_clip(tree: MspTree) -> None:
    clips = [f"MSP-IMPROV-S03N-M05-S-MF{i:02d}" for i in range(1, 7)]
    for clip in clips:
        tree.clip(clip, media=44_100)
    other = tree.root / "other"
    other.mkdir()
    (other / f"{clips[0]}.WAV").write_bytes(tree.media(clips[0], "wav").read_bytes())
    (other / f"{clips[1]}.avi").write_bytes(b"")
    (other / f"{clips[2]}.txt").write_text("Hello there.")
    (other / f"{clips[3]}.txt").write_text("Hello here.")
    (other / f"{clips[4]}.wav").symlink_to(tree.media(clips[4], "wav"))
    found = listing(tree.root)
    assert [row.utterance for row in found.rows] == [clips[2], clips[4], clips[5]]
    place = f"session5/S03N/S/{clips[0]}.wav"
    assert reasons(found) == {
        clips[0]: ("audio", f"2 wav files: Audio/{place}, other/{clips[0]}.WAV"),
        clips[1]: ("video", f"2 avi files: Video/session5/S03N/S/{clips[1]}.avi, other/{clips[1]}.avi"),
        clips[3]: (
            "transcript",
            "2 different transcripts: "
            f"Human_transcriptions/All_human_transcriptions/{clips[3]}.txt, other/{clips[3]}.txt",
        ),
    }


def test_links_must_stay_in_the_corpus(tree: MspTree, tmp_path: Path) -> None:
    tree.clip(FIRST, "A", media=48_000)
    tree.clip(SECOND, "H", text=None, media=48_000)
    tree.clip(THIRD, "H", text=None)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / f"{THIRD}.wav").write_bytes(b"")
    (outside / "words.txt").write_text("Outside.")
    (outside / "Evaluation.txt").write_text("Outside.")
    tree.words(SECOND).symlink_to(outside / "words.txt")
    (tree.root / "media").symlink_to(outside)
    (tree.root / "again").symlink_to(tree.root / "Audio")
    (tree.root / "Audio" / "loop").symlink_to(tree.root)
    (tree.root / "itself").symlink_to("itself")
    (tree.root / f"{THIRD}.txt").symlink_to("nowhere")
    link = tmp_path / "link"
    link.symlink_to(tree.root)
    for root in (tree.root, link):
        found = listing(root)
        assert [(row.utterance, row.audio) for row in found.rows] == [(FIRST, f"Audio/session1/S01A/S/{FIRST}.wav")]
        place = f"Human_transcriptions/All_human_transcriptions/{SECOND}.txt"
        assert reasons(found) == {
            SECOND: ("transcript", f"{place}: a link that leaves the corpus folder"),
            THIRD: ("transcript", f"{THIRD}.txt: missing"),
        }
        assert remarks(found) == {("", "audio", "media: a link that leaves the corpus folder; not followed")}


def test_folders_that_are_no_corpus(tmp_path: Path) -> None:
    def error(root: Path, part: str) -> None:
        with pytest.raises(UserError) as caught:
            listing(root)
        assert part in str(caught.value)
        assert "\n" not in str(caught.value)

    error(tmp_path / "absent", "absent: no such folder; set it to the unpacked MSP-IMPROV release")
    error(tmp_path, "no Evaluation.txt, nor one level down; set it to the unpacked MSP-IMPROV release")
    tree = MspTree(tmp_path / "corpus", labels="MSP-IMPROV/Evaluation.txt")
    error(tree.root, "MSP-IMPROV/Evaluation.txt: no consensus line (UTD-IMPROV-...); is this MSP-IMPROV")
    tree.clip(FIRST)
    second = tree.root / "EVALUTION.txt"
    second.write_bytes(tree.labels.read_bytes())
    assert len(listing(tree.root).rows) == 1
    second.write_text("other")
    error(tree.root, f"{second} and {tree.labels} differ; remove the one that is not of the release")
    second.unlink()
    second.symlink_to("nowhere")
    error(tree.root, "EVALUTION.txt: missing; put the evaluation file of the release there")
    second.unlink()
    odd = os.fsencode(tree.root) + b"/caf\xe9"
    os.mkdir(odd)  # noqa: PTH102
    assert len(listing(tree.root).rows) == 1
    Path(os.fsdecode(odd), f"{FIRST}.wav").touch()
    error(tree.root, "'caf\\udce9/MSP-IMPROV-S01A-F01-S-FM01.wav': not a UTF-8 name; rename the folder")


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
