from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora import Listing, Rejected, Remark, iemocap
from extractors.corpora.iemocap_release import KNOWN, Turn
from extractors.corpora.judge import judge
from extractors.corpora.lines import Line, split
from extractors.files import UserError
from extractors.settings import Iemocap, Policy
from tests.extractors.corpora.iemocap_tree import EXTRA_TURNS, write_release


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


def settings(root: Path, **more: Any) -> Iemocap:
    return Iemocap(type="iemocap", root=str(root), **more)


def listed(root: Path, sessions: Sequence[str] = iemocap.SESSIONS, policy: str = "keep") -> Listing:
    corpus = settings(root, policy=Policy(empty_transcript=policy))
    return judge(iemocap.read(corpus, sessions), root, corpus.policy, silent)


def reasons(listing: Listing) -> dict[str, tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {row.utterance: (row.stage, row.reason) for row in listing.rejected}
    assert len(rows) == len(listing.rejected)
    return rows


def test_rows_halves_and_order(tree: Any, line: Any) -> None:
    tree.dialogue(
        "Ses03M_impro05a", [line("F000", 9, 12.25, "exc"), line("M000", 6.3101, 10, "ang", "[LAUGHTER] A]: b")]
    )
    tree.dialogue("Ses05F_script01_1", [line("F000", 1, 2, "neu"), line("M012", 1.5, 2, "sad", "")])
    tree.dialogue("Ses05M_script01_1b", [line("M000", 1, 2, "hap")])
    tree.dialogue("Ses05M_script01_1", [line("M000", 3, 4, "neu", "Other.")])
    listing = listed(tree.root)
    assert listing.rejected == []
    short = [(u.utterance, u.dialogue, u.session, u.speaker, u.label, u.crop, u.text) for u in listing.rows]
    assert short == [
        ("Ses03M_impro05a_F000", "Ses03M_impro05a", "3", "3F", "happy", "right", "Hello  there."),
        ("Ses03M_impro05a_M000", "Ses03M_impro05a", "3", "3M", "angry", "left", "[LAUGHTER] A]: b"),
        ("Ses05F_script01_1_F000", "Ses05F_script01_1", "5", "5F", "neutral", "left", "Hello  there."),
        ("Ses05F_script01_1_M012", "Ses05F_script01_1", "5", "5M", "sad", "right", ""),
        ("Ses05M_script01_1_M000", "Ses05M_script01_1", "5", "5M", "neutral", "left", "Other."),
        ("Ses05M_script01_1b_M000", "Ses05M_script01_1b", "5", "5M", "happy", "left", "Hello  there."),
    ]
    first = listing.rows[1]
    assert (first.audio_start, first.audio_end, first.video_start, first.video_end) == (None, None, 6.3101, 10.0)
    assert first.audio == "Session3/sentences/wav/Ses03M_impro05a/Ses03M_impro05a_M000.wav"
    assert first.video == "Session3/dialog/avi/DivX/Ses03M_impro05a.avi"
    assert [u.session for u in listed(tree.root, ["3"]).rows] == ["3", "3"]


def test_every_problem_has_its_row_and_stops_nothing(tree: Any, line: Any) -> None:
    name, mute, dark = "Ses01F_impro01", "Ses01M_impro02", "Ses01M_impro03"
    tree.dialogue(name, [line(f"F{i:03d}", i + 1, i + 2, "ang") for i in range(12)])
    tree.dialogue(mute, [line("M000", 1, 2, "sad")])
    tree.dialogue(dark, [line("F000", 1, 2, "neu"), line("M000", 1, 2, "neu", "a" * 10_001)])
    labels = tree.labels(name).read_text()
    labels = labels.replace("F000\tang", "F000\txxx").replace("F002\t", "Fxx2\t")
    labels = labels.replace("[2.0000 - 3.0000]", "[2.0000 - 1.0000]") + f"[8.0 - 9.0]\t{name}_F003\tsad\t[1, 2, 3]\n"
    tree.labels(name).write_text(labels.replace("\n", "\r\n"))
    words = tree.transcript(name).read_text().replace(f"{name}_F004 ", f"{name}_ ").replace("\n", "\r\n")
    tree.transcript(name).write_text(words + f"{name}_F005 [1-2]: Something else.\n{name}_F013 [1-2]: b\n")
    tree.wav(f"{name}_F012").write_bytes(b"")
    tree.wav(f"{name}_F006").unlink()
    tree.wav(f"{name}_F007").write_bytes(b"")
    tree.wav(f"{name}_F008").write_bytes(b"no sound at all")
    whole = tree.wav(f"{name}_F009").read_bytes()
    tree.wav(f"{name}_F009").write_bytes(whole[:-2])
    tree.avi(mute).write_bytes(tree.avi(mute).read_bytes()[:40])
    tree.avi(dark).unlink()
    listing = listed(tree.root, policy="reject")
    assert [u.utterance for u in listing.rows] == [f"{name}_F010", f"{name}_F011"]
    assert reasons(listing) == {
        name: ("label", "line 15 of the label file begins like a label but is none"),
        f"{name}_F000": ("label", "label xxx is not one of the four classes"),
        f"{name}_F001": ("label", "ends at 1.0 s, not after its start at 2.0 s"),
        f"{name}_F002": ("label", "recorded or transcribed, but there is no label line"),
        f"{name}_F003": ("label", "2 label lines: ang, sad"),
        f"{name}_F004": ("transcript", "no transcript line"),
        f"{name}_F005": ("transcript", "2 different transcript lines"),
        f"{name}_F006": ("audio", "wav: missing"),
        f"{name}_F007": ("audio", "wav: empty file"),
        f"{name}_F008": ("audio", "wav: unreadable (Format not recognised.)"),
        f"{name}_F009": ("audio", "wav: header promises 3244 bytes, the file has 3242: cut off or damaged"),
        f"{name}_F012": ("label", "recorded or transcribed, but there is no label line"),
        f"{name}_F013": ("label", "recorded or transcribed, but there is no label line"),
        f"{dark}_F000": ("video", "avi: missing"),
        f"{dark}_M000": ("transcript", "10001 characters long; the file is damaged"),
        f"{mute}_M000": ("video", reasons(listing)[f"{mute}_M000"][1]),
    }
    assert reasons(listing)[f"{mute}_M000"][1].startswith("avi: unreadable (")


def test_links_must_stay_in_the_corpus(tree: Any, line: Any, tmp_path: Path) -> None:
    name, other = "Ses01F_impro01", "Ses01F_impro02"
    tree.dialogue(name, [line("F000", 1, 2, "ang"), line("F001", 2, 3, "sad")])
    tree.dialogue(other, [line("F000", 1, 2, "ang")])
    inside, outside = tree.wav(f"{name}_F000"), tmp_path / "elsewhere.wav"
    inside.rename(outside)
    inside.symlink_to(outside)
    second = tree.wav(f"{name}_F001")
    second.rename(second.with_name("copy.wav"))
    second.symlink_to("copy.wav")
    tree.labels(other).rename(tmp_path / "labels.txt")
    tree.labels(other).symlink_to(tmp_path / "labels.txt")
    listing = listed(tree.root, ["1"])
    assert [u.utterance for u in listing.rows] == [f"{name}_F001"]
    assert reasons(listing) == {
        f"{name}_F000": ("audio", "wav: a link that leaves the corpus folder"),
        other: ("label", "file is a link that leaves the corpus folder"),
        f"{other}_F000": ("label", "recorded or transcribed, but there is no label line"),
    }


def test_release_folder_one_level_down(tree: Any, line: Any) -> None:
    tree.dialogue("Ses02F_impro01", [line("F000", 1, 2, "ang")])
    (tree.root / "Documentation").mkdir()
    listing = listed(tree.root.parent, ["2"])
    assert listing.rows[0].audio.startswith("corpus/Session2/")
    files = [path.relative_to(tree.root.parent).as_posix() for path in iemocap.label_files(settings(tree.root.parent))]
    assert files == [
        f"corpus/Session2/dialog/{kind}/Ses02F_impro01.txt" for kind in ("EmoEvaluation", "transcriptions")
    ]
    (tree.root.parent / "copy" / "Session2").mkdir(parents=True)
    with pytest.raises(UserError, match="several releases"):
        iemocap.label_files(settings(tree.root.parent))


def test_unusable_folders(tmp_path: Path) -> None:
    def refused(match: str, root: Path) -> None:
        with pytest.raises(UserError, match=match):
            listed(root)

    refused("no such folder", tmp_path / "absent")
    refused("no folders Session1 to Session5", tmp_path)
    folder = tmp_path / "Session4" / "dialog" / "EmoEvaluation"
    folder.mkdir(parents=True)
    refused("no label files", tmp_path)
    (folder / "Ses04F_impro01.txt").write_bytes(bytes(range(256)))
    refused("no label line", tmp_path)


def turns(content: bytes) -> list[Turn]:
    return [item for item in iemocap.parse_labels(split(content), "file") if isinstance(item, Turn)]


def test_what_is_odd_in_label_and_transcript_files() -> None:
    head = b"[1.0 - 2.0]\tSes01F_impro01_F00%d\tneu\t[5.5000, 3.0000, 0.5000]\n"
    label = b"%% not a turn\n" + head % 0 + b"C-E2:\tNeutral;\t(na\xefve [x; y])\n" + head % 1
    label += b"A-E3:\tval 3; act 2; dom  ;\t()\nA-F1:\tval ; act 2; dom  2;\t()\n[1.0 - 2.0]\tSes01F_impro01_F0\tneu\n"
    first, odd, second, *gaps, damaged = iemocap.parse_labels(split(label), "Ses01F_impro01")
    assert first == Turn("Ses01F_impro01_F000", 1.0, 2.0, "neu", 5.5, 3.0, 0.5)
    assert odd == Remark("Ses01F_impro01_F000", "label", "line 3 of the label file is not UTF-8, read as Latin-1")
    assert isinstance(second, Turn)
    assert gaps == [
        Remark("Ses01F_impro01_F001", "label", "rater E3 gives no dominance"),
        Remark("Ses01F_impro01_F001", "label", "rater F1 gives no valence"),
    ]
    assert isinstance(damaged, Rejected)
    assert (damaged.utterance, damaged.reason[:7]) == ("Ses01F_impro01", "line 7 ")
    text = b"Ses01F_impro01_F000 [1-2]: caf\xe9\x85 what\x1cnow?\r\nM: Mm.\n"
    text += b"Ses01F_impro01_MXX0 [1-2]: \nSes01F_impro01 x\n"
    assert list(iemocap.parse_transcript(split(text), "Ses01F_impro01")) == [
        ("Ses01F_impro01_F000", "caf\u00e9  what now?"),
        Remark("Ses01F_impro01_F000", "transcript", "line 1 is not UTF-8, read as Latin-1"),
        ("Ses01F_impro01_MXX0", ""),
        Remark("Ses01F_impro01", "transcript", "line 4 begins like a turn but is none, passed over"),
    ]


def test_remarks_of_a_whole_corpus(tree: Any, line: Any) -> None:
    name = "Ses03F_impro01"
    tree.dialogue(name, [line("F000", 1, 1.1, "ang"), line("M000", 1, 2, "xxx")])
    tree.dialogue("Ses02F_impro01", [line("F000", 1, 2, "ang", "")])
    aligned = tree.root / "Session3/sentences/ForcedAlignment" / name
    aligned.mkdir(parents=True)
    (aligned / f"{name}_M000.wdseg").touch()
    tree.wav(f"{name}_M000").unlink()
    found = {(row.utterance, row.remark) for row in listed(tree.root).remarks}
    assert found >= {
        (f"{name}_FXX0", "extra turn without label and wav, passed over (2 lines)"),
        (f"{name}_MXX1", "extra turn without label and wav, passed over"),
        (f"{name}_F000", "no forced alignment (not needed)"),
        (f"{name}_F000", "rater E3 gives no dominance"),
        (f"{name}_F000", "0.100 s long"),
        (f"{name}_M000", "wav: missing"),
        ("Ses02F_impro01_F000", "transcript is empty; kept by policy.empty_transcript"),
    }
    assert not any(row.utterance[4] == "3" for row in listed(tree.root, ["2"]).remarks)
    rejected = reasons(listed(tree.root, policy="reject"))
    assert rejected["Ses02F_impro01_F000"] == ("transcript", "transcript is empty")


@given(st.binary(max_size=300))
def test_parsers_take_any_bytes(content: bytes) -> None:
    assert turns(content) == [] or b"Ses0" in content
    assert b"Ses" in content or not any(
        isinstance(item, tuple) for item in iemocap.parse_transcript(split(content), "file")
    )


PIECES = [
    "[",
    "]",
    "]:",
    "\t",
    " ",
    "-",
    "1.5",
    "9" * 12,
    ".",
    "neu",
    "Ses01F_impro01_F000",
    "Ses05M_script01_1b_MXX0",
    "\n",
    "\r",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40))
def test_parsers_take_any_arrangement_of_their_own_pieces(pieces: list[str]) -> None:
    content = "".join(pieces).encode("utf-8", "surrogatepass")
    assert all(math.isfinite(turn.start) and math.isfinite(turn.end) for turn in turns(content))
    for item in iemocap.parse_transcript(split(content), "file"):
        assert isinstance(item, Remark) or not set("\r\n\t") & set(item[1])


@given(st.floats(0, 9999), st.floats(0, 9999), st.sampled_from("FM"), st.integers(0, 999))
def test_label_line_round_trip(start: float, end: float, who: str, number: int) -> None:
    name = f"Ses03M_impro08b_{who}{number:03d}"
    (turn,) = turns(f"[{start:.4f} - {end:.4f}]\t{name}\tfru\t[2.5000, 2.5000, 2.5000]\r\n".encode())
    assert (turn.utterance, turn.code, turn.speaker, turn.dialogue) == (name, "fru", f"3{who}", "Ses03M_impro08b")
    assert (turn.start, turn.end) == (float(f"{start:.4f}"), float(f"{end:.4f}"))


@pytest.mark.parametrize("piece", ["[", "[1.5 - ", "Ses01F_impro01_F000 [", "Ses01F_", " ", "\t", "1", "]:"])
def test_endless_lines_take_a_moment(piece: str) -> None:
    began = time.perf_counter()
    for start in ("[1", "A-E1:\tval "):
        list(iemocap.parse_labels([Line(start + piece * 1_000_000, True)], "file"))
    list(iemocap.parse_transcript([Line("Ses01F_impro01_F000 " + piece * 1_000_000, True)], "file"))
    assert time.perf_counter() - began < 2


def test_full_size_release_is_read_in_seconds(tmp_path: Path) -> None:
    expected = write_release(tmp_path)
    began = time.perf_counter()
    listing = iemocap.read(settings(tmp_path), iemocap.SESSIONS)
    assert time.perf_counter() - began < 5
    assert (len(expected), len(listing.rows), len(listing.passed_over)) == (10039, 5531, 4508)
    assert {(row.utterance, row.label) for row in listing.rows} == {(t.utterance, t.label) for t in expected if t.label}
    assert len(listing.rejected) == len(listing.passed_over)
    assert len(listing.ratings) == 10039
    extra = [remark for remark in listing.remarks if "extra turn" in remark.remark]
    assert (len(extra), sum("2 lines" in remark.remark for remark in extra)) == (EXTRA_TURNS - 2, 2)
    for name in ("dialogues", "utterances"):
        assert listing.check["lists"][name]["sha256"] == KNOWN.lists[name][1]
    assert listing.check["found"] == KNOWN.counts
    path = tmp_path / "Session3/dialog/EmoEvaluation/Ses03M_impro05b.txt"
    path.write_text(path.read_text().replace("\tSes03M_impro05b_F007\t", "\tSes03M_impro05b_F07\t"))
    damaged = iemocap.read(settings(tmp_path), iemocap.SESSIONS)
    assert damaged.check["differences"][0] == (
        "utterance Ses03M_impro05b_F007: of the release, but has no label line here"
    )
    assert "dialogue Ses03M_impro05b: 65 instead of 66" in damaged.check["differences"]
    assert reasons(damaged)["Ses03M_impro05b"][1].endswith("of the label file begins like a label but is none")
