"""Several feature stores of one modality as one: the parts of a run, and the shards of all sessions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from extractors.console import LOG, progress
from extractors.files import UserError
from extractors.store import FeatureStore, Frames, write_store

OWN = {"problems", "format", "run"}
"""Attributes that may differ between stores, or that the store writes itself."""


def join(paths: Sequence[Path], names: Sequence[str], expected: Mapping[str, str], manifest: Path, out: Path) -> None:
    """Publish at `out` the features of `names`, in that order, which `manifest` lists.

    The stores have to hold exactly these utterances, and to agree with each other and with `expected` in all attributes
    but `OWN`; the result has those and `expected`. Every checksum is verified, one store is open at a time. UserError
    names the file that does not fit and the fix.
    """
    stores = []
    for path in paths:
        with FeatureStore(path) as store:
            stores.append(store)
    _agree(stores, expected)
    home = _place(stores, names, manifest)
    attributes = {key: value for key, value in stores[0].attributes.items() if key not in OWN} | dict(expected)
    problems = {name: home[name].problems[name] for name in names if name in home[name].problems}
    lengths = [home[name].length(name) for name in names]
    modality = attributes["modality"]
    items = progress(_items(paths), f"join {modality}", "utterance", len(names))
    write_store(out, stores[0].dim, items, lengths, problems, attributes, stores[0].dtype, names)
    LOG.info("%s: %d utterances, %d without %s features", out, len(names), len(problems), modality)


def _items(paths: Sequence[Path]) -> Iterator[tuple[str, Frames]]:
    for path in paths:
        with FeatureStore(path) as store:
            for name in store.ids:  # one by one: several at once take more memory
                yield name, store[name]


def _agree(stores: Sequence[FeatureStore], expected: Mapping[str, str]) -> None:
    first = stores[0]
    for store in stores:
        wanted = {**first.attributes, **expected}
        for key in sorted((wanted.keys() | store.attributes.keys()) - OWN):
            have, want = store.attributes.get(key), wanted.get(key)
            if have != want:
                raise UserError(f"{store.path}: {key} is {have}, expected {want}; delete it and run again")
        if (store.dim, store.dtype) != (first.dim, first.dtype):
            raise UserError(
                f"{store.path}: {store.dim} {store.dtype} features a frame, {first.path} has {first.dim} {first.dtype};"
                " delete both and run again"
            )


def _place(stores: Sequence[FeatureStore], names: Sequence[str], manifest: Path) -> dict[str, FeatureStore]:
    """The store of each utterance."""
    home: dict[str, FeatureStore] = {}
    for store in stores:
        for name in store.ids:
            if name in home:
                raise UserError(f"{store.path}: {name} is also in {home[name].path}; delete one of them and run again")
            home[name] = store
            empty = store.length(name) == 0
            if empty != (name in store.problems):
                raise UserError(f"{store.path}: {name} needs features or a reason, not both; delete it and run again")
    known = set(names)
    if extra := sorted(home.keys() - known):
        raise UserError(f"{home[extra[0]].path}: {extra[0]} is not in {manifest}; delete it and run again")
    if missing := sorted(known - home.keys()):
        raise UserError(
            f"{manifest}: no shard has {missing[0]} ({len(missing)} missing); name the shards of all sessions"
        )
    return home
