"""Verb `text`: last hidden states of a BERT-family encoder, one row per word piece, [CLS] and [SEP] included."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from extractors import device, shard
from extractors.console import progress
from extractors.encoders import Encoder, load
from extractors.files import UserError
from extractors.settings import TextEncoder, parse

BATCH = 32
PACKAGES = ("torch", "transformers", "tokenizers", "numpy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    shard.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Write the text features of one session."""
    settings = parse("encoders.text", args.settings, TextEncoder)
    rows = shard.rows(args)
    encoder = load("text", settings.model, settings.revision, device.start(args))
    out = shard.Shard("text", encoder.model.config.hidden_size)
    features = encode([row.text for row in rows], encoder, settings.max_tokens)
    for index, values in progress(features, "text", "utterance", len(rows)):
        out.add(rows[index].utterance, values)
    names = [row.utterance for row in rows]
    out.write(args, names, settings, encoder.name, encoder.weights_sha256, PACKAGES)


def encode(texts: Sequence[str], encoder: Encoder, max_tokens: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Pairs of an index into `texts` and its features (tokens, dim), shortest texts first.

    Only texts of equal length share a batch, so there is no padding that a result could depend on. UserError when a
    text is longer than the encoder's position table.
    """
    import torch

    pieces: list[list[int]] = [
        encoder.processor(text, truncation=True, max_length=max_tokens, padding=False)["input_ids"] for text in texts
    ]
    longest = max(map(len, pieces), default=0)
    limit = min(encoder.processor.model_max_length, getattr(encoder.model.config, "max_position_embeddings", longest))
    if longest > limit:
        raise UserError(
            f"encoders.text.max_tokens: a text has {longest} word pieces, {encoder.name} reads {limit}; set {limit}"
        )
    order = sorted(range(len(texts)), key=lambda index: len(pieces[index]))
    for _, group in groupby(order, key=lambda index: len(pieces[index])):
        alike = list(group)
        for start in range(0, len(alike), BATCH):
            batch = alike[start : start + BATCH]
            ids = torch.tensor([pieces[index] for index in batch], device=encoder.device)  # (batch, tokens)
            with torch.inference_mode():
                hidden = encoder.model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
            yield from zip(batch, hidden.cpu().numpy(), strict=True)
