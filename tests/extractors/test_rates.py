from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from extractors import rates
from extractors.files import UserError
from extractors.hashing import Hashing
from extractors.manifest import read_manifest
from extractors.rates import Film

FILM = Film(720, 480, "30000/1001", "left")
ARGS = argparse.Namespace(device="cpu", threads=1, jobs=1, encoders=Path("nothing"))


@pytest.mark.parametrize("count", [1, 2, 12, 500])
def test_lengths_vary_around_the_mean(count: int) -> None:
    factors = rates.spread(count)
    assert factors.mean() == pytest.approx(1)
    assert factors.min() > 0.45
    assert factors.max() < 2.05
    assert len(set(factors)) == count
    assert (factors == rates.spread(count)).all()
    if count == 500:
        assert factors.std() == pytest.approx(1.5 / 18**0.5, rel=0.02)  # of that triangle
        assert abs(np.corrcoef(factors, range(count))[0, 1]) < 0.2


def test_generated_corpora_have_these_lengths(tmp_path: Path) -> None:
    units = rates.write_corpus(tmp_path / "speech", "speech", FILM, 6)
    rows = read_manifest(tmp_path / "speech" / "manifest.csv")
    seconds = [soundfile.info(str(tmp_path / "speech" / row.audio)).duration for row in rows]
    assert units == pytest.approx(6 * rates.SECONDS)
    assert sum(seconds) == pytest.approx(units, abs=1e-3)
    assert seconds == pytest.approx(rates.SECONDS * rates.spread(6), abs=1e-3)
    assert [row.video_start for row in rows] == pytest.approx([0, *np.cumsum(seconds)[:-1]], abs=1e-3)
    units = rates.write_corpus(tmp_path / "text", "text", FILM, 100)
    rows = read_manifest(tmp_path / "text" / "manifest.csv")
    assert sum(rates.pieces(row.text) for row in rows) == units == pytest.approx(100 * 18, rel=0.02)
    assert max(len(row.text) for row in rows) > 3 * min(len(row.text) for row in rows)


def test_a_generated_film_is_as_long_as_its_utterances(tmp_path: Path, one_thread: None) -> None:
    import av

    units = rates.write_corpus(tmp_path / "video", "video", Film(352, 240, "5", "full"), 2)
    rows = read_manifest(tmp_path / "video" / "manifest.csv")
    assert [rows[0].video_start, rows[1].video_start] == pytest.approx([0, rows[0].video_end])
    assert rows[1].video_end == pytest.approx(units) == 2 * rates.SECONDS
    with av.open(str(tmp_path / "video" / rows[0].video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == int(units * 5)


def fake_run(seconds_each: float, start: float = 3.0) -> Any:
    """A verb that takes `seconds_each` an utterance after its start, and makes 10 bytes."""
    sizes: list[int] = []

    def run(modality: str, settings: str, root: Path, args: argparse.Namespace) -> tuple[float, int]:
        sizes.append(len(read_manifest(root / "manifest.csv")))
        return start + seconds_each * sizes[-1], 10 * sizes[-1]

    return run, sizes


def test_more_are_measured_until_the_difference_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, sizes = fake_run(0.01)
    monkeypatch.setattr(rates, "run", fake)
    found = rates.measure("text", "{}", FILM, argparse.Namespace(jobs=3), (2, 20), "x")
    assert sizes == [2, 2, 20, 40, 80, 160]  # of which 102 would do
    pieces = 18  # in an utterance
    assert found.per_second == pytest.approx(3 * pieces / 0.01, rel=0.02)
    assert found.bytes_per_unit == pytest.approx(10 / pieces, rel=0.02)


@pytest.mark.parametrize("seconds_each", [0.0, -0.01])
def test_noise_is_no_rate(monkeypatch: pytest.MonkeyPatch, seconds_each: float) -> None:
    fake, sizes = fake_run(seconds_each)
    monkeypatch.setattr(rates, "run", fake)
    with pytest.raises(UserError, match=r"^text: 512 utterances took .* too little to tell a rate; run it again"):
        rates.measure("text", "{}", FILM, ARGS, (1, 2), "x")
    assert sizes[-1] == 512


def test_a_verb_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Hashing.encode

    def slow(self: Hashing, texts: Sequence[str]) -> Iterator[Any]:
        for item in plain(self, texts):
            time.sleep(0.005)
            yield item

    monkeypatch.setattr(Hashing, "encode", slow)
    monkeypatch.setattr(rates, "LEAST_SECONDS", 0.3)
    found = rates.measure("text", json.dumps({"model": "hashing"}), FILM, ARGS, (2, 20), "hashing")
    assert 18 / 0.005 / 20 < found.per_second < 18 / 0.005 * 1.5  # the machine may be busy
    assert found.bytes_per_unit == pytest.approx(256 * 4 * 17 / 18, rel=0.01)  # a row for each piece but one


def test_speech_is_measured(monkeypatch: pytest.MonkeyPatch, one_thread: None) -> None:
    monkeypatch.setattr(rates, "LEAST_SECONDS", 0.02)
    found = rates.measure("speech", json.dumps({"model": "logmel"}), FILM, ARGS, (1, 8), "logmel")
    assert found.bytes_per_unit == pytest.approx(50 * 64 * 4, rel=0.02)


def test_stand_ins_know_every_word(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, one_thread: None) -> None:
    import transformers

    small: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    monkeypatch.setattr(transformers, "BertConfig", partial(transformers.BertConfig, **small))
    monkeypatch.setattr(rates, "LEAST_SECONDS", 0.001)
    folder = rates.stand_in("text", tmp_path / "text")
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    numbers = tokenizer(rates.SENTENCE)["input_ids"]
    assert len(numbers) == rates.pieces(rates.SENTENCE)
    assert tokenizer.unk_token_id not in numbers
    found = rates.measure("text", json.dumps({"model": str(folder)}), FILM, ARGS, (2, 100), "x")
    assert found.bytes_per_unit == 16 * 4
