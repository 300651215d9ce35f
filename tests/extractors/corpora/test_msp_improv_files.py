from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractors.corpora import msp_improv
from extractors.corpora.judge import judge
from extractors.files import UserError
from extractors.settings import MspImprov, Policy
from tests.extractors.corpora.msp_tree import FIRST, NO_FILE, SECOND, THIRD, MspTree, listing, reasons, remarks


@pytest.fixture
def tree(tmp_path: Path) -> MspTree:
    return MspTree(tmp_path / "corpus")


def test_names_that_are_no_ids_are_not_looked_at_but_counted_when_almost_one(tree: MspTree) -> None:
    tree.clip(FIRST, "A", media=48_000)
    folder = tree.media(FIRST, "wav").parent
    for name in (f"._{SECOND}.wav", f"{SECOND}.wav.bak", f"{SECOND}.mp4", f"{SECOND.lower()}.wav", f"{SECOND}.av\u0131",
                 SECOND.replace("M01", "M07") + ".wav", SECOND.replace("S01A", "S21A") + ".avi", f"x{SECOND}.txt",
                 SECOND.replace("FM02", "FM\u0660\u0662") + ".wav", "Readme.txt", f"{SECOND}.wav\n"):  # fmt: skip
        (folder / name).write_bytes(b"")
    (folder / f"{SECOND}.wav").mkdir()
    found = listing(tree.root)
    assert [row.utterance for row in found.rows] == [FIRST]
    assert found.rejected == []
    first = f"Audio/session1/S01A/S/{SECOND.replace('FM02', 'FM')}"
    counted = f"media named almost like a clip, passed over: 4, the first is '{first}\\u0660\\u0662.wav'"
    assert remarks(found) == {("", "audio", counted)}


def test_two_files_of_one_clip(tree: MspTree) -> None:
    clips = [f"MSP-IMPROV-S03N-M05-S-MF{i:02d}" for i in range(1, 9)]
    for clip in clips:
        tree.clip(clip, media=44_100)
    other = tree.root / "other"
    other.mkdir()
    (other / f"{clips[0]}.WAV").write_bytes(tree.media(clips[0], "wav").read_bytes())
    (other / f"{clips[1]}.avi").write_bytes(b"")
    (other / f"{clips[2]}.txt").write_text("Hello there.")
    (other / f"{clips[3]}.txt").write_text("Hello here.")
    (other / f"{clips[4]}.wav").symlink_to(tree.media(clips[4], "wav"))
    for folder in ("third", "zone"):
        (tree.root / folder).mkdir()
        (tree.root / folder / f"{clips[6]}.wav").write_bytes(tree.media(clips[6], "wav").read_bytes()[:-1] + b"1")
    (other / f"{clips[7]}.wav").symlink_to("nowhere")
    found = listing(tree.root)
    assert [row.utterance for row in found.rows] == [clips[0], *clips[2:6]]
    assert [row.audio for row in found.rows][:1] == [f"Audio/session5/S03N/S/{clips[0]}.wav"]
    place = "Audio/session5/S03N/S"
    assert reasons(found) == {
        clips[6]: ("audio", f"3 wav files that differ: {place}/{clips[6]}.wav, third/{clips[6]}.wav, ..."),
        clips[7]: ("audio", f"2 wav files that differ: {place}/{clips[7]}.wav, other/{clips[7]}.wav"),
        clips[1]: ("video", f"2 avi files that differ: Video/session5/S03N/S/{clips[1]}.avi, other/{clips[1]}.avi"),
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
            THIRD: ("transcript", f"{THIRD}.txt: {NO_FILE}"),
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
    assert len(listing(tree.root).rows) == 1
    tree.labels.unlink()
    error(tree.root, f"EVALUTION.txt: {NO_FILE}; put the evaluation file of the release there")


@pytest.mark.parametrize("odd", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_odd_siblings_of_the_evaluation_file(tree: MspTree, odd: Callable[[Path], None]) -> None:
    tree.clip(FIRST)
    (tree.root / "below").mkdir()
    odd(tree.root / "below" / "Evaluation.txt")
    odd(tree.root / "Evalution.txt")
    assert [row.utterance for row in listing(tree.root).rows] == [FIRST]
    assert msp_improv.label_files(MspImprov(type="msp_improv", root=str(tree.root))) == [tree.labels]
    tree.labels.unlink()
    with pytest.raises(UserError, match=f"Evalution.txt: {NO_FILE}; put the evaluation file of the release there"):
        listing(tree.root)


def test_an_evaluation_file_without_permission(tree: MspTree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.clip(FIRST)
    closed = tree.root / "Evalution.txt"
    closed.touch()
    readable = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and readable(path, mode))
    assert len(listing(tree.root).rows) == 1
    tree.labels.unlink()
    with pytest.raises(UserError, match=r"Evalution.txt: not readable; put"):
        listing(tree.root)


def test_closed_folders(tree: MspTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is without the right to list `lost+found` (mode 000) and to look at what is in `dark` (mode 444)."""
    tree.clip(FIRST)
    for name in ("lost+found", "dark", "dark/below"):
        (tree.root / name).mkdir()
    (tree.root / "dark" / "Evaluation.txt").touch()
    scan = os.scandir

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    def guarded(call: Callable[..., Any], *signs: str) -> Callable[..., Any]:
        def guard(path: Any, *args: Any, **options: Any) -> Any:
            if any(sign in str(path) for sign in signs):
                refuse(str(path))
            return call(path, *args, **options)

        return guard

    monkeypatch.setattr(os, "scandir", guarded(scan, "lost+found", "dark/"))
    monkeypatch.setattr(os, "stat", guarded(os.stat, "dark/"))
    monkeypatch.setattr(os, "lstat", guarded(os.lstat, "dark/"))
    found = listing(tree.root)
    assert [row.utterance for row in found.rows] == [FIRST]
    assert remarks(found) == {
        ("", "audio", f"{name}: folder cannot be read (Permission denied)") for name in ("lost+found", "dark/below")
    }
    tree.labels.rename(tree.labels.with_name("other.txt"))
    with pytest.raises(UserError, match=r"dark/Evaluation.txt: unreadable \(Permission denied\); put"):
        listing(tree.root)
    monkeypatch.setattr(os, "scandir", guarded(scan, str(tree.root)))
    with pytest.raises(UserError, match=r"corpus: no Evaluation.txt, .* \(.*corpus: Permission denied\); set it to"):
        listing(tree.root)


def test_names_that_are_not_utf8(tree: MspTree) -> None:
    tree.clip(FIRST)
    odd = tree.root / os.fsdecode(b"caf\xe9")
    odd.mkdir()
    (odd / f"{FIRST}.wav").touch()
    (odd / "Evaluation.txt").touch()
    (tree.root / "\udce9").symlink_to("/")
    (tree.root / f"{SECOND}\udce9.wav").touch()
    (tree.root / "\udce9.wav").touch()
    found = listing(tree.root)
    assert [(row.utterance, row.audio) for row in found.rows] == [(FIRST, "")]
    assert remarks(found) == {
        ("", "audio", "'caf\\udce9': not a UTF-8 name; not looked into"),
        ("", "audio", "'\\udce9': not a UTF-8 name; not looked into"),
        ("", "audio", f"media named almost like a clip, passed over: 1, the first is '{SECOND}\\udce9.wav'"),
    }


def test_what_is_there_in_place_of_a_missing_file(tree: MspTree) -> None:
    tree.clip(FIRST)
    tree.clip(SECOND)
    tree.clip(THIRD)
    for name in (
        f"{FIRST.lower()}.WAV",
        f"{FIRST}.mp4",
        f"UTD{SECOND[3:]} (1).wav",
        f"{THIRD}.mp3.part",
        f"{THIRD}.jpg",
    ):
        (tree.root / name).touch()
    found = judge(listing(tree.root), tree.root, Policy(), lambda items, *_: items)
    missing = "wav: missing: no {0}.wav below the folder"
    assert reasons(found) == {
        FIRST: ("audio", f"{missing.format(FIRST)}; there is {FIRST.lower()}.WAV"),
        SECOND: ("audio", f"{missing.format(SECOND)}; there is UTD{SECOND[3:]} (1).wav"),
        THIRD: ("audio", missing.format(THIRD)),
    }
    assert listing(tree.root).near[f"{FIRST}.avi"] == f"{FIRST}.mp4"
