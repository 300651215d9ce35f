"""What the verb `speech` has in memory, and what it reads, at any one time."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors import speech, waves
from extractors.store import FeatureStore

pytestmark = pytest.mark.usefixtures("one_thread")


def test_speech_decodes_a_sound_track_that_parts_could_share_once(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(5):
        small.add(f"{index}", audio="film.mp4", audio_start=index, audio_end=index + 1)
        small.add(f"{index}own", audio=f"{index}.wav")
    (small.root / "film.mp4").write_text("pictures and sound")
    opened = []

    def spans(path: Path, wanted: list[Any]) -> Iterator[Any]:
        opened.append(path.name)
        for index, _ in enumerate(wanted):
            yield index, [(np.linspace(-0.5, 0.5, 8000, dtype=np.float32)[:, None], 16_000)]

    monkeypatch.setattr(waves, "read_spans", spans)
    monkeypatch.setattr(speech, "CHUNK", 2)
    with FeatureStore(small.run(speech, "speech.h5", "--settings", '{"model": "logmel"}')) as store:
        assert set(store.problems) == {f"{index}own" for index in range(5)}
    assert opened == ["film.mp4"]


def test_utterances_of_a_long_wav_need_not_be_one_part(small: Any) -> None:
    for name in "abc":
        small.add(name, audio="session.WAV")
    assert speech.by_file(small.rows) == [[row] for row in small.rows]


def test_an_hour_of_a_long_recording_is_a_part(small: Any) -> None:
    for index in (*range(0, 900, 2), *range(1, 900, 2)):
        small.add(f"{index:03}", audio="long.mp3", audio_start=30.0 * index, audio_end=30.0 * index + 30)
        small.add(f"own{index:03}", audio=f"{index}.wav")
    found = speech.parts(speech.by_file(small.rows))
    assert sorted(row.utterance for part in found for row in part) == sorted(row.utterance for row in small.rows)
    starts = [[row.audio_start for row in part if row.audio == "long.mp3"] for part in found]
    hours = [part for part in starts if part]
    assert [len(part) for part in hours] == 7 * [120] + [60]
    assert [start for part in hours for start in part] == [30.0 * index for index in range(900)]
    assert {len(part) for part, long in zip(found, starts, strict=True) if not long} == {64, (900 - 4) % 64 or 64}


def test_long_utterances_that_are_files_of_their_own_are_parts_of_an_hour(small: Any) -> None:
    for index in range(64):
        small.add(f"{index:02}", audio="session.flac", audio_start=600.0 * index, audio_end=600.0 * index + 600)
    assert [len(part) for part in speech.parts(speech.by_file(small.rows))] == 10 * [6] + [4]


def test_memory_of_speech_is_far_below_1_gb_for_clips_of_a_minute(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a sixtieth of the size: clips of a second, and 12 MiB."""

    class Wide:
        name, dim, weights_sha256, packages, window = "wide", 768, "", (), 1

        def prepare(self, wave: Any) -> Any:
            return wave.copy()

        def encode(self, waves: list[Any]) -> Iterator[tuple[int, Any]]:
            for index in range(len(waves)):
                yield index, np.ones((50, 768), np.float32)

    def waves(_: Path, rows: list[Any]) -> Iterator[tuple[Any, Any]]:
        for row in rows:
            yield row, np.ones(16_000, np.float32)

    for index in range(400):
        small.add(f"{index:03}", audio=f"{index}.wav")
    monkeypatch.setattr(speech, "Logmel", Wide)
    monkeypatch.setattr(speech, "read_waves", waves)
    tracemalloc.start()
    try:
        small.run(speech, "speech.h5", "--settings", '{"model": "logmel"}')
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 * 2**20
