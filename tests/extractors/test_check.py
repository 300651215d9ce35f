from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors import check, console
from extractors.corpora import Listing, Rejected, Remark
from extractors.corpora.reference import uncompared
from extractors.files import read_csv
from tests.extractors.corpora.conftest import Line, Tree, picture_file


def run(*words: str | Path) -> int:
    return console.run("extractors", {"check": "compares a folder"}, ["check", *map(str, words)])


def test_a_folder_is_recognised_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = Tree(tmp_path / "corpus")
    tree.dialogue("Ses01F_impro01", [Line("F000", 1, 2, "ang"), Line("F001", 1, 2, "xxx"), Line("M000", 1, 2, "sad")])
    tree.wav("Ses01F_impro01_M000").write_bytes(b"")
    assert run(tree.root) == 0
    shown = capsys.readouterr().out
    assert "read as iemocap\ncorpus: 1 utterances kept, 2 rejected" in shown
    assert "1 x audio: wav: empty file" in shown
    assert "3 listed" in shown
    assert "labels: not a release" in shown
    assert "details: --out FOLDER writes rejected.csv, remarks.csv and check.json" in shown
    out = tree.root.parent / "out"
    assert run(tree.root, "--type", "iemocap", "--sessions", "1", "--out", out) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        *("check.json", "manifest.csv", "ratings.csv", "rejected.csv", "remarks.csv")
    ]


def test_what_is_no_corpus_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refused(*words: str | Path) -> str:
        assert run(*words) == 1
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert captured.out == ""
        return captured.err

    assert "no folders Session1 to Session5" in refused(tmp_path)
    absent = tmp_path / "absent"
    for words in ([absent], [absent, "--type", "iemocap"], [absent / ("x" * 300)]):
        assert refused(*words) == f"error: {words[0]}: no such folder, or not readable; name the unpacked corpus\n"
    assert refused(tmp_path, "--type", "iemocap", "--subset", "all") == "error: iemocap has no subset\n"
    only_msp = refused(tmp_path, "--subset", "all")
    assert only_msp.startswith("error: msp_improv: ")
    assert only_msp.count(str(tmp_path)) == 1
    assert refused(tmp_path, "--subset", "all", "--file", "x.csv") == (
        "error: iemocap has no subset, file; msp_improv has no file; table has no subset\n"
    )


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (["a"], "at least 2 items"),
        (["a", "a"], "each class comes once"),
        (["-", "a"], "a class begins with a letter or digit"),
        (["A b", "a  B"], "case and blanks"),
    ],
)
def test_a_wrong_value_is_not_taken_for_an_unknown_option(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], classes: list[str], problem: str
) -> None:
    assert run(tmp_path, "--classes", *classes) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: table: --classes: ")
    assert problem in message
    assert message.count("\n") == 1


def test_many_causes_are_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = [Rejected(f"u{n}", "audio", f"{chr(ord('a') + n)}.wav is odd") for n in range(23)]
    remarks = [Remark(f"u{n}", "label", f"{chr(ord('a') + n)} is odd") for n in range(21)]
    listing = Listing([], rejected, uncompared({}), remarks)
    monkeypatch.setattr(check, "read", lambda *_, **__: listing)
    (tmp_path / "utterances.csv").touch()
    assert run(tmp_path, "--type", "table") == 1
    shown = capsys.readouterr().out.splitlines()
    assert sum("is odd" in line for line in shown) == 40
    assert "    and 3 more kinds in rejected.csv" in shown
    assert "    and 1 more kinds in remarks.csv" in shown


def test_the_folder_in_which_one_stands_has_a_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree(tmp_path / "mine")
    tree.dialogue("Ses01F_impro01", [Line("F000", 1, 2, "ang")])
    monkeypatch.chdir(tree.root)
    assert run(".") == 0
    assert "\nmine: 1 utterances kept" in capsys.readouterr().out


def test_what_is_unusable_gives_its_causes_and_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree, out = Tree(tmp_path / "corpus"), tmp_path / "out"
    out.mkdir()
    (out / "check.json").touch()
    tree.dialogue("Ses01F_impro01", [Line("F000", 1, 2, "ang"), Line("M000", 1, 2, "xxx")], media=False)
    tree.dialogue("Ses02F_impro01", [Line("F000", 1, 2, "ang")])
    assert run(tree.root, "--sessions", "1", "2", "--out", out) == 1
    message = capsys.readouterr().err
    path = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert message.splitlines()[-1].startswith(
        f"error: --sessions: no usable utterance of session 1 in {tree.root}; audio: wav: missing (once), such as "
        f"Ses01F_impro01_F000, wav: missing: {path}; label: label xxx is not one of the four classes (once), "
    )
    assert f"{out}/rejected.csv has all unused utterances" in message
    assert not (out / "check.json").exists()
    assert [row["utterance"] for row in read_csv(out / "rejected.csv")] == [
        "Ses01F_impro01_F000", "Ses01F_impro01_M000",
    ]  # fmt: skip
    assert run(tree.root, "--out", out) == 0
    assert (out / "check.json").is_file()


def table(folder: Path, rows: str, header: str = "utterance,session,speaker,label,text,audio,video") -> Path:
    """A folder with a table, a sound and a film."""
    folder.mkdir()
    (folder / "utterances.csv").write_text(f"{header}\n{rows}")
    soundfile.write(folder / "a.wav", np.zeros(16_000), 16_000)
    picture_file(folder / "a.avi")
    return folder


def test_a_session_without_a_usable_row_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = [
        ("u1", "mon", "happy"),
        ("u2", "mon", "sad"),
        ("u3", "tue", "sad"),
        ("u4", "wed", "-1"),
        ("u5", "wed", ""),
    ]
    rows = "".join(f"{name},{session},x,{label},hi,a.wav,a.avi\n" for name, session, label in people)
    root, out = table(tmp_path / "corpus", rows + "u6,thu,x,sad,hi,b.wav,a.avi\n"), tmp_path / "out"
    assert run(root, "--out", out) == 0
    shown = capsys.readouterr().out
    assert re.search(r"corpus: 3 utterances kept, 3 rejected, \d+ remarks; 6 listed\n", shown)
    assert "\n  no usable utterance of session thu\n  no usable utterance of session wed\n" in shown
    assert [row["utterance"] for row in read_csv(out / "rejected.csv")] == ["u4", "u5", "u6"]
    assert run(root, "--sessions", "mon", "wed", "--out", out) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert "--sessions: no usable utterance of session wed" in message
    assert "label: label is empty (once), such as u5" in message
    assert "name only those that are there (mon)" in message
    assert len(read_csv(out / "rejected.csv")) == 4
    assert run(root, "--sessions", "mon", "fri") == 1
    assert "--sessions: no session fri in " in capsys.readouterr().err
    assert run(root, "--classes", "joy", "sad", "--out", out) == 0
    assert len(read_csv(out / "manifest.csv")) + len(read_csv(out / "rejected.csv")) == 6


@pytest.mark.parametrize(
    ("column", "stage", "absent"),
    [("text", "transcript", ""), ("audio", "audio", "b.wav"), ("video", "video", "b.avi")],
)
@pytest.mark.parametrize("how", ["no column", "empty", "missing"])
def test_all_three_modalities_are_needed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], column: str, stage: str, absent: str, how: str
) -> None:
    cells = {"session": "1", "speaker": "x", "label": "sad", "text": "hi", "audio": "a.wav", "video": "a.avi"}
    cells[column] = absent if how == "missing" else ""
    if how == "no column":
        del cells[column]
    rows = "".join(f"u{number},{','.join(cells.values())}\n" for number in range(3))
    root, out = table(tmp_path / "corpus", rows, ",".join(["utterance", *cells])), tmp_path / "out"
    assert run(root, "--out", out) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"error: {root} has no usable utterance; {stage}: ")
    assert f"; text, audio and video are all three needed, and no utterance has usable {column}; " in message
    if how == "no column":
        assert f"the table has no column {column} (3 times)" in message
    elif how == "missing" and absent:
        assert f"missing (3 times), such as u0, {absent[2:]}: missing: {absent}" in message
    assert {row["stage"] for row in read_csv(out / "rejected.csv")} == {stage}
    assert len(read_csv(out / "rejected.csv")) == 3
