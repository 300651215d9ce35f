from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from extractors import plan, rates
from extractors.files import UserError
from extractors.rates import Film, Rate
from extractors.settings import Iemocap, MspImprov, Table

FILM = Film(720, 480, "30000/1001", "left")


def test_published_sizes_of_the_releases(tmp_path: Path) -> None:
    iemocap = plan.amount(tmp_path, "a", Iemocap(type="iemocap", root="x"))
    assert iemocap.utterances == 5531
    assert iemocap.units["speech"] == pytest.approx(1_258_021 / 50, rel=0.01)  # frames of wav2vec2 (50 a second)
    assert iemocap.units["speech"] == iemocap.units["video"] == iemocap.watched
    subset = plan.amount(tmp_path, "b", MspImprov(type="msp_improv", root="x"))
    everything = plan.amount(tmp_path, "b", MspImprov(type="msp_improv", root="x", subset="all"))
    assert (subset.utterances, everything.utterances) == (3819, 7798)
    with pytest.raises(UserError, match=r"c/manifest\.csv is missing, .* run `snakemake"):
        plan.amount(tmp_path, "c", Table(type="table", root="x"))


def test_a_manifest_is_counted(small: Any, tmp_path: Path, write_avi: Any) -> None:
    soundfile.write(small.root / "a.wav", np.zeros(24_000), 16_000)
    write_avi(small.root / "a.avi", [np.zeros((48, 64, 3), np.uint8)] * 3, "25")
    film = {"video": "a.avi", "crop": "left"}
    small.add("u1", text="yes, I do", audio="a.wav", video_start=1.0, video_end=9.0, **film)
    small.add("u2", text="", audio="a.wav", audio_start=1.0, audio_end=1.25, video_start=8.0, video_end=10.0, **film)
    small.add("u3", audio="../a.wav", video="a.avi", crop="right", video_start=8.0, video_end=10.0)
    small.add("u4", audio="a.wav", video="b.avi")
    folder = tmp_path / "results/corpora/t"
    folder.mkdir(parents=True)
    small.manifest().rename(folder / "manifest.csv")
    found = plan.amount(tmp_path / "results", "t", Table(type="table", root=str(small.root)))
    assert found.utterances == 4
    assert found.units["text"] == (4 + 2) + 2 + 2 + 2
    assert found.units["speech"] == pytest.approx(1.5 + 0.25 + 2.0 + 1.5)
    assert found.units["video"] == pytest.approx(8 + 2 + 2 + 1.5)
    assert found.watched == pytest.approx(9 + 2 + 1.5)
    assert found.film == Film(64, 48, "25", "left")


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(tuple)))
def test_union_counts_every_moment_once(spans: list[tuple[int, int]]) -> None:
    assert plan.union(spans) == len({moment for start, end in spans for moment in range(start, end)})


def rate(per_second: float, bytes_per_unit: float = 0) -> Rate:
    return Rate(per_second=per_second, bytes_per_unit=bytes_per_unit, about="x")


def test_table_multiplies_and_adds() -> None:
    amount = plan.Amount(100, {"text": 2000, "speech": 720, "video": 1000}, 720, FILM, "made up")
    fast = {"text": rate(100, 1e6), "speech": rate(2, 1e6), FILM.name: rate(0.2, 1e6)}
    one = plan.Machine(machine="a", rates=fast)
    two = plan.Machine(machine="a machine with a name that is quite long", rates={"text": rate(2000)})
    lines = list(plan.table({"toy": amount}, [one, two]))
    rows = {line.split()[1]: line for line in lines if line.startswith("toy")}
    assert rows["text"].split() == [
        "toy",
        "text",
        "2,000",
        "wp",
        "2.00",
        "GB",
        "100.0/s",
        "0:00:20",
        "2,000.0/s",
        "0:00:01",
    ]
    assert rows["speech"].split() == ["toy", "speech", "720", "s", "0.72", "GB", "2.0/s", "0:06:00", "-"]
    assert rows["video"].split() == ["toy", "video", "720", "s", "1.00", "GB", "0.2/s", "1:00:00", "-"]
    assert rows["all"].split() == ["toy", "all", "100", "utt.", "3.72", "GB", "1:06:20", "-"]
    header = next(line for line in lines if line.startswith("corpus"))
    assert {len(line) for line in rows.values()} == {len(header)}


def test_clock() -> None:
    assert plan.clock(3725.4) == "1:02:05"


def verb(folder: Path, *extra: str, encoders: dict[str, Any] | None = None) -> None:
    (folder / "config.yaml").write_text(
        json.dumps(
            {
                "results": str(folder / "results"),
                "corpora": {"big": {"type": "iemocap", "root": "x"}},
                "encoders": {"folder": str(folder), **(encoders or {})},
            }
        )
    )
    parser = argparse.ArgumentParser()
    plan.add_arguments(parser)
    plan.main(parser.parse_args(["--config", str(folder / "config.yaml"), "--device", "cpu", *extra]))


def test_the_verb_measures_saves_and_compares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], one_thread: None
) -> None:
    measured: list[tuple[str, str]] = []
    plain = rates.measure

    def measure(modality: str, settings: str, film: Film, args: argparse.Namespace, *rest: Any) -> Rate:
        measured.append((modality, json.loads(settings).get("model", "")))
        assert args.jobs == 2
        if measured[-1][1] in ("hashing", "logmel"):
            return plain(modality, settings, film, args, *rest)
        return Rate(per_second=4.55, bytes_per_unit=1000, about=rest[-1])

    monkeypatch.setattr(plan, "measure", measure)
    monkeypatch.setattr(plan, "stand_in", lambda modality, folder: folder)
    monkeypatch.setattr(plan, "SIZES", {"cpu": {"text": (1, 200), "speech": (1, 8), "video": (1, 2)}})
    monkeypatch.setattr(rates, "LEAST_SECONDS", 0.02)
    weightless = {"text": {"model": "hashing"}, "speech": {"model": "logmel"}}
    verb(tmp_path, "--jobs", "2", "--save", str(tmp_path / "rates.json"), encoders=weightless)
    assert measured == [("text", "hashing"), ("speech", "logmel"), ("video", "")]
    lines = capsys.readouterr().out.splitlines()
    saved = json.loads((tmp_path / "rates.json").read_text())
    assert saved["machine"] == "2 jobs of one thread"
    assert f"2 jobs of one thread, {FILM.name}: MTCNN and Denseface" in lines
    cells = {line.split()[1]: line.split() for line in lines if line.startswith("big")}
    assert cells["video"] == ["big", "video", "25,166", "s", "0.03", "GB", "4.5/s", "1:32:11"]
    taken = 5531 * 4.55 / saved["rates"]["speech"]["per_second"]
    assert cells["speech"][2:6] == ["25,166", "s", "0.32", "GB"]
    assert cells["speech"][-1] == plan.clock(taken)
    assert any("about twice at the peak" in line for line in lines)
    assert any("leaves out the decoding" in line for line in lines)
    assert lines[-1].startswith("GPU: not measured")

    saved["machine"] = "elsewhere"
    (tmp_path / "other.json").write_text(json.dumps(saved))
    unfetched = {"speech": {"model": "logmel"}}
    verb(tmp_path, "--jobs", "2", "--beside", str(tmp_path / "other.json"), encoders=unfetched)
    assert measured[3] == ("text", str(measured[3][1]))
    out = capsys.readouterr().out
    assert "text: BERT-base with random weights, as google-bert/bert-base-uncased was not fetched" in out
    assert next(line for line in out.splitlines() if line.startswith("corpus")).endswith("elsewhere")
    assert "GPU: not measured" not in out


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[1, 2]", "not a file of rates (: Input should be an object); write it with `plan --save`"),
        ('{"rates": {}}', "not a file of rates (machine: Field required); write"),
        ('{"machine": "a", "rates": {"text": {"per_second": 0, "bytes_per_unit": 1, "about": ""}}}', "per_second: "),
        ('{"machine": "a", "rates": {"text": {"per_second": NaN, "bytes_per_unit": 1, "about": ""}}}', "per_second: "),
        ("no JSON", "not a file of rates (: Invalid JSON"),
        (None, "No such file or directory; name a file"),
    ],
)
def test_foreign_rates_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, told: str
) -> None:
    monkeypatch.setattr(plan, "measure", None)
    path = tmp_path / "other.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError) as caught:
        verb(tmp_path, "--beside", str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_of_jobs_is_positive(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--jobs 0: give 1 or more$"):
        verb(tmp_path, "--jobs", "0")


def test_a_folder_with_a_revision_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "measure", None)
    with pytest.raises(UserError, match=r"^encoders\.text\.revision: .* is a folder; remove revision$"):
        verb(tmp_path, encoders={"text": {"model": str(tmp_path), "revision": "main"}})
