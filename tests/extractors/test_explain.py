from __future__ import annotations

from typing import Any

import pytest
import yaml

from cmarr.config import parse
from extractors.explain import leading_zeros
from extractors.files import UserError
from extractors.settings import Table


def of_table(keys: str) -> str:
    """A configuration with one table."""
    return f"corpora: {{c: {{type: table, root: x, {keys}}}}}"


CORPORA = of_table("origin: release")
KEYS = "needs keys with values below it, such as"
PYDANTIC = (
    "Input should be a valid",
    "Field required",
    "pattern",
    "tuple",
    "dictionary",
    "Value error",
    "Extra inputs",
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "corpora: is missing; give one or more, such as `iemocap: {type: iemocap, root: /data/IEMOCAP_full"),
        ("corpora:", f"corpora: {KEYS} `iemocap: {{type: iemocap, root: "),
        ("corpora: {}", "corpora: none is given; give one or more, such as `iemocap: {type: iemocap, root: "),
        ("corpora: {c: x}", f"corpora.c: {KEYS} `type: table` (got 'x')"),
        ("corpora: {c: {type: table}}", "corpora.c.root: is missing"),
        ("corpora: {I-1: {type: iemocap, root: x}}", "corpora.I-1: a name has small letters, digits and underscores"),
        ("corpora: {c: {type: table, root: 3}}", 'corpora.c.root: write it in quotation marks, "3" (got 3)'),
        ("corpora: {c: {type: table, root: }}", "corpora.c.root: is empty; write a word"),
        ("corpora: {c: {type: table, root: [a]}}", "corpora.c.root: write one word instead of a list or keys"),
        (
            of_table("classes: [no, sad, joy]"),
            "corpora.c.classes.0: YAML reads no, off and false as false; put the word",
        ),
        (of_table("classes: [no, sad]"), 'put the word in quotation marks, such as "no"'),
        (of_table("classes: [sad, on]"), "classes.1: YAML reads yes, on and true as true; put the word in quotation"),
        (of_table("classes: sad"), "corpora.c.classes: write a list, such as [sad] (got 'sad')"),
        (of_table("classes: [sad]"), "corpora.c.classes: needs at least 2 items, has 1"),
        (of_table("classes: [sad, -1]"), "corpora.c.classes.1: a class begins with a letter or digit"),
        (
            of_table("classes: [sad, Sad]"),
            "corpora.c.classes: each class comes once; case and blanks make no difference",
        ),
        (of_table("sessions: []"), "corpora.c.sessions: needs at least 1 item, has 0"),
        (of_table("sessions: 3"), "corpora.c.sessions: write a list, such as [3] (got 3)"),
        (of_table("sessions: [2024-01-02]"), 'corpora.c.sessions.0: write it in quotation marks, "2024-01-02"'),
        (f"{CORPORA}\nseeds: 3", "seeds: write a list, such as [3] (got 3)"),
        (f"{CORPORA}\nresults: my results", "results: a folder has letters, digits and . / - _ but no blanks, such as"),
        (f"{CORPORA}\nencoders: {{text: {{sha256: abc}}}}", "encoders.text.sha256: a SHA-256 has 64 digits"),
        (f"{CORPORA}\nencoders: bert", f"encoders: {KEYS} `key: value`"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(yaml.safe_load(text) or {})
    message = str(caught.value)
    assert message.startswith("configuration: ")
    assert said in message
    assert "\n" not in message
    assert not [word for word in PYDANTIC if word in message]


@pytest.mark.parametrize(
    ("given", "sessions"), [([1, 2, 3], ("1", "2", "3")), (["01", 2], ("01", "2")), ([1.5], ("1.5",))]
)
def test_numbers_are_names_where_yaml_reads_them_as_numbers(given: list[Any], sessions: tuple[str, ...]) -> None:
    content = {"corpora": {"c": {"type": "table", "root": "x", "sessions": given, "classes": [0, 1]}}}
    corpus = parse(content).corpora["c"]
    assert isinstance(corpus, Table)
    assert (corpus.sessions, corpus.classes) == (sessions, ("0", "1"))


def test_kinds_that_are_rare_keep_their_words() -> None:
    with pytest.raises(UserError, match=r"policy.shortest_seconds: Input should be greater than or equal to 0.025"):
        parse({"corpora": {"c": {"type": "table", "root": "x", "policy": {"shortest_seconds": 0}}}})


@pytest.mark.parametrize(("asked", "known"), [("1", "01"), ("8", "010"), ("10", "010"), ("8", "08")])
def test_names_with_leading_zeros_need_quotation_marks(asked: str, known: str) -> None:
    assert leading_zeros([asked], ["x", known]) == (
        f'; put those with a leading zero in quotation marks, such as "{known}"'
    )
    assert leading_zeros(["12"], ["x", known, "0"]) == ""
