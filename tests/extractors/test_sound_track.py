from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from extractors.shard import UnreadableError
from extractors.sound_track import read_spans, read_track
from extractors.waves import read_wave, read_waves

pytestmark = pytest.mark.usefixtures("one_thread")


def film(path: Path, codec: str, samples: NDArray[np.int16] | None, rate: int, late: int = 0) -> None:
    """A second of small pictures, with `samples` (time, channels) as its sound track, `late` samples after them."""
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("mpeg4", rate=25)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        if samples is not None:
            layout = ("mono", "stereo")[samples.shape[1] - 1]
            sound: Any = out.add_stream(codec, rate=rate, layout=layout)
            packed = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples).reshape(1, -1), format="s16", layout=layout
            )
            packed.sample_rate, packed.pts = rate, late
            to_codec = av.AudioResampler(sound.format.name, frame_size=sound.frame_size or 1024)
            for frame in (*to_codec.resample(packed), *to_codec.resample(None)):
                out.mux(sound.encode(frame))
            out.mux(sound.encode(None))
        for shade in range(25):
            picture = np.full((48, 64, 3), 10 * shade, np.uint8)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(pictures.encode(None))


def blank(source: Path, target: Path, packets: slice) -> None:
    """A copy of a film with zeros in some packets of its sound track."""
    content = bytearray(source.read_bytes())
    with av.open(str(source)) as film:
        for packet in [packet for packet in film.demux(audio=0) if packet.size][packets]:
            assert packet.pos is not None
            content[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    target.write_bytes(content)


def stereo_tone(rate: int) -> NDArray[np.int16]:
    times = np.arange(rate) / rate
    return np.stack([8000 * np.sin(2 * np.pi * hz * times) for hz in (440, 1000)], axis=1).astype(np.int16)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [16000, 44100])
@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "pcm_s16le"), ("a.mp4", "alac"), ("a.mkv", "pcm_s16le"), ("a.mov", "pcm_s24le")]
)
def test_sound_track_of_a_video_equals_the_wav(tmp_path: Path, name: str, codec: str, rate: int, channels: int) -> None:
    tone = stereo_tone(rate)[:, :channels]
    film(tmp_path / name, codec, tone, rate)
    soundfile.write(tmp_path / "a.wav", tone, rate)
    for start, end in ((None, None), (0.25, 0.5), (0.9, 7.0), (0.0, 0.1)):
        wave = read_wave(tmp_path / name, start, end)
        np.testing.assert_allclose(wave, read_wave(tmp_path / "a.wav", start, end), rtol=0, atol=1e-7)


def test_sound_tracks_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    tone = stereo_tone(16000)
    film(tmp_path / "whole.mp4", "alac", tone, 16000)
    film(tmp_path / "silent.avi", "", None, 16000)
    whole = (tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    blank(tmp_path / "whole.mp4", tmp_path / "blank.mp4", slice(None))
    for name, start, reason in (
        ("whole.mp4", 2.0, "whole.mp4 has no samples in the utterance's time span"),
        ("silent.avi", None, "silent.avi has no sound track"),
        ("cut.mp4", None, "the sound track of cut.mp4 cannot be read .*Invalid data"),
        ("blank.mp4", None, "nothing of the sound track of blank.mp4 can be decoded"),
        ("empty.mp4", None, "the sound track of empty.mp4 cannot be read .*Invalid data"),
    ):
        with pytest.raises(UnreadableError, match=reason):
            read_wave(tmp_path / name, start, None)


def test_a_video_that_breaks_off_has_the_sound_until_there(tmp_path: Path) -> None:
    tone = stereo_tone(16000)[:, :1]
    film(tmp_path / "a.avi", "pcm_s16le", tone, 16000)
    content = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(content[: len(content) * 2 // 3])
    wave = read_wave(tmp_path / "a.avi", None, None)
    assert 4000 < len(wave) < 14000
    np.testing.assert_allclose(wave, tone[: len(wave), 0] / 32768, atol=1e-7)
    with pytest.raises(UnreadableError, match="no samples"):
        read_wave(tmp_path / "a.avi", 0.95, 1.0)


def test_a_title_that_is_not_utf8_does_no_harm(tmp_path: Path) -> None:
    film(tmp_path / "a.avi", "pcm_s16le", stereo_tone(16000), 16000)
    content = (tmp_path / "a.avi").read_bytes()
    assert b"Lavf" in content
    (tmp_path / "a.avi").write_bytes(content.replace(b"Lavf", b"L\xe9vf"))
    assert len(read_wave(tmp_path / "a.avi", None, None)) == 16000


def test_sound_that_begins_later_than_the_pictures(tmp_path: Path) -> None:
    tone = stereo_tone(16000)
    film(tmp_path / "a.mkv", "pcm_s16le", tone, 16000, late=3200)
    expected = np.concatenate([np.zeros(3200), tone.mean(axis=1) / 32768])
    for start, end, first, last in ((None, None, 0, 19200), (0.25, 0.5, 4000, 8000), (0.0, 0.2, 0, 3200)):
        np.testing.assert_allclose(read_wave(tmp_path / "a.mkv", start, end), expected[first:last], atol=1e-7)


def test_damage_shifts_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tone = stereo_tone(48000)
    film(tmp_path / "whole.mp4", "alac", tone, 48000)
    blank(tmp_path / "whole.mp4", tmp_path / "a.mp4", slice(2, 4))
    wave = read_wave(tmp_path / "a.mp4", 0.6, 0.7)
    assert "a.mp4: 2 packets of the sound track are damaged" in caplog.text
    np.testing.assert_array_equal(wave, read_wave(tmp_path / "whole.mp4", 0.6, 0.7))
    whole = read_wave(tmp_path / "a.mp4", None, None)
    assert len(whole) == 16000
    np.testing.assert_allclose(whole[9620:11180], wave[20:-20], atol=1e-6)  # but for the ends of the resampling filter
    assert not whole[2 * 4096 // 3 + 100 : 4 * 4096 // 3 - 100].any()


SPANS = [
    (None, None),
    (0.25, 0.5),
    (0.9, 7.0),
    (0.0, 0.1),
    (0.3, 0.45),
    (None, 0.2),
    (0.5, None),
    (0.5, 0.5),
    (3.0, 4.0),
]


@pytest.mark.parametrize("name", ["whole.mp4", "damaged.mp4", "late.mkv", "cut.avi"])
def test_many_spans_in_one_pass_equal_one_pass_each(tmp_path: Path, name: str) -> None:
    tone = stereo_tone(16000)
    film(tmp_path / "whole.mp4", "alac", tone, 16000)
    blank(tmp_path / "whole.mp4", tmp_path / "damaged.mp4", slice(1, 2))
    film(tmp_path / "late.mkv", "pcm_s16le", tone, 16000, late=3200)
    film(tmp_path / "cut.avi", "pcm_s16le", tone, 16000)
    content = (tmp_path / "cut.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) * 2 // 3])
    found = dict(read_spans(tmp_path / name, SPANS))
    assert sorted(found) == list(range(len(SPANS)))
    for index, (start, end) in enumerate(SPANS):
        pieces = read_track(tmp_path / name, start, end)
        assert [rate for _, rate in pieces] == [rate for _, rate in found[index]]
        for (samples, _), (same, _) in zip(pieces, found[index], strict=True):
            np.testing.assert_array_equal(samples, same)


def test_a_sound_track_that_utterances_share_is_decoded_once(small: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    film(small.root / "a.mp4", "alac", stereo_tone(16000), 16000)
    film(small.root / "silent.avi", "", None, 16000)
    for index in range(5):
        small.add(f"a{index}", audio="a.mp4", audio_start=0.2 * index, audio_end=0.2 * index + 0.3)
    small.add("late", audio="a.mp4", audio_start=2.0, audio_end=3.0)
    small.add("silent", audio="silent.avi")
    opened: list[str] = []
    real = av.open
    monkeypatch.setattr(av, "open", lambda path, **options: opened.append(Path(path).name) or real(path, **options))
    found = {row.utterance: wave for row, wave in read_waves(small.root, small.rows)}
    assert opened == ["a.mp4", "silent.avi"]
    for row in small.rows[:5]:
        expected = read_wave(small.root / "a.mp4", row.audio_start, row.audio_end)
        np.testing.assert_array_equal(found[row.utterance], expected)
    assert str(found["late"]) == "a.mp4 has no samples in the utterance's time span"
    assert str(found["silent"]) == "silent.avi has no sound track"
