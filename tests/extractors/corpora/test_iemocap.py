from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from extractors.corpora import Listing, Rejected, Remark, iemocap
from extractors.corpora.judge import judge
from extractors.files import UserError
from extractors.settings import Iemocap, IemocapPolicy, parse_corpus


def silent(items: Any, what: str, unit: str, total: int | None = None) -> Any:
    return items


def settings(root: Path, **more: Any) -> Iemocap:
    return Iemocap(type="iemocap", root=str(root), **more)


def listed(root: Path, sessions: Sequence[str] = iemocap.SESSIONS, policy: str = "keep") -> Listing:
    corpus = settings(root, policy=IemocapPolicy(empty_transcript=policy))
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
        f"{name}_F006": ("audio", f"wav: missing: Session1/sentences/wav/{name}/{name}_F006.wav"),
        f"{name}_F007": ("audio", "wav: empty file"),
        f"{name}_F008": ("audio", "wav: unreadable (Format not recognised.)"),
        f"{name}_F009": ("audio", "wav: header promises 3244 bytes, the file has 3242: cut off or damaged"),
        f"{name}_F012": ("label", "recorded or transcribed, but there is no label line"),
        f"{name}_F013": ("label", "recorded or transcribed, but there is no label line"),
        f"{dark}_F000": ("video", f"avi: missing: Session1/dialog/avi/DivX/{dark}.avi"),
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


def test_odd_entries_stop_nothing(tree: Any, line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "Ses01F_impro01"
    tree.dialogue(name, [line("F000", 1, 2, "ang")])
    wavs = tree.root / "Session1/sentences/wav"
    (wavs / "loop").symlink_to("loop")
    (wavs / "Ses01F_impro02").symlink_to("Ses01F_impro02")
    (tree.root / "Session1/sentences/ForcedAlignment").mkdir()
    (tree.root / "Session1/sentences/ForcedAlignment" / name).touch()
    for index, path in enumerate((tree.labels("Ses01F_impro03"), tree.labels("Ses01F_impro04"))):
        [path.mkdir, lambda path=path: os.mkfifo(path)][index]()
    tree.transcript("Ses01F_impro03").symlink_to("nowhere")
    listing = listed(tree.root)
    assert [row.utterance for row in listing.rows] == [f"{name}_F000"]
    odd = "file is no file but a folder, a device or a broken link"
    assert [(row.utterance, row.stage, row.reason) for row in listing.rejected] == [
        ("Ses01F_impro03", "label", odd),
        ("Ses01F_impro03", "transcript", odd),
        ("Ses01F_impro04", "label", odd),
    ]
    assert all(path.is_file() for path in iemocap.label_files(settings(tree.root)))

    def refuse(self: Path) -> Any:
        raise PermissionError(13, os.strerror(13), str(self))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuse)
        with pytest.raises(UserError, match="no label files"):
            listed(tree.root)
    read_bytes = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda path: refuse(path) if path == tree.transcript(name) else read_bytes(path)
    )
    found = listed(tree.root, policy="reject").rejected
    assert Rejected(f"{name}_F000", "transcript", "no transcript line") in found
    assert Rejected(name, "transcript", "file is unreadable (Permission denied)") in found


def test_folders_that_cannot_be_listed_get_a_remark(tree: Any, line: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.dialogue("Ses01F_impro01", [line("F000", 1, 2, "ang")])
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "transcriptions")
    assert Remark("Ses01", "label", "folder transcriptions cannot be read") in listed(tree.root).remarks


def test_a_release_behind_links_says_so(tree: Any, line: Any, tmp_path: Path) -> None:
    tree.dialogue("Ses01F_impro01", [line("F000", 1, 2, "ang")])
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "Session1").symlink_to(tree.root / "Session1")
    with pytest.raises(UserError, match="a link that leaves the corpus folder"):
        listed(tmp_path / "links")


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
        (f"{name}_M000", f"wav: missing: Session3/sentences/wav/{name}/{name}_M000.wav"),
        ("Ses02F_impro01_F000", "transcript is empty; kept by policy.empty_transcript"),
    }
    assert not any(row.utterance[4] == "3" for row in listed(tree.root, ["2"]).remarks)
    rejected = reasons(listed(tree.root, policy="reject"))
    assert rejected["Ses02F_impro01_F000"] == ("transcript", "transcript is empty")


def test_lines_of_plays_can_be_rejected(tree: Any, line: Any) -> None:
    for name in ("Ses01F_impro01", "Ses01F_script01_1", "Ses05M_script01_1b"):
        tree.dialogue(name, [line("F000", 1, 2, "ang"), line("M000", 1, 2, "xxx")])
    rejecting = settings(tree.root, policy=IemocapPolicy(scripted="reject"))
    found = iemocap.read(rejecting, iemocap.SESSIONS)
    assert [row.utterance for row in found.rows] == ["Ses01F_impro01_F000"]
    scripted = {name: why for name, why in reasons(found).items() if "script" in name}
    assert len(scripted) == 4
    assert set(scripted.values()) == {("subset", "scripted, rejected by policy.scripted")}
    kept = iemocap.read(settings(tree.root), iemocap.SESSIONS)
    assert len(kept.rows) == 3
    assert len(found.rows) + len(found.rejected) == len(kept.rows) + len(kept.rejected) == found.size == 6
    assert found.check == kept.check


def test_only_iemocap_has_plays() -> None:
    with pytest.raises(UserError, match=r"corpora.x.policy.scripted: unknown key"):
        parse_corpus("corpora.x", '{"type": "msp_improv", "root": "r", "policy": {"scripted": "reject"}}')
