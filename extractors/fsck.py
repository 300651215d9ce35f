"""Verb `fsck`: are these feature stores whole, undamaged and in agreement with their manifest?"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from extractors.console import counter
from extractors.files import UserError, sha256
from extractors.manifest import read_manifest
from extractors.store import FeatureStore

FIX = "delete it and run again"
MOST = 10
"""Lines about one store."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("stores", nargs="+", type=Path, metavar="STORE.h5", help="feature stores")
    parser.add_argument("--manifest", type=Path, help="manifest.csv that the stores have to hold, in its order")


def main(args: argparse.Namespace) -> None:
    """Look at every store; UserError lists what is wrong with any, one line each."""
    wrong: list[str] = []
    for path in args.stores:
        try:
            with FeatureStore(path) as store, counter(f"fsck {path.name}", "utterance", len(store.ids)) as count:
                found = [*damage(store, count.update), *(differences(store, args.manifest) if args.manifest else ())]
                size = path.stat().st_size / 1e6
                about = f"{len(store.ids)} utterances, {store.offsets[-1]} frames, {size:.1f} MB, CRC verified"
        except UserError as error:
            found = [str(error)]
        wrong += found[:MOST]
        if len(found) > MOST:
            wrong.append(f"{path}: and {len(found) - MOST} lines more like these; {FIX}")
        if not found:
            print(f"{path}: ok: {about}", flush=True)
    if wrong:
        raise UserError("\n".join(wrong))


def damage(store: FeatureStore, tick: Callable[[], object]) -> Iterator[str]:
    """What is wrong with the content of an open store, one line each; `tick` is called after every utterance."""
    for name in store.ids:
        try:
            item = store[name]
        except UserError as error:
            yield str(error)
        else:
            if not np.isfinite(item.values).all():
                yield f"{store.path}: {name} has features that are not finite; {FIX}"
            if item.values[~item.valid].any():
                yield f"{store.path}: {name} has features in a frame that is not valid; {FIX}"
            if (len(item.values) == 0) != (name in store.problems):
                yield f"{store.path}: {name} needs features or a reason, not both; {FIX}"
        tick()
    if extra := sorted(store.problems.keys() - set(store.ids)):
        yield f"{store.path}: a reason for {extra[0]}, which is not in it; {FIX}"


def differences(store: FeatureStore, manifest: Path) -> Iterator[str]:
    """What a store has in another way than the manifest, one line each."""
    have, want = store.attributes.get("manifest_sha256"), sha256(manifest)
    if have != want:
        yield f"{store.path}: made from a manifest of hash {have}, {manifest} has {want}; {FIX}"
    names = [row.utterance for row in read_manifest(manifest)]
    if store.ids != names:
        kinds = {"lacks": set(names) - set(store.ids), "has in addition": set(store.ids) - set(names)}
        ways = [f"{how} {len(group)} utterances (such as {min(group)})" for how, group in kinds.items() if group]
        how = " and ".join(ways) or "has the utterances in another order"
        yield f"{store.path}: unlike {manifest}, it {how}; {FIX}"
