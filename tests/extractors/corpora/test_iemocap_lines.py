from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.corpora import Rejected, Remark
from extractors.corpora.iemocap_lines import parse_labels, parse_transcript
from extractors.corpora.iemocap_release import Turn
from extractors.corpora.lines import Line, split


def turns(content: bytes) -> list[Turn]:
    return [item for item in parse_labels(split(content), "file") if isinstance(item, Turn)]


def test_what_is_odd_in_label_and_transcript_files() -> None:
    head = b"[1.0 - 2.0]\tSes01F_impro01_F00%d\tneu\t[5.5000, 3.0000, 0.5000]\n"
    label = b"%% not a turn\n" + head % 0 + b"C-E2:\tNeutral;\t(na\xefve [x; y])\n" + head % 1
    label += (
        b" \t[1.0 - 2.0]\tSes01F_impro01_M000\tneu\n"
        b"A-E3:\tval 3; act 2; dom  ;\t()\nA-F1:\tval ; act 2; dom  2;\t()\n[1.0 - 2.0]\tSes01F_impro01_F0\tneu\n"
    )
    first, odd, second, indented, *gaps, damaged = parse_labels(split(label), "Ses01F_impro01")
    assert first == Turn("Ses01F_impro01_F000", 1.0, 2.0, "neu", 5.5, 3.0, 0.5)
    assert odd == Remark("Ses01F_impro01_F000", "label", "line 3 of the label file is not UTF-8, read as Latin-1")
    assert isinstance(second, Turn)
    assert isinstance(indented, Turn)
    assert gaps == [
        Remark("Ses01F_impro01_M000", "label", "rater E3 gives no dominance"),
        Remark("Ses01F_impro01_M000", "label", "rater F1 gives no valence"),
    ]
    assert isinstance(damaged, Rejected)
    assert (damaged.utterance, damaged.reason[:7]) == ("Ses01F_impro01", "line 8 ")
    text = b"Ses01F_impro01_F000 [1-2]: caf\xe9\x85 what\x1cnow?\r\nM: Mm.\n"
    text += b"Ses01F_impro01_MXX0 [1-2]: \nSes01F_impro01 x\n"
    assert list(parse_transcript(split(text), "Ses01F_impro01")) == [
        ("Ses01F_impro01_F000", "caf\u00e9\u2026 what now?"),
        Remark("Ses01F_impro01_F000", "transcript", "line 1 is not UTF-8, read as Latin-1"),
        ("Ses01F_impro01_MXX0", ""),
        Remark("Ses01F_impro01", "transcript", "line 4 begins like a turn but is none, passed over"),
    ]


@given(st.binary(max_size=300))
def test_parsers_take_any_bytes(content: bytes) -> None:
    assert turns(content) == [] or b"Ses0" in content
    assert b"Ses" in content or not any(isinstance(item, tuple) for item in parse_transcript(split(content), "file"))


PIECES = [
    "[",
    "]",
    "]:",
    "\t",
    " ",
    "-",
    "1.5",
    "9" * 12,
    ".",
    "neu",
    "Ses01F_impro01_F000",
    "Ses05M_script01_1b_MXX0",
    "\n",
    "\r",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40))
def test_parsers_take_any_arrangement_of_their_own_pieces(pieces: list[str]) -> None:
    content = "".join(pieces).encode("utf-8", "surrogatepass")
    assert all(math.isfinite(turn.start) and math.isfinite(turn.end) for turn in turns(content))
    for item in parse_transcript(split(content), "file"):
        assert isinstance(item, Remark) or not set("\r\n\t") & set(item[1])


@given(st.floats(0, 9999), st.floats(0, 9999), st.sampled_from("FM"), st.integers(0, 999))
def test_label_line_round_trip(start: float, end: float, who: str, number: int) -> None:
    name = f"Ses03M_impro08b_{who}{number:03d}"
    (turn,) = turns(f"[{start:.4f} - {end:.4f}]\t{name}\tfru\t[2.5000, 2.5000, 2.5000]\r\n".encode())
    assert (turn.utterance, turn.code, turn.speaker, turn.dialogue) == (name, "fru", f"3{who}", "Ses03M_impro08b")
    assert (turn.start, turn.end) == (float(f"{start:.4f}"), float(f"{end:.4f}"))


@pytest.mark.parametrize("piece", ["[", "[1.5 - ", "Ses01F_impro01_F000 [", "Ses01F_", " ", "\t", "1", "]:"])
def test_endless_lines_take_a_moment(piece: str) -> None:
    began = time.process_time()
    for start in ("[1", "A-E1:\tval "):
        list(parse_labels([Line(start + piece * 1_000_000, True)], "file"))
    list(parse_transcript([Line("Ses01F_impro01_F000 " + piece * 1_000_000, True)], "file"))
    assert time.process_time() - began < 2
