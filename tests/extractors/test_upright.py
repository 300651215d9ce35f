from __future__ import annotations

import gc
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps

from extractors.decode import frames
from extractors.upright import rgb

MATRICES = {
    "as it is": (1, 0, 0, 1),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (-1, 0, 0, -1),
    "mirrored and upside down": (1, 0, 0, -1),
    "a quarter clockwise": (0, 1, -1, 0),
    "a quarter anticlockwise": (0, -1, 1, 0),
    "over one diagonal": (0, 1, 1, 0),
    "over the other diagonal": (0, -1, -1, 0),
    "nearly upright": (0.99, 0.1, -0.1, 0.99),
}


def four(height: int = 96, width: int = 128) -> Any:
    """A picture whose quarters differ: red, green, blue, grey."""
    picture = np.zeros((height, width, 3), np.uint8)
    for number, colour in enumerate(((220, 40, 40), (40, 220, 40), (40, 40, 220), (200, 200, 200))):
        top, left = number // 2 * (height // 2), number % 2 * (width // 2)
        picture[top : top + height // 2, left : left + width // 2] = colour
    return picture


def same(found: Any, expected: Any) -> bool:
    """Of one size, and alike where edges are far."""
    if found.shape != expected.shape:
        return False
    height, width = found.shape[:2]
    places = np.ix_([height // 4, 3 * height // 4], [width // 4, 3 * width // 4])
    return bool(np.abs(found[places].astype(int) - expected[places]).max() < 40)


def write(path: Path, picture: Any, codec: str = "libx264", pixels: str = "yuv420p", **settings: Any) -> None:
    """Three times the picture; `settings` are those of the encoder."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=10)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = pixels
        for key, value in settings.items():
            setattr(stream.codec_context, key, value)
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def shown(path: Path) -> Any:
    found = [picture for _, picture in frames(path, range(3), 10)]
    assert len(found) == 3
    assert all(picture is not None and picture.shape == found[0].shape for picture in found)  # type: ignore[union-attr]
    return found[0]


def placed(values: tuple[float, ...], height: int, width: int) -> tuple[Any, Any]:
    """Where each pixel of a picture comes to, by the definition of a display matrix; slow and obvious."""
    a, b, c, d = (round(value) for value in values)
    places = {(a * x + c * y, b * x + d * y): (y, x) for y in range(height) for x in range(width)}
    left, top = min(x for x, _ in places), min(y for _, y in places)
    wide, high = max(x for x, _ in places) - left + 1, max(y for _, y in places) - top + 1
    rows, columns = np.zeros((2, high, wide), int)
    for (x, y), (row, column) in places.items():
        rows[y - top, x - left], columns[y - top, x - left] = row, column
    return rows, columns


def turned_by(path: Path, values: tuple[float, ...]) -> None:
    """Write the display matrix into the only track of an mp4."""
    raw = bytearray(path.read_bytes())
    plain = np.array([65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30], ">i4").tobytes()
    place = raw.index(plain, raw.index(b"tkhd"))
    a, b, c, d = (round(65536 * value) for value in values)
    raw[place : place + 36] = np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], ">i4").tobytes()
    path.write_bytes(raw)


@pytest.mark.parametrize("values", MATRICES.values(), ids=MATRICES)
@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_a_display_matrix_is_applied(tmp_path: Path, ending: str, values: tuple[float, ...]) -> None:
    path = tmp_path / f"a.{ending}"
    write(path, four())
    before = shown(path)
    turned_by(path, values)
    assert np.array_equal(shown(path), before[placed(values, 96, 128)])


@pytest.mark.parametrize("tag", [1, 2, 3, 4, 5, 6, 7, 8])
def test_orientation_tags_of_pictures_are_applied(tmp_path: Path, tag: int) -> None:
    """Motion JPEG, as cameras write it."""
    image = Image.fromarray(four())
    exif = image.getexif()
    exif[0x0112] = tag
    buffer = io.BytesIO()
    image.save(buffer, "jpeg", exif=exif, quality=95)
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mjpeg", rate=10)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuvj420p"
        for number in range(3):
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 10)
            packet.is_keyframe = True
            out.mux(packet)
    assert same(shown(path), np.asarray(ImageOps.exif_transpose(Image.open(buffer))))


@pytest.mark.parametrize(
    ("name", "codec", "pixel", "size"),
    [
        ("wide.mp4", "libx264", Fraction(4, 3), (96, 171)),
        ("wide.mkv", "libx264", Fraction(2), (96, 256)),
        ("high.avi", "mpeg4", Fraction(8, 9), (108, 128)),
        ("high.mov", "libx264", Fraction(10, 11), (106, 128)),
        ("square.mkv", "libx264", Fraction(1), (96, 128)),
        ("nearly.mp4", "libx264", Fraction(255, 256), (96, 128)),
        ("damaged.mkv", "libx264", Fraction(50), (96, 128)),
    ],
)
def test_pixels_are_made_square(tmp_path: Path, name: str, codec: str, pixel: Fraction, size: tuple[int, int]) -> None:
    write(tmp_path / name, four(), codec, sample_aspect_ratio=pixel)
    assert same(shown(tmp_path / name), four(*size))


def test_pixels_are_made_square_before_the_picture_is_turned(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write(path, four(), sample_aspect_ratio=Fraction(4, 3))
    turned_by(path, MATRICES["a quarter clockwise"])
    assert same(shown(path), np.rot90(four(96, 171), -1))


def test_what_is_square_and_upright_is_as_it_was(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", four())
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    for pixel in (None, Fraction(0), Fraction(1)):
        assert np.array_equal(rgb(frame, pixel), frame.to_ndarray(format="rgb24"))


def test_a_picture_that_was_read_does_not_stay_in_memory(tmp_path: Path) -> None:
    """Without a collection of cycles, which may be hundreds of pictures away."""
    write(tmp_path / "a.mp4", four())
    turned_by(tmp_path / "a.mp4", MATRICES["upside down"])
    with av.open(str(tmp_path / "a.mp4")) as container:
        frame = next(container.decode(video=0))
    gc.collect()
    gc.disable()
    try:
        rgb(frame, None)
        large = [other for other in gc.get_objects() if isinstance(other, av.VideoFrame) and other.width > 16]
        assert len(large) <= 1
        holders = [type(other).__name__ for other in gc.get_referrers(frame)]
        assert "SideDataContainer" not in holders
    finally:
        gc.enable()


def luma(pixels: str, matrix: int, colour_range: int) -> Any:
    """RGB of a picture whose luma is 100 and whose chroma is 90 and 180."""
    frame = av.VideoFrame(64, 64, pixels)
    for plane, value in zip(frame.planes, (100, 90, 180), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    frame.colorspace, frame.color_range = matrix, colour_range
    return rgb(frame, None)[30, 30].astype(int)


BT709, UNKNOWN, BT601 = 1, 2, 6
LIMITED, FULL = 1, 2


@pytest.mark.parametrize("matrix", [BT709, UNKNOWN, BT601])
@pytest.mark.parametrize(("pixels", "colour_range"), [("yuv420p", 0), ("yuv420p", LIMITED), ("yuvj420p", FULL)])
def test_range_and_matrix_of_colours_are_those_of_the_flags(pixels: str, matrix: int, colour_range: int) -> None:
    red, blue = (0.2126, 0.0722) if matrix == BT709 else (0.299, 0.114)
    y, u, v = 100.0, 90 - 128.0, 180 - 128.0
    if colour_range != FULL:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    expected = np.array([r, (y - red * r - blue * b) / (1 - red - blue), b])
    assert np.abs(luma(pixels, matrix, colour_range) - expected).max() < 3  # the wrong range is 7 off, the matrix 8


@pytest.mark.parametrize(
    ("codec", "pixels"),
    [("ffv1", "gray"), ("ffv1", "gray10le"), ("ffv1", "yuva420p"), ("ffv1", "yuv444p"), ("libx264", "yuv420p10le")],
)
def test_every_form_of_pixels_is_read(tmp_path: Path, codec: str, pixels: str) -> None:
    picture = four(97, 131) if pixels == "yuv444p" else four()
    if pixels.startswith("gray"):
        picture = (picture @ [0.299, 0.587, 0.114]).astype(np.uint8)[..., None].repeat(3, 2)
    write(tmp_path / "a.mkv", picture, codec, pixels)
    assert same(shown(tmp_path / "a.mkv"), picture)
