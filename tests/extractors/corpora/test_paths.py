from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from extractors.corpora.paths import Neighbours, missing


def test_files_that_are_no_files(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    (root / "a.wav").mkdir(parents=True)
    (root / "loop").symlink_to("loop")
    (tmp_path / "b").touch()
    (root / "b").symlink_to("../b")
    (root / "c").touch()
    found = [missing(root, root / name) for name in ("a.wav", "loop", "nothing", "b", "c")]
    odd = "no file but a folder, a device or a broken link"
    assert found == [odd, odd, "missing", "a link that leaves the corpus folder", ""]


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Caf\u00e9.wav") for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    ("there", "wanted", "hint"),
    [
        ("m/A.WAV", "m/a.wav", "there is m/A.WAV"),
        ("M/a.wav", "m/a.wav", "there is M/a.wav"),
        ("Clips/One/A.Wav", "clips/one/a.wav", "there is Clips/One/A.Wav"),
        (f"m/{DECOMPOSED}", f"m/{COMPOSED}", f"there is m/{DECOMPOSED}, in another Unicode form"),
        (f"m/{COMPOSED}", f"m/{DECOMPOSED}", f"there is m/{COMPOSED}, in another Unicode form"),
        (f"m/{DECOMPOSED.upper()}", f"m/{COMPOSED}", f"there is m/{DECOMPOSED.upper()}"),
        ("m/a.wav", "m/a", "there is m/a.wav"),
        ("m/a.flac", "m/a.wav", "there is m/a.flac"),
        ("m/a .wav", "m/a .WAV", "there is m/a .wav"),
        ("m/ a.wav", "m/a.wav", "there is m/ a.wav"),
        ("m/a.wav", "m/'a.wav", "there is m/a.wav"),
        ("m/a.wav", "corpus/m/a.wav", "there is m/a.wav"),
        ("m/a.wav", "m/b.wav", ""),
        ("m/a.wav", "clips/x/b.wav", "there is no folder clips"),
        ("m/a.wav", "m/x/b.wav", "there is no folder m/x"),
        ("m/._a.wav", "m/A.wav", ""),
    ],
)
def test_what_is_there_instead(tmp_path: Path, there: str, wanted: str, hint: str) -> None:
    (tmp_path / there).parent.mkdir(parents=True)
    (tmp_path / there).touch()
    assert missing(tmp_path, tmp_path / wanted) == "missing"
    assert Neighbours(tmp_path).hint(wanted) == hint


def test_no_name_outside_the_root_is_told(tmp_path: Path) -> None:
    (tmp_path / "SECRET.wav").touch()
    root = tmp_path / "corpus"
    root.mkdir()
    (root / "out").symlink_to("..")
    near = Neighbours(root)
    assert [near.hint(name) for name in ("out/secret.wav", "../secret.wav", "out/secret.mp4")] == ["", "", ""]
    assert "SECRET" not in near.hint("a\0/" + "x" * 500)


def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[Path] = []
    real = os.listdir

    def count(folder: Path) -> list[str]:
        listed.append(folder)
        return real(folder)

    monkeypatch.setattr(os, "listdir", count)
    (tmp_path / "m").mkdir()
    near = Neighbours(tmp_path)
    assert {near.hint(f"m/{number}.wav") for number in range(100)} == {""}
    assert len(listed) <= 2
