from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from extractors import plan, rates
from extractors.files import UserError
from extractors.rates import Film
from extractors.settings import Iemocap, MspImprov, Table

FILM = Film(720, 480, "30000/1001", "left")


def test_published_sizes_of_the_releases(tmp_path: Path) -> None:
    iemocap = plan.amount(tmp_path, "a", Iemocap(type="iemocap", root="x"))
    assert iemocap.utterances == 5531
    assert iemocap.seconds == pytest.approx(1_258_021 / 50, rel=0.01)  # frames of wav2vec2 (50 a second)
    subset = plan.amount(tmp_path, "b", MspImprov(type="msp_improv", root="x"))
    everything = plan.amount(tmp_path, "b", MspImprov(type="msp_improv", root="x", subset="all"))
    assert (subset.utterances, everything.utterances) == (3819, 7798)
    with pytest.raises(UserError, match=r"c/manifest\.csv is missing, .* run `snakemake"):
        plan.amount(tmp_path, "c", Table(type="table", root="x"))


def test_a_manifest_is_counted(small: Any, tmp_path: Path, write_avi: Any) -> None:
    soundfile.write(small.root / "a.wav", np.zeros(24_000), 16_000)
    write_avi(small.root / "a.avi", [np.zeros((48, 64, 3), np.uint8)] * 3, "25")
    small.add("u1", text="yes, I do", audio="a.wav", video="a.avi", video_start=1.0, video_end=9.0, crop="left")
    small.add("u2", text="", audio="a.wav", audio_start=1.0, audio_end=1.25)
    small.add("u3", audio="../a.wav")
    folder = tmp_path / "results/corpora/t"
    folder.mkdir(parents=True)
    small.manifest().rename(folder / "manifest.csv")
    found = plan.amount(tmp_path / "results", "t", Table(type="table", root=str(small.root)))
    assert found.utterances == 3
    assert found.pieces == (4 + 2) + 2 + 2
    assert found.seconds == pytest.approx(1.5 + 0.25 + rates.SECONDS)
    assert found.film == Film(64, 48, "25", "left")


def test_table_multiplies_and_adds() -> None:
    amount = plan.Amount(100, 2000, 720, FILM, "made up")
    one = {
        "machine": "a",
        "rates": {
            "text": {"per_second": 100, "bytes_per_unit": 2**20, "about": "x"},
            "speech": {"per_second": 2, "bytes_per_unit": 2**20, "about": "y"},
            FILM.name: {"per_second": 0.2, "bytes_per_unit": 0, "about": "z"},
        },
    }
    two = {"machine": "b", "rates": {"text": {"per_second": 2000, "bytes_per_unit": 0, "about": "x"}}}
    lines = list(plan.table({"toy": amount}, [one, two]))
    rows = {line.split()[1]: line for line in lines if line.startswith("toy")}
    assert "0:00:20" in rows["text"]
    assert "0:00:01" in rows["text"]
    assert "1.95 GB" in rows["text"]
    assert "0:06:00" in rows["speech"]
    assert "1:00:00" in rows["video"]
    assert rows["video"].endswith("-")
    assert "1:06:20" in rows["all"]


def test_rates_are_measured_with_the_verbs(tmp_path: Path) -> None:
    args = argparse.Namespace(device="cpu", threads=1, encoders=tmp_path)
    settings = json.dumps({"model": "hashing"})
    found = rates.measure("text", settings, FILM, args, (2, 50), "hashing")
    assert found.per_second > 0
    words = len(rates.SENTENCE.split())
    assert 0 < found.bytes_per_unit < 4 * 4096 * words
    found = rates.measure("speech", json.dumps({"model": "logmel"}), FILM, args, (1, 3), "logmel")
    assert found.per_second > 1  # faster than time
    assert found.bytes_per_unit == pytest.approx(50 * 64 * 4, rel=0.3)


def test_clock() -> None:
    assert plan.clock(3725.4) == "1:02:05"
