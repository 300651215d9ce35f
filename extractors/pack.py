"""Verb `pack`: the shards of one modality as one store in the order of the manifest, and what it lacks."""

from __future__ import annotations

import argparse
from pathlib import Path

from extractors.files import sha256, write_csv
from extractors.join import join
from extractors.manifest import read_manifest
from extractors.shard import ORIGINS
from extractors.store import FeatureStore


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
    expected = {"manifest_sha256": sha256(args.manifest), "origin": args.origin}
    join(args.shards, names, expected, args.manifest, args.out)
    with FeatureStore(args.out) as store:
        rows = [
            {"utterance": name, "stage": store.attributes["modality"], "reason": reason, "origin": args.origin}
            for name, reason in store.problems.items()
        ]
    write_csv(args.rejected, ("utterance", "stage", "reason", "origin"), rows)
