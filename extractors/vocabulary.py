"""Whether a tokenizer is whole and that of its model, and how much of a corpus it knows."""

from __future__ import annotations

import inspect
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from extractors.console import LOG
from extractors.files import UserError

STEPS = (8, 16, 32, 64, 100, 128, 256, 512, 1000, 1024)
"""Vocabularies are filled up to a multiple of one of these, which computes faster."""
MOST_UNKNOWN = 0.5
"""Share of letters in unknown words with which a run stops; names that no vocabulary has are far below it."""
MOST_ALIKE = 0.05
"""Share of texts that cannot be told from another with which a run stops, if they are more than FEW."""
FEW = 10
CHUNK = 1000


def check(tokenizer: Any, model: Any, folder: Path, local: bool, what: str) -> None:
    """UserError, beginning with `what`, unless the vocabulary is there, whole and that of the model.

    Of a `local` folder nobody has compared the files with those of the hub: one that only looks like the vocabulary of
    another model, or cut off, is refused as well.
    """
    names = tokenizer.vocab_files_names
    if not names:  # characters or bytes
        return
    needed = sorted(name for key, name in names.items() if key != "tokenizer_file")
    if not (tokenizer.is_fast and (folder / "tokenizer.json").is_file()):
        lacking = [name for name in needed if not (folder / name).is_file()]
        if len(lacking) == len(needed):
            raise missing(" and ".join(needed), what)
    entries = tokenizer.get_vocab()
    plain = tokenizer.backend_tokenizer.get_vocab(False) if tokenizer.is_fast else entries
    _check_special(tokenizer, {*plain, *_declared(folder)}, what)
    size = 1 + max(entries.values(), default=-1)
    rows = int(model.get_input_embeddings().weight.shape[0])
    copy = "get the files of the tokenizer and config.json from one and the same checkpoint"
    if size > rows:
        raise UserError(f"{what}: its vocabulary has {size} entries, the model {rows}; {copy}")
    if local and not any(-(-size // step) * step == rows for step in (1, *STEPS)):
        raise UserError(
            f"{what}: its vocabulary has {size} entries, the model {rows}: it is cut off or of another model; {copy}, "
            "or give its name on the hub, from where `fetch` gets all of it"
        )
    wanted = json.loads((folder / "config.json").read_bytes()).get("pad_token_id")
    if local and None not in (wanted, tokenizer.pad_token_id) and wanted != tokenizer.pad_token_id:
        raise UserError(
            f"{what}: its vocabulary is of another model: {tokenizer.pad_token} is number {tokenizer.pad_token_id}, in "
            f"config.json {wanted}; {copy}"
        )
    if local:
        _check_case(tokenizer, plain, what)


def missing(names: str, what: str) -> UserError:
    """The error of a folder without a vocabulary."""
    return UserError(f"{what} has no vocabulary: {names or 'vocab.txt'}, or tokenizer.json, is missing; get it, too")


def _declared(folder: Path) -> Iterator[str]:
    """Special tokens to which a file gives a number, beside the vocabulary itself."""
    for name in ("tokenizer.json", "tokenizer_config.json", "added_tokens.json"):
        if (folder / name).is_file():
            content = json.loads((folder / name).read_bytes())
            if name == "tokenizer.json":
                yield from (str(token["content"]) for token in content.get("added_tokens") or ())
            elif name == "tokenizer_config.json":
                yield from (str(token["content"]) for token in (content.get("added_tokens_decoder") or {}).values())
            else:
                yield from content


def _check_special(tokenizer: Any, known: set[str], what: str) -> None:
    """The library gives numbers of its own making to special tokens that are not in the vocabulary."""
    parameters = inspect.signature(type(tokenizer).__init__).parameters
    for name in ("cls_token", "sep_token", "pad_token", "unk_token"):
        token = getattr(tokenizer, name)
        if token is None and isinstance(usual := getattr(parameters.get(name), "default", None), str):
            raise UserError(f"{what}: its tokenizer_config.json has no {name}; set it to {usual}")
        if token is not None and token not in known:
            raise UserError(f"{what}: {token} is not in its vocabulary; get the files of its tokenizer again")


def _check_case(tokenizer: Any, entries: dict[str, int], what: str) -> None:
    """A tokenizer that lowers capitals which its vocabulary has, or keeps those that it does not have."""
    small, large = tokenizer.tokenize("a"), tokenizer.tokenize("A")
    capitals = sum(bool(re.match("[^[<]*[A-Z]", entry)) for entry in entries)
    if small == large != [tokenizer.unk_token] and capitals > len(entries) / 20:
        raise UserError(
            f"{what}: its vocabulary has capitals, its tokenizer lowers them; get the tokenizer_config.json of the "
            'checkpoint, or write one with {"do_lower_case": false}'
        )
    if large == [tokenizer.unk_token] != small and not capitals:
        raise UserError(
            f"{what}: its vocabulary has no capitals, its tokenizer does not lower them; set do_lower_case to true in "
            "tokenizer_config.json"
        )


def survey(tokenizer: Any, texts: Sequence[str], max_tokens: int, what: str) -> None:
    """Log a warning about words of the texts that are unknown to the tokenizer, and texts that are then the same.

    UserError when these are so many that the features do not tell what is said. Signs and emoji do not count, nor does
    what is behind `max_tokens`.
    """
    special = set(tokenizer.all_special_ids)
    unknown: list[str] = []
    letters = 0
    same: dict[tuple[int, ...], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for start in range(0, len(texts), CHUNK):
        part = list(texts[start : start + CHUNK])
        found = tokenizer(part, truncation=True, max_length=max_tokens, padding=False)["input_ids"]
        for text, ids in zip(part, found, strict=True):
            if not _words(text):
                continue
            cut = len(ids) >= max_tokens
            lost: list[str] = []
            if tokenizer.is_fast and (cut or tokenizer.unk_token_id in ids):
                text, lost = _read(tokenizer, text, max_tokens)
            if special.issuperset(ids):
                lost = text.split()
            unknown += filter(_words, lost)
            letters += len(_words(text))
            if not cut:
                same[tuple(ids)][_words(text)].append(text)
    _judge(
        unknown, sum(map(len, map(_words, unknown))), letters, "letters are in words unknown to it", MOST_UNKNOWN, what
    )
    groups = [group for group in same.values() if len(group) > 1]
    alike = [text for group in groups for members in group.values() for text in members]
    _judge(alike, len(alike), len(texts), "texts are the same to it as texts of other words", MOST_ALIKE, what, FEW)


def _judge(found: Sequence[str], count: int, total: int, trouble: str, most: float, what: str, least: int = 0) -> None:
    if not found:
        return
    examples = ", ".join(repr(text[:40]) for text in list(dict.fromkeys(found))[:3])
    line = f"{what}: {count} of {total} {trouble}, such as {examples}"
    if count > max(most * total, least):
        raise UserError(f"{line}; give an encoder of this language, and with the whole files of its tokenizer")
    LOG.warning("%s", line)


def _words(text: str) -> str:
    """Letters and digits of a text, without case and accents, which many encoders do not look at."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text).casefold() if sign.isalnum())


def _read(tokenizer: Any, text: str, max_tokens: int) -> tuple[str, list[str]]:
    """What of a text is read, up to where it is cut, and the words in there that have no word piece."""
    found = tokenizer(text, truncation=True, max_length=max_tokens, return_offsets_mapping=True)
    spans = found["offset_mapping"]
    unknown = [
        text[start:end]
        for number, (start, end) in zip(found["input_ids"], spans, strict=True)
        if number == tokenizer.unk_token_id
    ]
    return text[: max(end for _, end in spans)], unknown
