"""Pictures that tell the time, in every container: what a row shows is what was on the screen at its moment."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import pytest

from extractors.decode import frames, ticks
from tests.extractors.clock import CODECS, told, write_film

SECONDS = 3.0
RATES = (25, Fraction(24000, 1001), Fraction(30000, 1001), 60)
ROUNDING = 1e-3  # of time stamps in flv, mkv and wmv
GAPS = sorted(CODECS.keys() - {"mpg", "ogv"})  # these two count pictures up to the next page or packet


def seen(path: Path, start: float | None, end: float | None, per_second: float) -> list[tuple[int, int | None]]:
    """Pairs of a tick and the number that its picture tells."""
    found = frames(path, ticks(start, end, per_second), per_second)
    return [(tick, None if picture is None else told(picture)) for tick, picture in found]


def off(found: Sequence[tuple[int, int | None]], begins: Sequence[float], per_second: float) -> list[float]:
    """Seconds by which each tick lies outside of the time for which its picture is shown."""
    far = []
    for tick, number in found:
        assert number is not None
        end = begins[number + 1] if number + 1 < len(begins) else SECONDS
        far.append(max(begins[number] - tick / per_second, tick / per_second - end, 0.0))
    return far


@pytest.mark.parametrize(
    "rate", [25, Fraction(24000, 1001), Fraction(30000, 1001), 60], ids=lambda rate: f"{float(rate):.5g}"
)
@pytest.mark.parametrize("ending", CODECS)
def test_whole_films_and_spans(tmp_path: Path, ending: str, rate: int | Fraction) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, SECONDS, rate)
    begins = [number / float(rate) for number in range(round(SECONDS * rate))]
    for per_second in (1, 10):
        whole = seen(path, None, None, per_second)
        count = round(SECONDS * per_second)
        assert [tick for tick, _ in whole[:count]] == list(range(count))
        assert len(whole) <= count + 1  # sound and picture of some encoders begin 45 ms later
        assert max(off(whole[:count], begins, per_second)) <= 0.5 / per_second + ROUNDING
        for start, end in ((0.0, 0.5), (1.3, 2.25), (2.1, SECONDS)):
            span = ticks(start, end, per_second)
            assert seen(path, start, end, per_second) == whole[span.start : span.stop]


@pytest.mark.parametrize("ending", GAPS)
def test_a_picture_stands_until_the_next_one(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    stamps = [*range(25), *range(50, 65)]
    write_film(path, SECONDS, pts=stamps)  # the last one stands, too, while the sound goes on
    found = seen(path, None, None, 10)
    assert [tick for tick, _ in found][:30] == list(range(30))
    assert len(found) <= 31
    assert max(off(found[:30], [stamp / 25 for stamp in stamps], 10)) <= 0.05 + ROUNDING
    assert seen(path, 1.5, 2.5, 10) == found[15:25]
    assert len({number for _, number in found[12:19]}) == 1


@pytest.mark.parametrize("ending", sorted(CODECS.keys() - {"avi"}))  # in which a film begins with its first picture
def test_nothing_is_shown_before_the_first_picture(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, SECONDS, pts=list(range(40, 75)))
    found = seen(path, 0.0, SECONDS, 10)
    assert [tick for tick, _ in found] == list(range(30))
    assert [number for _, number in found[:16]] == [None] * 16
    assert max(off(found[17:], [stamp / 25 for stamp in range(40, 75)], 10)) <= 0.05 + ROUNDING
    assert seen(path, 2.0, 2.5, 10) == found[20:25]


@pytest.mark.parametrize("ending", ["avi", "mp4", "mkv", "mov"])
def test_pictures_that_depend_on_later_ones(tmp_path: Path, ending: str) -> None:
    """At 5 pictures a second one that is taken for its neighbour is far off."""
    path = tmp_path / f"a.{ending}"
    write_film(path, SECONDS, 5, sound_from=None, options={"bf": "2"})
    found = seen(path, None, None, 10)
    assert [tick for tick, _ in found] == list(range(30))
    assert max(off(found, [number / 5 for number in range(15)], 10)) <= 0.05 + ROUNDING


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_more_rows_than_pictures(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_film(path, SECONDS, 5, sound_from=None)
    found = seen(path, 0.0, SECONDS, 30)
    assert [tick for tick, _ in found] == list(range(90))
    assert max(off(found, [number / 5 for number in range(15)], 30)) <= 0.5 / 30 + ROUNDING


def test_the_clock_begins_with_the_file_not_at_zero(tmp_path: Path) -> None:
    """A piece that was cut out of a longer recording."""
    path = tmp_path / "a.ts"
    write_film(path, SECONDS, pts=list(range(2500, 2575)), sound_from=None)
    found = seen(path, 0.0, SECONDS, 10)
    assert max(off(found, [number / 25 for number in range(75)], 10)) <= 0.05 + ROUNDING
