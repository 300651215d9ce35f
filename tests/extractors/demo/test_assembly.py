"""A miniature demo, built twice: layouts, formats, markings, and that the processes do not matter."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from extractors.corpora import iemocap, msp_improv
from extractors.corpora.judge import judge
from extractors.demo import build
from extractors.demo.assembly import PARTS, scripts
from extractors.faces import Detector
from extractors.files import UserError, read_csv, read_json
from extractors.settings import Iemocap, MspImprov

SMALL = {"sessions": 1, "utterances_per_speaker": 4}
MODULES = {"iemocap": (iemocap, Iemocap), "msp_improv": (msp_improv, MspImprov)}
CORPORA = pytest.mark.parametrize("corpus", MODULES)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("one") / "demo"
    build(out, seed=3, jobs=2, **SMALL)
    return out


def files(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def truth(demo: Path, corpus: str) -> dict[str, dict[str, str]]:
    return {row["utterance"]: row for row in read_csv(demo / f"{corpus}.truth.csv")}


def film(demo: Path, corpus: str, utterance: str) -> Path:
    if corpus == "iemocap":
        return demo / f"iemocap/Session1/dialog/avi/DivX/{utterance.rsplit('_', 1)[0]}.avi"
    _, _, scene, _, scenario, _ = utterance.split("-")
    return demo / f"msp_improv/Video/session1/{scene}/{scenario}/{utterance}.avi"


def test_same_seed_gives_same_bytes_with_another_number_of_processes(demo: Path, tmp_path: Path) -> None:
    build(tmp_path / "again", seed=3, jobs=1, **SMALL)
    first, second = files(demo), files(tmp_path / "again")
    assert list(first) == list(second)
    assert [name for name in first if first[name].read_bytes() != second[name].read_bytes()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_every_file_but_a_clip_transcript_says_that_it_is_synthetic(demo: Path) -> None:
    silent = [name for name, path in files(demo).items() if b"synthetic" not in path.read_bytes()]
    transcripts = demo / "msp_improv" / "Human_transcriptions" / "All_human_transcriptions"
    assert silent == [str(path.relative_to(demo)) for path in sorted(transcripts.iterdir())]


def test_layout_of_iemocap(demo: Path) -> None:
    names = "Ses01F_impro01", "Ses01F_script02_1", "Ses01M_impro05", "Ses01M_script01_1"
    dialog = demo / "iemocap" / "Session1" / "dialog"
    for folder, ending in (("avi/DivX", "avi"), ("EmoEvaluation", "txt"), ("transcriptions", "txt"), ("wav", "wav")):
        there = {path.name for path in (dialog / folder).iterdir() if path.is_file()}
        assert there == {f"{name}.{ending}" for name in names} | {f"._Ses01F_impro01.{ending}"}
    kinds = {path.name for path in (dialog / "EmoEvaluation").iterdir() if path.is_dir()}
    assert kinds == {"Attribute", "Categorical", "Self-evaluation"}
    assert {path.name for path in (demo / "iemocap/Session1/sentences/wav").iterdir()} == set(names)


def test_layout_of_msp_improv(demo: Path) -> None:
    expected = {"Readme.txt", "Evaluation.txt"}
    for utterance in truth(demo, "msp_improv"):
        clip = str(film(demo, "msp_improv", utterance).relative_to(demo / "msp_improv"))
        expected |= {clip, clip.replace("Video", "Audio").replace(".avi", ".wav")}
        expected.add(f"Human_transcriptions/All_human_transcriptions/{utterance}.txt")
    assert set(files(demo / "msp_improv")) == expected


@CORPORA
def test_corpus_is_read_as_the_truth_says(demo: Path, corpus: str) -> None:
    module, settings_of = MODULES[corpus]
    settings = settings_of(root=str(demo / corpus), origin="synthetic", type=corpus)
    listing = judge(module.read(settings, ["1"]), demo / corpus, settings.policy, lambda items, *rest: items)
    true = truth(demo, corpus)
    kept = {name for name, row in true.items() if row["kept"] == "1"}
    assert {row.utterance for row in listing.rows} == kept
    assert {row.utterance for row in listing.rejected} == set(true) - kept
    for row in listing.rows:
        expected = true[row.utterance]
        assert row.label[:3] == expected["emotion4"]
        assert (row.speaker, row.text, row.crop) == (expected["speaker"], expected["text"], expected["half"])
        if corpus == "iemocap":
            assert (row.video_start, row.video_end) == (float(expected["start"]), float(expected["end"]))
    assert Counter(row.label for row in listing.rows) == dict.fromkeys(("angry", "happy", "neutral", "sad"), 2)


def test_turns_overlap_and_hers_come_first(demo: Path) -> None:
    text = (demo / "iemocap/Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").read_text()
    line = (
        r"^\[(\d+\.\d{4}) - (\d+\.\d{4})\]\tSes01F_impro01_([FM])\d{3}\t[a-z]{3}\t\[\d\.\d{4}, \d\.\d{4}, \d\.\d{4}\]$"
    )
    turns = [(sex, float(start), float(end)) for start, end, sex in re.findall(line, text, re.MULTILINE)]
    assert turns == sorted(turns)
    everywhere = truth(demo, "iemocap").values()
    by_time = sorted(everywhere, key=lambda row: (row["utterance"].rsplit("_", 1)[0], float(row["start"])))
    overlaps = [
        float(after["start"]) < float(before["end"])
        for before, after in pairwise(by_time)
        if before["utterance"].rsplit("_", 1)[0] == after["utterance"].rsplit("_", 1)[0]
    ]
    assert any(overlaps)


def test_wavs_of_iemocap(demo: Path) -> None:
    root = demo / "iemocap" / "Session1"
    for row in truth(demo, "iemocap").values():
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


def test_wavs_of_msp_improv_have_two_rates(demo: Path) -> None:
    rates = set()
    for row in truth(demo, "msp_improv").values():
        clip = film(demo, "msp_improv", row["utterance"])
        path = Path(str(clip).replace("Video", "Audio")).with_suffix(".wav")
        info = soundfile.info(path)
        assert (info.channels, info.subtype, info.extra_info.count("synthetic")) == (1, "PCM_16", 1)
        assert float(row["start"]) == 0
        assert abs(info.duration - float(row["end"])) < 1e-3
        assert np.abs(soundfile.read(path)[0]).max() > 0.05
        rates.add(info.samplerate)
    assert rates == {44100, 48000}


@CORPORA
def test_films(demo: Path, corpus: str) -> None:
    size, rates = {"iemocap": ((720, 480), {12.5}), "msp_improv": ((352, 288), {12.5, 25.0})}[corpus]
    found = set()
    for row in truth(demo, corpus).values():
        path = film(demo, corpus, row["utterance"])
        seconds = float(row["end"])
        if corpus == "iemocap":
            seconds = soundfile.info(demo / f"iemocap/Session1/dialog/wav/{path.stem}.wav").duration
        with av.open(str(path)) as container:
            assert container.metadata["comment"] == "synthetic"
            picture, sound = container.streams.video[0], container.streams.audio[0]
            assert (picture.codec_context.name, picture.width, picture.height) == ("mpeg4", *size)
            assert sound.rate == 16000
            rate = float(picture.average_rate or 0)
            assert abs(sum(packet.size > 0 for packet in container.demux(picture)) / rate - seconds) < 0.2
            found.add(rate)
    assert found == rates


@CORPORA
def test_the_speaker_has_a_face_unless_the_actor_has_left(demo: Path, corpus: str) -> None:
    import torch

    torch.set_num_threads(1)
    detector = Detector(40, torch.device("cpu"))
    found: dict[str, list[bool]] = {"0": [], "1": []}
    for row in truth(demo, corpus).values():
        times = np.linspace(float(row["start"]), float(row["end"]), 3)
        with av.open(str(film(demo, corpus, row["utterance"]))) as container:
            pictures = {float(frame.time): frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)}
        for time in times:
            picture = pictures[min(pictures, key=lambda shown: abs(shown - time))]
            side = {"left": picture[:, :360], "right": picture[:, 360:], "full": picture}[row["half"]]
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


@pytest.mark.parametrize(("corpus", "sign"), [("iemocap", "README.txt"), ("msp_improv", "Readme.txt")])
def test_a_foreign_corpus_is_not_overwritten(tmp_path: Path, corpus: str, sign: str) -> None:
    (tmp_path / corpus).mkdir()
    (tmp_path / corpus / sign).write_text("the licensed release")
    with pytest.raises(UserError, match=f"{corpus}: was not made by this command"):
        build(tmp_path)
    assert (tmp_path / corpus / sign).read_text() == "the licensed release"


@pytest.mark.parametrize(("sessions", "count"), [(0, 4), (6, 4), (1, 0)])
def test_impossible_sizes_are_refused(tmp_path: Path, sessions: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected 1-5"):
        build(tmp_path, 0, sessions, count)


@pytest.mark.parametrize(("sessions", "counts"), [(None, [5, 6]), (2, [2, 2]), (5, [5, 5])])
def test_sessions_of_both_corpora(sessions: int | None, counts: list[int]) -> None:
    found = {name: {turn.session for turn in turns} for name, turns in scripts(0, sessions, 4).items()}
    assert found == {name: set(range(1, count + 1)) for name, count in zip(MODULES, counts, strict=True)}
