"""A miniature demo, built twice: layout, formats, markings, and that the processes do not matter."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from extractors.corpora import iemocap
from extractors.demo import build
from extractors.demo.assembly import PARTS
from extractors.faces import Detector
from extractors.files import UserError, read_csv, read_json

SMALL = {"sessions": 1, "utterances_per_speaker": 4}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "demo"
    build(out, seed=3, jobs=2, **SMALL)
    return out


def files(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def test_same_seed_gives_same_bytes_with_another_number_of_processes(demo: Path, tmp_path: Path) -> None:
    build(tmp_path / "again", seed=3, jobs=1, **SMALL)
    first, second = files(demo), files(tmp_path / "again")
    assert list(first) == list(second)
    assert [name for name in first if first[name].read_bytes() != second[name].read_bytes()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_every_file_says_that_it_is_synthetic(demo: Path) -> None:
    silent = [name for name, path in files(demo).items() if b"synthetic" not in path.read_bytes()]
    assert silent == []


def test_layout(demo: Path) -> None:
    names = "Ses01F_impro01", "Ses01F_script02_1", "Ses01M_impro05", "Ses01M_script01_1"
    dialog = demo / "iemocap" / "Session1" / "dialog"
    for folder, ending in (("avi/DivX", "avi"), ("EmoEvaluation", "txt"), ("transcriptions", "txt"), ("wav", "wav")):
        there = {path.name for path in (dialog / folder).iterdir() if path.is_file()}
        assert there == {f"{name}.{ending}" for name in names} | {f"._Ses01F_impro01.{ending}"}
    kinds = {path.name for path in (dialog / "EmoEvaluation").iterdir() if path.is_dir()}
    assert kinds == {"Attribute", "Categorical", "Self-evaluation"}
    assert {path.name for path in (demo / "iemocap/Session1/sentences/wav").iterdir()} == set(names)


def test_corpus_is_read_as_the_truth_says(demo: Path) -> None:
    listing = iemocap.read(demo / "iemocap", ["1"], lambda items, *rest: items)
    truth = {row["utterance"]: row for row in read_csv(demo / "iemocap.truth.csv")}
    kept = {name for name, row in truth.items() if row["kept"] == "1"}
    assert {row.utterance for row in listing.kept} == kept
    assert {row.utterance for row in listing.rejected} == set(truth) - kept
    for row in listing.kept:
        true = truth[row.utterance]
        assert row.label[:3] == true["emotion4"]
        assert (row.text, row.crop) == (true["text"], true["half"])
        assert (row.video_start, row.video_end) == (float(true["start"]), float(true["end"]))
    assert Counter(row.label for row in listing.kept) == dict.fromkeys(("angry", "happy", "neutral", "sad"), 2)


def test_turns_overlap_and_hers_come_first(demo: Path) -> None:
    text = (demo / "iemocap/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").read_text()
    line = (
        r"^\[(\d+\.\d{4}) - (\d+\.\d{4})\]\tSes01F_impro01_([FM])\d{3}\t[a-z]{3}\t\[\d\.\d{4}, \d\.\d{4}, \d\.\d{4}\]$"
    )
    turns = [(sex, float(start), float(end)) for start, end, sex in re.findall(line, text, re.MULTILINE)]
    assert turns == sorted(turns)
    everywhere = read_csv(demo / "iemocap.truth.csv")
    by_time = sorted(everywhere, key=lambda row: (row["utterance"].rsplit("_", 1)[0], float(row["start"])))
    overlaps = [
        float(after["start"]) < float(before["end"])
        for before, after in pairwise(by_time)
        if before["utterance"].rsplit("_", 1)[0] == after["utterance"].rsplit("_", 1)[0]
    ]
    assert any(overlaps)


def test_wavs(demo: Path) -> None:
    root = demo / "iemocap" / "Session1"
    for row in read_csv(demo / "iemocap.truth.csv"):
        dialogue = row["utterance"].rsplit("_", 1)[0]
        path = root / "sentences" / "wav" / dialogue / f"{row['utterance']}.wav"
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert abs(info.frames - (float(row["end"]) - float(row["start"])) * 16000) <= 1
        assert path.read_bytes()[36:40] == b"data"
        both, _ = soundfile.read(root / "dialog" / "wav" / f"{dialogue}.wav", dtype="int16")
        alone, _ = soundfile.read(path, dtype="int16")
        start = round(float(row["start"]) * 16000)
        channel = "FM".index(row["speaker"][1])
        np.testing.assert_array_equal(alone, both[start : start + len(alone), channel])


def test_films(demo: Path) -> None:
    for path in (demo / "iemocap/Session1/dialog/avi/DivX").glob("Ses*.avi"):
        seconds = soundfile.info(demo / f"iemocap/Session1/dialog/wav/{path.stem}.wav").duration
        with av.open(str(path)) as film:
            assert film.metadata["comment"] == "synthetic"
            picture, sound = film.streams.video[0], film.streams.audio[0]
            assert (picture.codec_context.name, picture.width, picture.height) == ("mpeg4", 720, 480)
            assert sound.rate == 16000
            count = sum(1 for _ in film.decode(video=0))
            assert abs(count / float(picture.average_rate or 0) - seconds) < 0.2


def test_the_speakers_half_has_a_face_unless_the_actor_has_left(demo: Path) -> None:
    import torch

    torch.set_num_threads(1)
    detector = Detector(40, torch.device("cpu"))
    found: dict[str, list[bool]] = {"0": [], "1": []}
    for row in read_csv(demo / "iemocap.truth.csv"):
        path = demo / "iemocap/Session1/dialog/avi/DivX" / f"{row['utterance'].rsplit('_', 1)[0]}.avi"
        times = np.linspace(float(row["start"]), float(row["end"]), 3)
        with av.open(str(path)) as film:
            pictures = {float(frame.time): frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)}
        for time in times:
            picture = pictures[min(pictures, key=lambda shown: abs(shown - time))]
            side = picture[:, :360] if row["half"] == "left" else picture[:, 360:]
            _, likely = detector(np.asarray(side[None], np.uint8))[0]
            found[row["face_visible"]].append(bool(len(likely)) and likely.max() > 0.9)
    assert len(found["0"]) == 3
    assert not any(found["0"])
    assert np.mean(found["1"]) > 0.9


def test_a_finished_demo_is_left_alone(demo: Path) -> None:
    before = {name: path.stat().st_mtime_ns for name, path in files(demo).items()}
    build(demo, seed=3, jobs=2, **SMALL)
    assert {name: path.stat().st_mtime_ns for name, path in files(demo).items()} == before
    assert read_json(demo / "demo.json")["settings"] == {"seed": 3, **SMALL}


def test_a_killed_build_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(draft: Path, *rest: object) -> None:
        for name in PARTS:
            (draft / name).touch()

    monkeypatch.setattr("extractors.demo.assembly._build_parts", parts)
    out = tmp_path / "demo"
    (tmp_path / ".demo.building" / "iemocap").mkdir(parents=True)
    (out / "iemocap").mkdir(parents=True)
    (out / "iemocap" / "README.txt").write_text("synthetic")
    (out / "iemocap" / "left over").write_text("synthetic")
    build(out)
    assert (out / "demo.json").is_file()
    assert (out / "iemocap").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_foreign_corpus_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "iemocap").mkdir()
    (tmp_path / "iemocap" / "README.txt").write_text("the licensed release")
    with pytest.raises(UserError, match="iemocap: was not made by this command"):
        build(tmp_path)
    assert (tmp_path / "iemocap" / "README.txt").read_text() == "the licensed release"
