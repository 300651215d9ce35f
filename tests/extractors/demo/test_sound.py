"""The time line of a dialogue, microphones and the wav writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from extractors.demo import iemocap, sound


def lines() -> list[sound.Line]:
    random = np.random.default_rng(0)
    turns = [turn for turn in iemocap.script(0, 1, 8) if iemocap.group(turn) == "Ses01F_impro01"]
    sounds = [random.uniform(-0.5, 0.5, random.integers(8000, 40000)).astype(np.float32) for _ in turns]
    return sound.lay_out(turns, sounds, random)


def test_a_speaker_never_talks_over_herself_and_times_fit_the_samples() -> None:
    found = lines()
    for line in found:
        assert abs((line.end - line.start) * 16000 - len(line.sound)) <= 1
        assert round(line.start, 4) == line.start
        for other in found:
            if other is not line and other.turn.sex == line.turn.sex:
                assert other.start > line.end or other.end < line.start


def test_each_channel_is_its_speaker_with_a_trace_of_the_other() -> None:
    found = lines()
    both = sound.channels(found, np.random.default_rng(1)) / 32767
    first = found[0]
    only_first = slice(first.samples.start, min(line.samples.start for line in found[1:]))
    said = first.sound[: only_first.stop - only_first.start]
    own = "FM".index(first.turn.sex)
    np.testing.assert_allclose(both[own, only_first], said, atol=0.01)
    np.testing.assert_allclose(both[1 - own, only_first], sound.CROSSTALK * said, atol=0.01)


def test_a_resampled_tone_is_the_same_tone() -> None:
    for rate_hz in (44_100, 48_000):
        tone = [
            np.rint(20000 * np.sin(2 * np.pi * 440 * np.arange(hz) / hz)).astype(np.int16) for hz in (16000, rate_hz)
        ]
        other = sound.resampled(tone[0], rate_hz)
        assert other.dtype == np.int16
        inner = slice(rate_hz // 10, -rate_hz // 10)
        np.testing.assert_allclose(other[inner], tone[1][inner], atol=30)


def test_wav_has_a_plain_header_then_data_then_the_comment(tmp_path: Path) -> None:
    samples = np.arange(-500, 500, dtype=np.int16)
    for rate_hz, content in ((44_100, samples), (16_000, np.stack([samples, -samples]))):
        path = tmp_path / f"{rate_hz}.wav"
        sound.write_wav(path, content, rate_hz)
        read, rate = soundfile.read(path, dtype="int16")
        assert rate == rate_hz
        np.testing.assert_array_equal(read, content.T)
        blob = path.read_bytes()
        assert blob[:4] == b"RIFF"
        assert int.from_bytes(blob[4:8], "little") == len(blob) - 8
        assert blob[12:16] == b"fmt "
        assert blob[36:40] == b"data"
        assert blob[44 : 44 + content.nbytes] == content.T.tobytes()
        assert soundfile.SoundFile(path).copy_metadata()["comment"] == "synthetic"
