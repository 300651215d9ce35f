from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import console
from extractors.corpora import Listing, iemocap
from extractors.corpora.iemocap_release import KNOWN, dialogues
from extractors.files import UserError, read_json
from extractors.manifest import read_manifest


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


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
    listing = iemocap.read(tree.root, iemocap.SESSIONS, silent)
    assert listing.rejected == []
    short = [(u.utterance, u.dialogue, u.session, u.speaker, u.label, u.crop, u.text) for u in listing.kept]
    assert short == [
        ("Ses03M_impro05a_F000", "Ses03M_impro05a", "3", "3F", "happy", "right", "Hello  there."),
        ("Ses03M_impro05a_M000", "Ses03M_impro05a", "3", "3M", "angry", "left", "[LAUGHTER] A]: b"),
        ("Ses05F_script01_1_F000", "Ses05F_script01_1", "5", "5F", "neutral", "left", "Hello  there."),
        ("Ses05F_script01_1_M012", "Ses05F_script01_1", "5", "5M", "sad", "right", ""),
        ("Ses05M_script01_1_M000", "Ses05M_script01_1", "5", "5M", "neutral", "left", "Other."),
        ("Ses05M_script01_1b_M000", "Ses05M_script01_1b", "5", "5M", "happy", "left", "Hello  there."),
    ]
    first = listing.kept[1]
    assert (first.audio_start, first.audio_end, first.video_start, first.video_end) == (None, None, 6.3101, 10.0)
    assert first.audio == "Session3/sentences/wav/Ses03M_impro05a/Ses03M_impro05a_M000.wav"
    assert first.video == "Session3/dialog/avi/DivX/Ses03M_impro05a.avi"
    assert [u.session for u in iemocap.read(tree.root, ["3"], silent).kept] == ["3", "3"]


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
    listing = iemocap.read(tree.root, iemocap.SESSIONS, silent)
    assert [u.utterance for u in listing.kept] == [f"{name}_F010", f"{name}_F011"]
    assert reasons(listing) == {
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
        f"{dark}_F000": ("video", "avi of the dialogue: missing"),
        f"{dark}_M000": ("transcript", "10001 characters long; the file is damaged"),
        f"{mute}_M000": ("video", reasons(listing)[f"{mute}_M000"][1]),
    }
    assert reasons(listing)[f"{mute}_M000"][1].startswith("avi of the dialogue: unreadable (")


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
    listing = iemocap.read(tree.root, ["1"], silent)
    assert [u.utterance for u in listing.kept] == [f"{name}_F001"]
    assert reasons(listing) == {
        f"{name}_F000": ("audio", "wav: a link that leaves the corpus folder"),
        other: ("label", "file is a link that leaves the corpus folder"),
        f"{other}_F000": ("label", "recorded or transcribed, but there is no label line"),
    }


def test_release_folder_one_level_down(tree: Any, line: Any) -> None:
    tree.dialogue("Ses02F_impro01", [line("F000", 1, 2, "ang")])
    (tree.root / "Documentation").mkdir()
    listing = iemocap.read(tree.root.parent, ["2"], silent)
    assert listing.kept[0].audio.startswith("corpus/Session2/")
    files = [path.relative_to(tree.root.parent).as_posix() for path in iemocap.label_files(tree.root.parent)]
    assert files == [
        f"corpus/Session2/dialog/{kind}/Ses02F_impro01.txt" for kind in ("EmoEvaluation", "transcriptions")
    ]
    (tree.root.parent / "copy" / "Session2").mkdir(parents=True)
    with pytest.raises(UserError, match="several releases"):
        iemocap.label_files(tree.root.parent)


def test_unusable_folders(tmp_path: Path) -> None:
    def refused(match: str, root: Path) -> None:
        with pytest.raises(UserError, match=match):
            iemocap.read(root, iemocap.SESSIONS, silent)

    refused("no such folder", tmp_path / "absent")
    refused("no folders Session1 to Session5", tmp_path)
    folder = tmp_path / "Session4" / "dialog" / "EmoEvaluation"
    folder.mkdir(parents=True)
    refused("no label files", tmp_path)
    (folder / "Ses04F_impro01.txt").write_bytes(bytes(range(256)))
    refused("no label line", tmp_path)


def test_bytes_that_are_not_utf8() -> None:
    assert iemocap.decode("caf\u00e9".encode("latin-1")) == iemocap.decode("\ufeffcaf\u00e9".encode()) == "caf\u00e9"
    content = iemocap.decode(b"Ses01F_impro01_F000 [001.0-002.0]: Wait\x85 what\x1cnow?\r\n")
    assert iemocap.parse_transcript(content) == [("Ses01F_impro01_F000", "Wait  what now?")]


@given(st.binary(max_size=300))
def test_parsers_take_any_bytes(content: bytes) -> None:
    text = iemocap.decode(content)
    assert iemocap.parse_labels(text) == [] or b"Ses0" in content
    assert iemocap.parse_transcript(text) == [] or b"Ses0" in content


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
    content = "".join(pieces)
    assert all(math.isfinite(turn.start) and math.isfinite(turn.end) for turn in iemocap.parse_labels(content))
    assert all(not set("\r\n\t") & set(text) for _, text in iemocap.parse_transcript(content))


@given(st.floats(0, 9999), st.floats(0, 9999), st.sampled_from("FM"), st.integers(0, 999))
def test_label_line_round_trip(start: float, end: float, who: str, number: int) -> None:
    name = f"Ses03M_impro08b_{who}{number:03d}"
    (turn,) = iemocap.parse_labels(f"[{start:.4f} - {end:.4f}]\t{name}\tfru\t[2.5000, 2.5000, 2.5000]\r\n")
    assert (turn.utterance, turn.code, turn.speaker, turn.dialogue) == (name, "fru", f"3{who}", "Ses03M_impro08b")
    assert (turn.start, turn.end) == (float(f"{start:.4f}"), float(f"{end:.4f}"))


@pytest.mark.parametrize("piece", ["[", "[1.5 - ", "Ses01F_impro01_F000 [", "Ses01F_", " ", "\t", "1", "]:"])
def test_endless_lines_take_a_moment(piece: str) -> None:
    began = time.perf_counter()
    iemocap.parse_labels("[1" + piece * 1_000_000)
    iemocap.parse_transcript("Ses01F_impro01_F000 " + piece * 1_000_000)
    assert time.perf_counter() - began < 2


def test_full_size_labels_are_read_in_seconds(tree: Any, line: Any) -> None:
    for name, size in dialogues().items():
        tree.dialogue(name, [line(f"{'FM'[i % 2]}{i // 2:03d}", i, i + 1, "neu") for i in range(size)], media=False)
    path = tree.labels("Ses03M_impro05b")
    path.write_text(path.read_text().replace("F007\tneu", "F007\t"))
    began = time.perf_counter()
    listing = iemocap.read(tree.root, iemocap.SESSIONS, silent)
    assert time.perf_counter() - began < 5
    assert listing.kept == []
    assert len(listing.rejected) == 10039
    assert {row.stage for row in listing.rejected if row.utterance != "Ses03M_impro05b_F007"} == {"audio"}
    expected = {**KNOWN.counts["dialogue"], "Ses03M_impro05b": 65}
    assert listing.check["found"]["dialogue"] == expected
    assert listing.check["status"] == "differs"
    assert "dialogue Ses03M_impro05b: 65 instead of 66" in listing.check["differences"]
    assert listing.check["differences"][-1] == "utterance Ses03M_impro05b_F007: skipped by the numbering"


UNUSABLE = {
    "missing_transcript": ("transcript", "no transcript line"),
    "label_without_media": ("audio", "wav: missing"),
    "media_without_label": ("label", "no label line"),
    "zero_byte_wav": ("audio", "wav: empty file"),
    "lying_wav_header": ("audio", "header promises"),
}


@pytest.mark.parametrize(("count", "options"), [(1, ()), (2, ("--faults",))], ids=["plain", "faults"])
def test_composite_corpus_row_by_row(
    composite: Callable[..., Path], tmp_path: Path, count: int, options: tuple[str, ...]
) -> None:
    root = composite("--sessions", str(count), *options)
    settings = {"type": "iemocap", "root": str(root), "origin": "composite", "sessions": ["1", "2"][:count]}
    corpus = json.dumps(settings)
    argv = ["manifest", "--name", "small", "--corpus", corpus, "--out-dir", str(tmp_path)]
    assert console.run("extractors", {"manifest": "lists"}, argv) == 0
    with Path(f"{root}.truth.csv").open(encoding="utf-8", newline="") as stream:
        truth = list(csv.DictReader(stream))
    expected = [row for row in truth if row["emotion4"] and row["fault"] not in UNUSABLE]
    kept = read_manifest(tmp_path / "manifest.csv")
    words = {"angry": "ang", "happy": "hap", "neutral": "neu", "sad": "sad"}
    assert [
        (
            u.utterance,
            u.session,
            u.speaker,
            words[u.label],
            u.text,
            f"{u.video_start:.4f}",
            f"{u.video_end:.4f}",
            u.crop,
        )
        for u in kept
    ] == [
        tuple(row[key] for key in ("utterance_id", "session", "speaker", "emotion4", "text", "start", "end", "half"))
        for row in expected
    ]
    assert all(u.dialogue == row["dialog"] for u, row in zip(kept, expected, strict=True))
    assert all((root / u.audio).is_file() and (root / u.video).is_file() for u in kept)
    with (tmp_path / "rejected.csv").open(encoding="utf-8", newline="") as stream:
        rejected = {row["utterance"]: row for row in csv.DictReader(stream)}
    assert rejected.keys() == {row["utterance_id"] for row in truth} - {u.utterance for u in kept}
    assert {row["origin"] for row in rejected.values()} == {"composite"}
    for row in truth:
        if row["fault"] in UNUSABLE:
            stage, reason = UNUSABLE[row["fault"]]
            found = rejected[row["utterance_id"]]
            assert found["stage"] == stage
            assert reason in found["reason"]
        elif not row["emotion4"]:
            assert rejected[row["utterance_id"]]["reason"] == f"label {row['raw_label']} is not one of the four classes"
    if options:
        assert {row["fault"] for row in truth} >= {
            *UNUSABLE,
            "empty_transcript",
            "no_face",
            "short_utterance",
            "latin1_byte",
        }
    assert read_json(tmp_path / "check.json")["status"] == "not a release"


def test_progress_sees_every_utterance(tree: Any, line: Any) -> None:
    tree.dialogue("Ses01F_impro01", [line("F000", 1, 2, "ang"), line("M000", 2, 3, "xxx")])
    seen: list[Any] = []

    def watching(items: Any, what: str, unit: str, total: int | None = None) -> Any:
        seen.extend(islice(items, None))
        return seen

    iemocap.read(tree.root, ["1"], watching)
    assert seen == ["Ses01F_impro01_F000", "Ses01F_impro01_M000"]
