from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from extractors.corpora.lines import Line, split
from extractors.corpora.msp_improv_labels import UTTERANCE, Clip, parse_evaluation, parse_rater, session
from tests.extractors.corpora.msp_tree import FIRST, LACKING, RATER, SECOND, THIRD, VALUES, block


def clip(name: str, letter: str) -> Clip:
    return Clip(None, 1.0, None, 2.0, name, letter, (), 0, True)


def test_a_clip_is_named_by_its_actor_and_not_by_the_pair() -> None:
    one = clip("MSP-IMPROV-S07H-M03-P-FM12", "S")
    assert (one.speaker, session(one.utterance), one.scenario, one.dialogue, one.label) == (
        "3M",
        "3",
        "P",
        "S07H-3",
        "sad",
    )
    assert one.lacking == ["activation", "dominance"]
    assert [clip("MSP-IMPROV-S07H-M03-P-FM12", letter).label for letter in "AHNSOX"] == [
        "angry",
        "happy",
        "neutral",
        "sad",
        "",
        "",
    ]


def test_an_evaluation_file_as_in_the_release() -> None:
    text = block(FIRST, "A") + block(SECOND, "H", [RATER, RATER]) + block(THIRD, "N", []).rstrip("\n")
    clips, *others = parse_evaluation(split(text.encode()))
    assert [(clip.utterance, clip.letter, len(clip.raters)) for clip in clips] == [
        (FIRST, "A", 5),
        (SECOND, "H", 2),
        (THIRD, "N", 0),
    ]
    assert (others, {clip.damaged for clip in clips}) == ([[], []], {0})
    one = clips[0].raters[1]
    assert (one.rater, one.primary, one.secondary) == ("W_c4_5", "Other", "bored; a bit [tense]; A:?")
    assert (one.activation, one.valence, one.dominance, one.naturalness) == (3.0, 2.0, 1.0, 5.0)
    for same in (
        text + "\n",
        text + "\n\n\n",
        text.replace("\n", "\r\n"),
        "\ufeff" + text.replace("UTD-", "MSP-"),
        text.replace("\n\n", "\n"),
        text.replace("\n\n", "\n \t\n"),
        text.replace("; ", ";").replace(" ;", ";"),
        text.replace("A:", " A:").replace("UTD-", " UTD-"),
    ):
        again = parse_evaluation(split(same.encode()))
        assert [(clip.utterance, clip.letter) for clip in again[0]] == [(FIRST, "A"), (SECOND, "H"), (THIRD, "N")]
        assert [clip.lacking for clip in again[0]] == [[], [], []]
        assert again[1:] == ([], [])
        assert [len(clip.raters) for clip in again[0]] == [5, 2, 0]


def test_lines_of_no_clip_have_their_numbers() -> None:
    text = f"Title\n\n{block(FIRST, 'A')}UTD-IMPROV-S01A\n{RATER}\n {SECOND}; 7;\n{block(SECOND, 'H', [])}\n\n{RATER}"
    clips, damaged, strays = parse_evaluation(split(text.encode()))
    lines = text.split("\n")
    assert [clip.utterance for clip in clips] == [FIRST, SECOND]
    assert [lines[number - 1] for number in damaged] == ["UTD-IMPROV-S01A", f" {SECOND}; 7;"]
    assert strays == [1, damaged[0] + 1, len(lines)]


FREE = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=60)
VALUE = st.one_of(st.none(), st.floats(1, 5).map(lambda value: round(value, 6)))


def written(value: float | None) -> str:
    return "NaN" if value is None else f"{value:.6f}"


@example("W_1", "bored;", [1.0, 2.0, None, 5.0])
@given(st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True), FREE, st.lists(VALUE, min_size=4, max_size=4))
def test_rater_lines_come_back(who: str, free: str, values: list[float | None]) -> None:
    tail = "; ".join(f"{name}:{written(value)}" for name, value in zip("AVDN", values, strict=True))
    rater = parse_rater(f"{who}; Sad; {free}; {tail};")
    assert rater is not None
    assert [rater.activation, rater.valence, rater.dominance, rater.naturalness] == values
    assert (rater.rater, rater.primary, rater.secondary) == (who, "Sad", free.strip())


PIECES = [
    *(
        FIRST,
        f"UTD{FIRST[3:]}.avi",
        "UTD-IMPROV-",
        "; ",
        ";",
        " A",
        " H;",
        "\n",
        "\n\n",
        "\r\n",
        "A:",
        "V:NaN;",
        "D:3.0",
    ),
    *(VALUES, RATER, LACKING, " ;", "\t", "\xe9", "\u2028", "-1", "9" * 30, block(FIRST, "H"), block(SECOND, "X", [])),
]


@given(st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(PIECES)).map(lambda parts: "".join(parts).encode())))
def test_no_line_is_lost_and_no_bytes_are_too_odd(content: bytes) -> None:
    lines = split(content)
    clips, damaged, strays = parse_evaluation(lines)
    parts = sum(1 + len(clip.raters) + clip.damaged for clip in clips)
    assert parts + len(damaged) + len(strays) == sum(bool(line.text.strip()) for line in lines)
    for number in damaged:
        assert lines[number - 1].text.lstrip().startswith(("UTD-IMPROV-", "MSP-IMPROV-"))
    for clip in clips:
        assert re.fullmatch(UTTERANCE, clip.utterance)


@pytest.mark.parametrize(
    "endless",
    [
        lambda n: f"UTD{FIRST[3:]}.avi" + " " * n,
        lambda n: f"UTD{FIRST[3:]}.avi; A;" + "A:" * n,
        lambda n: f"UTD{FIRST[3:]}.avi; A; A:3.0; V:" + "1" * n,
        lambda n: "UTD-IMPROV-" * n,
        lambda n: "W_1; Sad" + ";" * n + VALUES,
        lambda n: "W_1; Sad; " + VALUES * n,
        lambda n: "A:1; V:2; D:" * n,
        lambda n: " " * n + "x",
        lambda n: "W" * n,
    ],
)
def test_endless_lines_take_no_time(endless: Callable[[int], str]) -> None:
    lines = [Line(f"UTD{FIRST[3:]}.avi; A; {VALUES}", True), Line(endless(1_000_000), True), Line(RATER, True)]
    begin = time.process_time()
    clips, *_ = parse_evaluation(lines)
    assert time.process_time() - begin < 1
    assert clips[0].letter == "A"
