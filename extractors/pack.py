"""Verb `pack`: the shards of one modality as one store in the order of the manifest, and what it lacks."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from extractors.console import LOG, progress
from extractors.files import UserError, sha256, write_csv
from extractors.manifest import read_manifest
from extractors.shard import ORIGINS
from extractors.store import FeatureStore, Frames, write_store

OWN = ("problems", "format")  # attributes that differ between shards, or that the store writes itself


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--manifest", required=True, type=Path, help="manifest.csv of the corpus")
    parser.add_argument("--out", required=True, type=Path, help="feature store to write")
    parser.add_argument("--rejected", required=True, type=Path, help="CSV of the utterances without features")
    parser.add_argument("--origin", required=True, choices=ORIGINS, help="kind of data")
    parser.add_argument("shards", nargs="+", type=Path, help="feature stores of the sessions")


def main(args: argparse.Namespace) -> None:
    """Check the shards and join them; UserError names the shard that does not fit and the fix."""
    names = [row.utterance for row in read_manifest(args.manifest)]
    with ExitStack() as stack:
        shards = [stack.enter_context(FeatureStore(path)) for path in args.shards]
        agree(shards, sha256(args.manifest), args.origin)
        home = place(shards, names, args.manifest)
        attributes = {key: value for key, value in shards[0].attributes.items() if key not in OWN}
        problems = {name: home[name].problems[name] for name in names if name in home[name].problems}
        modality = str(attributes["modality"])
        items = progress(stream(names, home), f"pack {modality}", "utterance", len(names))
        lengths = [home[name].length(name) for name in names]
        rows = [
            {"utterance": name, "stage": modality, "reason": reason, "origin": args.origin}
            for name, reason in problems.items()
        ]
        write_store(args.out, shards[0].dim, items, lengths, problems, attributes)
        write_csv(args.rejected, ("utterance", "stage", "reason", "origin"), rows)
    LOG.info("%s: %d utterances, %d without %s features", args.out, len(names), len(problems), modality)


def agree(shards: Sequence[FeatureStore], manifest_sha256: str, origin: str) -> None:
    """UserError unless all shards come from this manifest and origin, with one encoder, settings and versions."""
    first = shards[0]
    for shard in shards:
        expected = {**first.attributes, "manifest_sha256": manifest_sha256, "origin": origin}
        for key in sorted((expected.keys() | shard.attributes.keys()) - {"problems"}):
            have, want = shard.attributes.get(key), expected.get(key)
            if have != want:
                raise UserError(f"{shard.path}: {key} is {have}, expected {want}; delete it and run again")
        if shard.dim != first.dim:
            raise UserError(f"{shard.path}: {shard.dim} features a frame, {first.path} has {first.dim}; delete both")


def place(shards: Sequence[FeatureStore], names: Sequence[str], manifest: Path) -> dict[str, FeatureStore]:
    """The shard of each utterance; UserError unless the shards hold exactly the manifest's, each once."""
    home: dict[str, FeatureStore] = {}
    for shard in shards:
        for name in shard.ids:
            if name in home:
                raise UserError(f"{shard.path}: {name} is also in {home[name].path}; delete one of them and run again")
            home[name] = shard
            empty = shard.length(name) == 0
            if empty != (name in shard.problems):
                raise UserError(f"{shard.path}: {name} needs features or a reason, not both; delete it and run again")
    known = set(names)
    if extra := sorted(home.keys() - known):
        raise UserError(f"{home[extra[0]].path}: {extra[0]} is not in {manifest}; delete the shard and run again")
    if missing := sorted(known - home.keys()):
        raise UserError(
            f"{manifest}: no shard has {missing[0]} ({len(missing)} missing); name the shards of all sessions"
        )
    return home


def stream(names: Sequence[str], home: dict[str, FeatureStore]) -> Iterator[tuple[str, Frames]]:
    """Utterances and features in the order of `names`; reading verifies each checksum."""
    for name in names:
        yield name, home[name][name]
