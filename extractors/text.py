"""Verb `text`: hidden states of a BERT-family encoder, one row per word piece, [CLS] and [SEP] included."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from extractors import device, encoders, shard, vocabulary
from extractors.batches import averaged, batches
from extractors.console import LOG
from extractors.distinct import Distinct
from extractors.encoders import Batch, Encoder
from extractors.files import UserError
from extractors.hashing import Hashing
from extractors.settings import TextEncoder, parse

CHUNK = 256
CPU_TOKENS, CPU_WASTE = 512, 0.1
"""A CPU is quickest with batches of at most so many word pieces, and so little padding."""
EXACT = (
    "albert", "bert", "camembert", "data2vec-text", "deberta", "deberta-v2", "distilbert", "electra", "ernie",
    "modernbert", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl",
)  # fmt: skip
"""Types of model whose features do not depend on padding behind the text, given the attention mask."""
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


class Coder(shard.Described, Protocol):
    """What encodes texts."""

    @property
    def packages(self) -> Sequence[str]: ...

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]: ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the text features of one session."""
    settings = parse("encoders.text", args.settings, TextEncoder)
    rows = shard.rows(args)
    place: Any
    encoder: Coder
    if settings.model == "hashing":
        encoders.no_weights("encoders.text", settings)
        place, encoder = SimpleNamespace(type="cpu"), Hashing(settings.max_tokens)
    else:
        place = device.start(args, settings.precision)
        encoder = Texts(encoders.load("text", settings, args.encoders, place), settings)
        encoder.survey([row.text for row in rows])
    chunks = shard.chunks(([row] for row in rows), CHUNK)
    run = shard.Run(args, "text", settings, encoder, place, encoder.packages, chunks)
    for part in run.pending():
        for index, values in encoder.encode([row.text for row in part.rows]):
            part.add(part.rows[index].utterance, averaged(values, settings.average))
        part.seal()
    run.join()
    if isinstance(encoder, Texts):
        LOG.info("peak memory %s", device.peak_memory(place))


class Texts:
    """A pretrained encoder of texts, each (tokens, dim), in padded batches of at most `batch_tokens`."""

    packages = PACKAGES

    def __init__(self, encoder: Encoder, settings: TextEncoder) -> None:
        self.name, self.dim, self.weights_sha256 = encoder.name, encoder.dim, encoder.weights_sha256
        self._encoder, self._max_tokens = encoder, settings.max_tokens
        self._what = f"encoders.text.model: {encoder.name}"
        self._distinct = Distinct(self._what)
        self._batch_tokens, waste = settings.batch_tokens, 1.0
        if encoder.device.type == "cpu":
            self._batch_tokens, waste = min(settings.batch_tokens, CPU_TOKENS), CPU_WASTE
        self._waste = waste if encoder.model.config.model_type in EXACT else 0.0
        self._masked = "attention_mask" in inspect.signature(encoder.model.forward).parameters

    def survey(self, texts: Sequence[str]) -> None:
        """UserError when most words of a corpus are unknown; see `vocabulary.survey`."""
        vocabulary.survey(self._encoder.processor, texts, self._max_tokens, self._what)

    def encode(self, texts: Sequence[str]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Pairs of an index into `texts` and its features, longest texts first.

        UserError when a text is longer than the encoder's position table, or when features do not depend on texts.
        """
        pieces = self._pieces(texts)
        lengths = [len(ids) for ids in pieces["input_ids"]]
        self._check(max(lengths, default=0))
        found = batches(lengths, self._batch_tokens, self._waste)
        for batch, hidden in self._encoder.encode(self._inputs(pieces, batch) for batch in found):
            for row, index in enumerate(batch):
                self._distinct.add(str(pieces["input_ids"][index]).encode(), hidden[row, : lengths[index]])
                yield index, hidden[row, : lengths[index]].copy()
        self._distinct.check()

    def _pieces(self, texts: Sequence[str]) -> dict[str, list[list[int]]]:
        """What the model reads, for each text: numbers of word pieces, and types of tokens if it has them."""
        found = self._encoder.processor(list(texts), truncation=True, max_length=self._max_tokens, padding=False)
        return {name: values for name, values in found.items() if name != "attention_mask"}

    def _check(self, longest: int) -> None:
        config = self._encoder.model.config
        limit = min(self._encoder.processor.model_max_length, getattr(config, "max_position_embeddings", longest))
        embeddings: Any = getattr(self._encoder.model, "embeddings", None)
        positions: Any = getattr(embeddings, "position_embeddings", None)
        if (padding := getattr(positions, "padding_idx", None)) is not None:  # RoBERTa counts from behind it
            limit = min(limit, positions.num_embeddings - padding - 1)
        if longest > limit:
            raise UserError(
                f"encoders.text.max_tokens: a text has {longest} word pieces, {self.name} reads {limit}; set {limit}"
            )

    def _inputs(self, pieces: dict[str, list[list[int]]], batch: list[int]) -> Batch:
        import torch

        rows = {name: [torch.tensor(values[index]) for index in batch] for name, values in pieces.items()}
        if self._masked:
            rows["attention_mask"] = [torch.ones_like(ids) for ids in rows["input_ids"]]
        fill = {"input_ids": self._encoder.processor.pad_token_id or 0}
        pad = torch.nn.utils.rnn.pad_sequence
        return batch, {name: pad(values, True, fill.get(name, 0)) for name, values in rows.items()}
