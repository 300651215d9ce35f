"""What headers say about the length of a sound, and what is there."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from extractors.corpora import Listing, Utterance, judge
from extractors.corpora.films import Film
from extractors.corpora.sounds import sound
from extractors.settings import Policy
from extractors.shard import UnreadableError
from extractors.waves import RATE_HZ, read_wave
from tests.extractors.sound_files import encoded, tone

pytestmark = pytest.mark.usefixtures("one_thread")

WAVE = tone(16_000, 440, 4.0)
ROW = Utterance("u", "d", "1", "1F", "angry", "words", "", None, None, "v.avi", None, None, "full")


def written(form: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, WAVE, 16_000, format=form, subtype=subtype)
    return file.getvalue()


def telephone(form: str, codec: str, **options: str) -> bytes:
    return encoded(form, codec, tone(8_000, 440, 4.0), 8_000, **options)


WHOLE = {
    "wav": lambda: written("WAV", "PCM_16"),
    "24.wav": lambda: written("WAVEX", "PCM_24"),
    "float.wav": lambda: written("WAV", "DOUBLE"),
    "ulaw.wav": lambda: written("WAV", "ULAW"),
    "alaw.wav": lambda: written("WAV", "ALAW"),
    "adpcm.wav": lambda: written("WAV", "IMA_ADPCM"),
    "rf64": lambda: written("RF64", "PCM_16"),
    "w64": lambda: written("W64", "PCM_16"),
    "aiff": lambda: written("AIFF", "PCM_16"),
    "au": lambda: written("AU", "PCM_16"),
    "caf": lambda: written("CAF", "PCM_16"),
    "flac": lambda: written("FLAC", "PCM_16"),
    "vorbis.ogg": lambda: written("OGG", "VORBIS"),
    "opus.ogg": lambda: written("OGG", "OPUS"),
    "mp3": lambda: encoded("mp3", "libmp3lame", WAVE, 16_000),
    "bare.mp3": lambda: encoded("mp3", "libmp3lame", WAVE, 16_000, write_xing="0", id3v2_version="0"),
    "aac": lambda: encoded("adts", "aac", WAVE, 16_000),
    "amr": lambda: telephone("amr", "libopencore_amrnb"),
    "m4a": lambda: encoded("ipod", "aac", WAVE, 16_000, movflags="faststart"),
    "fragments.mp4": lambda: encoded("mp4", "aac", WAVE, 16_000, movflags="frag_every_frame+empty_moov"),
    "webm": lambda: encoded("webm", "libopus", tone(48_000, 440, 4.0), 48_000),
    "live.webm": lambda: encoded("webm", "libopus", tone(48_000, 440, 4.0), 48_000, live="1"),
    "mka": lambda: encoded("matroska", "flac", WAVE, 16_000),
    "flv": lambda: encoded("flv", "libmp3lame", tone(22_050, 440, 4.0), 22_050),
    "ts": lambda: encoded("mpegts", "aac", WAVE, 16_000),
    "mpg": lambda: encoded("mpeg", "mp2", WAVE, 16_000),
    "wma": lambda: encoded("asf", "wmav2", tone(44_100, 440, 4.0), 44_100),
    "avi": lambda: encoded("avi", "pcm_s16le", WAVE, 16_000),
    "tta": lambda: encoded("tta", "tta", WAVE, 16_000),
    "wv": lambda: encoded("wv", "wavpack", WAVE, 16_000),
}  # fmt: skip
UNTOLD = {"live.webm"}
"""Formats that have no length to compare with and no mark of their end."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return {name: make() for name, make in WHOLE.items()}


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / f"a.{name}"
    path.write_bytes(content)
    return path


def verdict(path: Path, monkeypatch: pytest.MonkeyPatch, start: float | None, end: float | None) -> tuple[str, str]:
    """The reason for which a row is rejected, and its remarks."""
    (path.parent / "v.avi").touch()
    monkeypatch.setattr(judge, "film", lambda _: Film())
    row = replace(ROW, audio=path.name, audio_start=start, audio_end=end)
    found = judge.judge(Listing([row], [], {}), path.parent, Policy(), lambda items, *_: items)
    return "; ".join(row.reason for row in found.rejected), "; ".join(row.remark for row in found.remarks)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_found_is_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str
) -> None:
    path = put(tmp_path, name, whole[name])
    found = sound(path)
    assert (found.problem, found.cut, found.odd) == ("", "", "")
    assert found.seconds == pytest.approx(4.0, abs=0.13)
    wave = read_wave(path, None, None)
    assert len(wave) / RATE_HZ == pytest.approx(found.seconds, abs=1 / RATE_HZ)
    span = read_wave(path, 1.0, 2.5)
    assert len(span) == 24_000
    np.testing.assert_allclose(span[100:-100], wave[16_100:39_900], atol=1e-5)
    assert verdict(path, monkeypatch, None, None) == ("", "")
    reason, _ = verdict(path, monkeypatch, 4.2, 5.0)
    assert reason.endswith(f"{found.seconds:.3f} s long, the utterance begins at 4.200 s")


@pytest.mark.parametrize("name", WHOLE)
def test_half_a_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str
) -> None:
    content = whole[name]
    path = put(tmp_path, name, content[: int(0.53 * len(content))])
    reason, remarks = verdict(path, monkeypatch, None, None)
    if name in UNTOLD:
        assert not reason
    else:
        assert any(word in reason + remarks for word in ("cut off", "unreadable", "damaged", "no sound can be"))
    found = sound(path)
    try:
        read = len(read_wave(path, None, None)) / RATE_HZ
    except UnreadableError:
        assert reason
        return
    if not found.problem:
        assert read == pytest.approx(found.seconds, abs=1 / RATE_HZ)
        assert 1.2 < found.seconds < 2.5
        if found.cut:
            assert found.cut in reason
            kept, remarks = verdict(path, monkeypatch, 0.2, 1.0)
            assert (kept, found.cut in remarks) == ("", True)


@pytest.mark.parametrize("name", ["flac", "mp3", "m4a", "webm", "flv", "tta", "aiff", "au", "w64"])
def test_a_length_that_is_promised_is_named(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    content = whole[name]
    cut = sound(put(tmp_path, name, content[: int(0.53 * len(content))])).cut
    unit = "bytes" if name in ("aiff", "au", "w64") else "s"
    said, there = (float(part.split()[0]) for part in cut.removeprefix("header promises ").split(", "))
    assert cut.split()[3] == f"{unit},"
    assert 0.3 < there / said < 0.6
    if unit == "s":
        assert said == pytest.approx(4.0, abs=0.13)


@pytest.mark.parametrize("name", ["mp3", "bare.mp3", "aac", "flac", "vorbis.ogg", "opus.ogg", "ts", "mpg", "webm"])
def test_two_files_joined_are_read_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, bytes], name: str
) -> None:
    path = put(tmp_path, name, 2 * whole[name])
    found = sound(path)
    assert found.seconds == pytest.approx(8.0, abs=0.27)
    assert len(read_wave(path, None, None)) / RATE_HZ == pytest.approx(found.seconds, abs=1 / RATE_HZ)
    assert len(read_wave(path, 6.0, 7.0)) == RATE_HZ
    reason, remarks = verdict(path, monkeypatch, 6.0, 7.0)
    assert reason == ""
    assert (remarks != "") == (name not in ("bare.mp3", "aac"))  # which have no header at all


@pytest.mark.parametrize("name", ["m4a", "flv", "amr", "wav"])
def test_a_file_behind_another_is_told(tmp_path: Path, whole: dict[str, bytes], name: str) -> None:
    found = sound(put(tmp_path, name, 2 * whole[name]))
    assert found.problem if name == "wav" else found.odd.endswith("another file is joined to its end")


@pytest.mark.parametrize("riff", [0, 36, 0xFFFFFFFF])
def test_a_wav_that_was_never_closed(tmp_path: Path, whole: dict[str, bytes], riff: int) -> None:
    content = bytearray(whole["wav"])
    content[4:8] = riff.to_bytes(4, "little")
    content[40:44] = bytes(4)
    path = put(tmp_path, "wav", content)
    assert (sound(path).seconds, sound(path).odd) == (4.0, "header promises no sound at all")
    np.testing.assert_array_equal(read_wave(path, 1.0, 2.0), read_wave(put(tmp_path, "b.wav", whole["wav"]), 1.0, 2.0))
    put(tmp_path, "wav", content[:44])
    assert sound(path).problem == "no sound can be decoded"


def test_a_wav_of_unknown_length(tmp_path: Path, whole: dict[str, bytes]) -> None:
    content = bytearray(whole["wav"])
    content[4:8] = content[40:44] = b"\xff" * 4
    path = put(tmp_path, "wav", content)
    assert (sound(path).seconds, sound(path).odd, sound(path).cut) == (4.0, "", "")
    assert len(read_wave(path, None, None)) == 64_000


def test_samples_that_are_no_numbers_reject_the_rows_that_have_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = WAVE.copy()
    wave[20_000] = np.nan
    soundfile.write(tmp_path / "a.wav", wave, 16_000, subtype="FLOAT")
    assert verdict(tmp_path / "a.wav", monkeypatch, 1.0, 2.0)[0] == "wav: samples that are not finite"
    assert verdict(tmp_path / "a.wav", monkeypatch, 2.0, 3.0) == ("", "")


@pytest.mark.parametrize("name", ["flac", "vorbis.ogg", "m4a", "ts"])
def test_damage_in_the_middle_moves_nothing_behind_it(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    voice = (tone(16_000, 300, 12.0) + 0.01 * rng.normal(size=12 * 16_000)).astype(np.float32)
    path = tmp_path / f"a.{name}"
    if name in ("flac", "vorbis.ogg"):
        soundfile.write(path, voice, 16_000, format=name.split(".")[-1].upper())
    else:
        path.write_bytes(encoded({"m4a": "ipod", "ts": "mpegts"}[name], "aac", voice, 16_000))
    before = read_wave(path, None, None)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = bytes(200)
    path.write_bytes(content)
    found, wave = sound(path), read_wave(path, None, None)
    assert found.odd or name == "ts"  # whose sound has no checksums
    assert found.seconds == pytest.approx(len(before) / RATE_HZ, abs=0.001)
    assert len(wave) == pytest.approx(len(before), abs=2)
    for part in (slice(0, 64_000), slice(128_000, 190_000)):
        np.testing.assert_allclose(wave[part], before[part], atol=1e-3)
    span = read_wave(path, 8.0, 11.0)
    np.testing.assert_allclose(span, before[128_000:176_000], atol=1e-3)
