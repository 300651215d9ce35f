from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import RobertaTokenizer

from extractors import encoders, text
from extractors.files import UserError
from extractors.settings import TextEncoder
from tests.extractors.conftest import LETTERS

pytestmark = pytest.mark.usefixtures("one_thread")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), "."]


def load(folder: Path, max_tokens: int = 60) -> text.Texts:
    settings = TextEncoder(model=str(folder), max_tokens=max_tokens)
    return text.Texts(encoders.load("text", settings, Path("nothing"), torch.device("cpu")), settings)


def refused(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        load(folder)
    message, start = str(caught.value), f"encoders.text.model: {folder}"
    assert message.startswith(start)
    assert "\n" not in message
    return message.removeprefix(start)


def remake(source: Path, to: Path, words: list[str] | None = None, config: dict[str, Any] | None = None) -> Path:
    """A copy of a checkpoint without tokenizer.json, with vocab.txt and tokenizer_config.json if given."""
    shutil.copytree(source, to)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (to / name).unlink()
    if words is not None:
        (to / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    if config is not None:
        (to / "tokenizer_config.json").write_text(json.dumps(config))
    return to


def other(words: list[str], **changes: str) -> list[str]:
    return [changes.get(word.strip("[]"), word) for word in words]


@pytest.mark.parametrize(
    ("kind", "files"),
    [
        ("bert", "vocab.txt, or tokenizer.json, is"),
        ("distilbert", "vocab.txt, or tokenizer.json, is"),
        ("roberta", "merges.txt and vocab.json, or tokenizer.json, is"),
        ("xlm-roberta", "sentencepiece.bpe.model, or tokenizer.json, is"),
        ("mpnet", "vocab.txt, or tokenizer.json, is"),
        ("modernbert", "or tokenizer.json, is"),
    ],
)
def test_a_missing_vocabulary_is_named(text_folder: Callable[..., Path], tmp_path: Path, kind: str, files: str) -> None:
    special = dict.fromkeys(("bos_token_id", "cls_token_id"), 2) | {"eos_token_id": 3, "local_attention": 8}
    folder = remake(text_folder(kind, **(special if kind == "modernbert" else {})), tmp_path / kind)
    message = refused(folder)
    assert message.startswith(" has no vocabulary: ")
    assert files in message


def test_half_of_a_vocabulary_in_two_files_names_the_other(text_folder: Callable[..., Path], tmp_path: Path) -> None:
    folder = remake(text_folder("roberta"), tmp_path / "half")
    (folder / "vocab.json").write_text('{"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3}')
    assert refused(folder).startswith(" has no vocabulary: merges.txt, or tokenizer.json, is missing; ")


def test_a_vocabulary_of_another_class_is_none(bert_folder: Path, tmp_path: Path) -> None:
    folder = remake(bert_folder, tmp_path / "mixed", WORDS, {"tokenizer_class": "RobertaTokenizer"})
    assert refused(folder).startswith(" has no vocabulary: merges.txt and vocab.json, or tokenizer.json, is missing; ")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (WORDS[:40], ": its vocabulary has 40 entries, the model 58: it is cut off or of another model; "),
        (WORDS[:-2], ": its vocabulary has 56 entries, the model 58: "),
        ([*WORDS, "one"], ": its vocabulary has 59 entries, the model 58; "),
        ([word for word in WORDS if word != "[CLS]"], ": [CLS] is not in its vocabulary; "),
        ([*WORDS[:3], *WORDS[4:], "x"], ": [SEP] is not in its vocabulary; "),
        (["\ufeff[PAD]", *WORDS[1:]], ": [PAD] is not in its vocabulary; "),
        (
            ["[CLS]", "[SEP]", "[PAD]", "[UNK]", *WORDS[4:]],
            ": its vocabulary is of another model: [PAD] is number 2, in c",
        ),
    ],
)
def test_a_vocabulary_that_is_not_the_models_is_refused(
    bert_folder: Path, tmp_path: Path, words: list[str], expected: str
) -> None:
    assert refused(remake(bert_folder, tmp_path / "other", words)).startswith(expected)


def test_a_missing_unknown_token_is_one_line(bert_folder: Path, tmp_path: Path) -> None:
    assert "[UNK]" in refused(remake(bert_folder, tmp_path / "other", [*WORDS[:1], "x1", *WORDS[2:]]))


def test_a_special_token_that_is_unset_is_named(bert_folder: Path, tmp_path: Path) -> None:
    folder = remake(bert_folder, tmp_path / "unset", WORDS, {"cls_token": None})
    assert refused(folder) == ": its tokenizer_config.json has no cls_token; set it to [CLS]"


def test_a_tokenizer_of_another_family_is_refused(bert_folder: Path, tmp_path: Path) -> None:
    folder = remake(bert_folder, tmp_path / "family")
    special = {"<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4}
    letters = {letter: 5 + index for index, letter in enumerate(LETTERS)}
    RobertaTokenizer(vocab=special | letters, merges=[]).save_pretrained(folder)
    assert refused(folder).startswith(": its vocabulary has 31 entries, the model 58: ")


@pytest.mark.parametrize("rows", [64, 100, 1000])
def test_a_vocabulary_that_was_filled_up_is_whole(text_folder: Callable[..., Path], rows: int) -> None:
    load(text_folder("bert", vocab_size=rows))


@pytest.mark.parametrize("rows", [59, 63, 72, 30522])
def test_one_that_was_not_is_cut_off(text_folder: Callable[..., Path], rows: int) -> None:
    message = refused(text_folder("bert", vocab_size=rows))
    assert message.startswith(f": its vocabulary has 58 entries, the model {rows}: it is cut off")


def test_what_was_fetched_may_be_short(
    text_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Every byte of it is that of the hub."""
    from extractors import hub

    folder = text_folder("bert", vocab_size=59)
    monkeypatch.setattr(encoders, "find", lambda *_: hub.Found(folder, "owner/odd@0123"))
    encoders.load("text", TextEncoder(model="owner/odd"), tmp_path, torch.device("cpu"))


@pytest.mark.parametrize(
    ("lower", "capitals", "expected"),
    [
        (True, True, ": its vocabulary has capitals, its tokenizer lowers them; "),
        (False, False, ": its vocabulary has no capitals, its tokenizer does not lower them; "),
        (True, False, ""),
        (False, True, ""),
    ],
)
def test_case_of_tokenizer_and_vocabulary_agree(
    text_folder: Callable[..., Path], tmp_path: Path, lower: bool, capitals: bool, expected: str
) -> None:
    """A cased vocab.txt alone is read by a tokenizer that lowers: transformers takes that where nothing tells."""
    words = [*WORDS, *(LETTERS.upper() if capitals else (f"{letter}!" for letter in LETTERS))]
    source = text_folder("bert", vocab_size=len(words))
    folder = remake(source, tmp_path / "cased", words, None if lower else {"do_lower_case": False})
    if expected:
        assert refused(folder).startswith(expected)
    else:
        load(folder)


def told(folder: Path, texts: list[str], caplog: pytest.LogCaptureFixture, max_tokens: int = 60) -> list[str]:
    encoder = load(folder, max_tokens)
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        encoder.survey(texts)
    start = f"encoders.text.model: {folder}: "
    return [record.getMessage().removeprefix(start) for record in caplog.records]


def test_texts_in_known_words_are_no_news(bert_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = [
        "hello there.",
        "HELLO there.",
        "h\u00e9llo there.",
        "hello  there.",
        "",
        "\U0001f600",
        "\U0001f602",
        "\u2026",
    ]
    assert told(bert_folder, [*texts, *texts], caplog) == []


def test_texts_that_are_cut_may_be_the_same(bert_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert told(bert_folder, ["hello there you", "hello there we"], caplog, max_tokens=8) == []


def test_only_what_is_read_counts(bert_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    foreign = "привет мир " * 20
    assert told(bert_folder, ["hello " + foreign], caplog, max_tokens=7) == []
    with pytest.raises(UserError, match=r"15 of 17 letters are in words unknown"):
        load(bert_folder, max_tokens=7).survey(["so " + foreign + "hello " * 200])


def test_a_few_unknown_words_are_a_warning(bert_folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    [line] = told(bert_folder, ["he said Привет \U0001f600", *["so it is"] * 30], caplog)
    assert line == "6 of 192 letters are in words unknown to it, such as 'Привет'"


def test_a_corpus_of_unknown_words_is_refused(bert_folder: Path) -> None:
    with pytest.raises(UserError) as caught:
        load(bert_folder).survey(["привет, мир", "пока", "ok"])
    message = str(caught.value)
    assert "13 of 15 letters are in words unknown to it, such as 'привет,', 'мир', " in message
    assert "; give an encoder of this language" in message


def test_texts_that_become_the_same_are_refused_or_a_warning(
    bert_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alike = ["i am рад", "i am зол"]
    with pytest.raises(UserError, match=r"12 of 22 texts are the same to it as texts of other words, such as 'i"):
        load(bert_folder).survey([*alike * 6, *["fine"] * 10])
    assert len(told(bert_folder, [*alike, *["fine"] * 10], caplog)) == 2  # a few are no sign of anything
    caplog.clear()
    assert len(told(bert_folder, [*alike, *["fine"] * 100], caplog)) == 2


def test_a_tokenizer_that_drops_what_it_does_not_know_is_refused(
    text_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """Byte pairs have no unknown word: without its letters a tokenizer of RoBERTa gives no piece at all."""
    folder = remake(text_folder("roberta", vocab_size=8), tmp_path / "empty")
    vocabulary = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "<mask>": 4, "x": 5, "y": 6, "z": 7}
    RobertaTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    with pytest.raises(UserError, match=r"11 of 18 letters are in words unknown to it, such as 'good', "):
        load(folder).survey(["good morning", "lazy dad"])


def test_the_verb_stops_before_it_writes_features_without_words(small: Any, bert_folder: Path) -> None:
    for index, sentence in enumerate(["доброе утро", "плохо"]):
        small.add(f"u{index}", text=sentence)
    with pytest.raises(UserError, match="unknown to it"):
        small.run(text, "text.h5", "--settings", json.dumps({"model": str(bert_folder)}))
    assert not (small.root / "text.h5").exists()
