"""Verb `fetch`: get the encoders of a configuration from the Hugging Face hub once, and verify every byte.

From then on, nothing needs a network. A folder appears when it is complete; what has arrived of one before an
interruption is kept in a draft beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from extractors import experiment, hub, locks
from extractors.checkpoint_files import SMALL, read_index
from extractors.console import LOG
from extractors.convert import convert_folder, converted
from extractors.files import UserError, publish, sha256, write_json
from extractors.settings import Pretrained

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoSibling

WEIGHTS = (("model", ".safetensors"), ("pytorch_model", ".bin"))
"""Stem and ending of files of weights, the better kind first."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--config", required=True, type=Path, help="configuration, such as config.yaml")
    parser.add_argument("--dry-run", action="store_true", help="only ask the hub what there is to get")


def main(args: argparse.Namespace) -> None:
    """Get the text and the speech encoder, unless they are there already, are local folders or have no weights."""
    encoders = experiment.read(args.config).encoders
    for modality in ("text", "speech"):
        settings: Pretrained = getattr(encoders, modality)
        key = f"encoders.{modality}"
        own = hub.local(settings.model, settings.revision, settings.sha256, key)
        if settings.model in hub.WEIGHTLESS or own:
            LOG.info("%s: nothing to fetch for %s", key, settings.model)
        else:
            _provide(Path(encoders.folder), settings, key, args.dry_run)


def _provide(folder: Path, settings: Pretrained, key: str, dry_run: bool) -> None:
    model, revision = settings.model, settings.revision
    place = hub.place(folder, model, revision, key)
    try:
        hub.find(folder, model, revision, key)
    except UserError as problem:
        if place.exists():
            LOG.info("%s", problem)
    else:
        hub.check_pin(model, settings.sha256, hub.record(folder, model, revision, key).weights(), key)
        LOG.info("%s: %s is there already: %s", key, model, place)
        return
    from huggingface_hub import HfApi

    draft = place.with_name(f".{place.name}.draft")
    with _resumable(draft, f"{key}.model: {model}"):
        api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
        with _asking(settings, key):
            info = api.model_info(model, revision=revision, timeout=30, files_metadata=True)
        small, weights = _choose(info.siblings or [], f"{key}.model: {model}")
        size = sum(file.size or 0 for file in small + weights)
        LOG.info("%s: %s at %s: %d files, %.0f MB", key, model, info.sha, len(small + weights), size / 1e6)
        hashes = {file.rfilename: file.lfs.sha256 if file.lfs else "unknown" for file in weights}
        for name, value in hashes.items():
            LOG.info("%s: sha256 of %s: %s", key, name, value)
        hub.check_pin(model, settings.sha256, hashes, key)
        if dry_run:
            return
        with closing(locks.hold(draft, place)):
            for file in small + weights:
                _download(api, draft, settings, key, str(info.sha), file)
            _settle(draft, settings, key, str(info.sha), [file.rfilename for file in small + weights])
            shutil.rmtree(place, ignore_errors=True)
            draft.rename(place)
            (place / locks.NAME).unlink()
    LOG.info("%s: %s is in %s", key, model, place)


def _choose(siblings: Sequence[RepoSibling], what: str) -> tuple[list[RepoSibling], list[RepoSibling]]:
    """Files to get of those on the hub: small ones, and weights in safetensors, else in PyTorch's own format."""
    known = {file.rfilename: file for file in siblings}
    small = [file for name, file in sorted(known.items()) if SMALL.fullmatch(name)]
    if "config.json" not in known:
        raise UserError(f"{what} has no config.json; choose a checkpoint that transformers can load")
    for stem, ending in WEIGHTS:
        if stem + ending in known:
            return small, [known[stem + ending]]
        shard = re.compile(rf"{stem}-\d+-of-\d+{re.escape(ending)}", re.ASCII)
        shards = [file for name, file in sorted(known.items()) if shard.fullmatch(name)]
        if shards and (index := known.get(f"{stem}{ending}.index.json")):
            return [*small, index], shards
    raise UserError(f"{what} has neither safetensors nor weights of PyTorch; choose a checkpoint that has")


def _download(api: HfApi, draft: Path, settings: Pretrained, key: str, commit: str, file: RepoSibling) -> None:
    """Get one file into `draft` if it is not there yet; UserError when its checksum is not the hub's."""
    name, arrivals = file.rfilename, draft / ".arrivals"
    if (draft / name).is_file() and _as_on_hub(draft / name, file):
        return
    with _asking(settings, key):
        api.hf_hub_download(settings.model, name, revision=commit, local_dir=arrivals, cache_dir=arrivals)
    if not _as_on_hub(arrivals / name, file):
        (arrivals / name).unlink()
        raise UserError(f"{key}.model: {name} of {settings.model} arrived damaged (wrong checksum); run fetch again")
    with publish(draft / name) as place:
        (arrivals / name).replace(place)


def _as_on_hub(path: Path, file: RepoSibling) -> bool:
    """Whether the bytes are those that the hub tells: by SHA-256 for large files, by git's object id for others."""
    if file.lfs:
        return sha256(path) == file.lfs.sha256
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == file.blob_id


def _settle(draft: Path, settings: Pretrained, key: str, commit: str, names: Sequence[str]) -> None:
    """Convert what is pickled, leave nothing in `draft` but the checkpoint, and write its record."""
    what = f"{key}.model: {settings.model}"
    pickled = [name for name in names if name.endswith(".bin")]
    for name in names:
        if name.endswith(".index.json"):
            index = read_index(draft / name, what, "choose another revision")
            if not set(index.weight_map.values()) <= set(names):
                raise UserError(f"{what} lacks files that its {name} names; choose another revision")
    if pickled:
        LOG.info("%s: converting %s to safetensors", key, ", ".join(pickled))
        convert_folder(draft, pickled, what)
    kept = {converted(name) for name in names}
    content = hub.Record(
        model=settings.model,
        revision=settings.revision,
        commit=commit,
        files={name: _describe(draft / name) for name in sorted(kept)},
        converted_from={name: _describe(draft / name) for name in pickled},
    )
    for path in draft.iterdir():
        if path.name not in {*kept, locks.NAME}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_json(draft / hub.RECORD, content.model_dump())


def _describe(path: Path) -> hub.File:
    return hub.File(size=path.stat().st_size, sha256=sha256(path))


@contextmanager
def _resumable(draft: Path, model: str) -> Iterator[None]:
    """An interruption, and an error of this machine's own such as a full disk, in one line."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise UserError(f"{model}: interrupted; run it again to go on") from error
    except OSError as error:
        raise UserError(
            f"{error.filename or draft}: {error.strerror or error}; put this right and run it again: "
            "what has arrived is kept"
        ) from error


@contextmanager
def _asking(settings: Pretrained, key: str) -> Iterator[None]:
    """Errors of the hub and of the network in one line; nothing but a call of the hub's library belongs in here."""
    from huggingface_hub import errors

    model = f"{key}.model: {settings.model}"
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise UserError(
            f"{model} cannot be fetched while HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; unset it"
        ) from error
    except errors.GatedRepoError as error:
        raise UserError(f"{model} is gated; accept its terms on the hub and set HF_TOKEN") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(f"{model} is not on the hub, or is private; correct the name or set HF_TOKEN") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{key}.revision: {settings.model} has no {settings.revision}; correct or delete it") from error
    except Exception as error:  # the HTTP library below raises its own types
        if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
            raise  # by the operating system; the library's own have no number
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{model} could not be fetched ({reason}); run it again where the hub can be reached: "
            "what has arrived is kept"
        ) from error
