"""Verb `plan`: time and disk that stage 1 takes for the corpora of a configuration, from rates measured here.

A corpus whose manifest is there already is counted; of one of the two releases that is not, the published size is
taken. Rates come from the verbs themselves on a small generated corpus, in one process. They can be saved and shown
beside those of another machine.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from extractors import device, experiment, hub
from extractors.console import LOG
from extractors.corpora import Utterance
from extractors.files import UserError, inside, read_json, write_json
from extractors.manifest import read_manifest
from extractors.rates import SECONDS, Film, measure, pieces, stand_in
from extractors.settings import AnyCorpus, Encoders, MspImprov, Pretrained

if TYPE_CHECKING:
    import torch

MODALITIES = ("text", "speech", "video")
SIZES = {"cpu": {"text": (64, 512), "speech": (2, 12), "video": (1, 5)}}
SIZES["cuda"] = {"text": (512, 16384), "speech": (64, 512), "video": (4, 24)}
UNITS = {"text": "wp", "speech": "s", "video": "s"}
STAND_IN = {"text": "BERT-base", "speech": "wav2vec2-base"}


@dataclass(frozen=True)
class Amount:
    """What there is to encode: word pieces, seconds of speech and of film looked at."""

    utterances: int
    pieces: float
    seconds: float
    film: Film
    basis: str

    def units(self, modality: str) -> float:
        return self.pieces if modality == "text" else self.seconds


IEMOCAP = Amount(5531, 5531 * 17.9, 5531 * 4.55, Film(720, 480, "30000/1001", "left"), "published size")
"""Four classes; mean length and mean number of word pieces computed from public lists, and 2 special ones."""
MSP_CLIP = Film(1440, 1080, "60000/1001", "full")
MSP_IMPROV = {
    subset: Amount(count, count * 17.9, count * 4.55, MSP_CLIP, "published count; lengths assumed to be IEMOCAP's")
    for subset, count in (("mmin", 3819), ("all", 7798))
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--config", required=True, type=Path, help="configuration, such as config.yaml")
    parser.add_argument("--save", type=Path, metavar="JSON", help="keep the measured rates, for --beside elsewhere")
    parser.add_argument(
        "--beside", type=Path, action="append", default=[], metavar="JSON", help="rates saved elsewhere"
    )
    device.add_arguments(parser)
    parser.set_defaults(threads=os.cpu_count() or 1)


def main(args: argparse.Namespace) -> None:
    """Print the table; UserError when a corpus is neither there nor published, or a file of rates is foreign."""
    found = experiment.read(args.config)
    amounts = {name: amount(Path(found.results), name, corpus) for name, corpus in found.corpora.items()}
    place = device.start(args)
    here = {"machine": _machine(place, args.threads), "rates": _rates(amounts, found.encoders, place.type, args)}
    if args.save:
        write_json(args.save, here)
    for line in table(amounts, [here, *map(read_json, args.beside)]):
        print(line)
    if place.type == "cpu" and not args.beside:
        print(
            "GPU: not measured, there is none here; run this with --save on a machine that has one, and --beside here"
        )


def amount(results: Path, name: str, corpus: AnyCorpus) -> Amount:
    """What the corpus' manifest lists, or its published size."""
    manifest = results / "corpora" / name / "manifest.csv"
    if manifest.is_file():
        rows = read_manifest(manifest)
        seconds = sum(_seconds(Path(corpus.root), row) for row in rows)
        film = _film(Path(corpus.root), rows)
        return Amount(len(rows), sum(pieces(row.text) for row in rows), seconds, film, str(manifest))
    if isinstance(corpus, MspImprov):
        return MSP_IMPROV[corpus.subset]
    if corpus.type == "iemocap":
        return IEMOCAP
    raise UserError(f"{manifest} is missing, and {name} has no published size; run `snakemake {manifest}` first")


def _seconds(root: Path, row: Utterance) -> float:
    """Length of an utterance: of its span of sound, its sound file or its film, else the mean of IEMOCAP."""
    import soundfile

    if row.audio_end is not None:
        return row.audio_end - (row.audio_start or 0.0)
    try:
        return float(soundfile.info(str(inside(root, row.audio))).duration)
    except (soundfile.SoundFileError, ValueError):
        return SECONDS if row.video_end is None else row.video_end - (row.video_start or 0.0)


def _film(root: Path, rows: Sequence[Utterance]) -> Film:
    """Size and rate of the first film that can be opened."""
    import av

    for row in rows:
        try:
            with av.open(str(inside(root, row.video))) as container:
                stream = container.streams.video[0]
                return Film(stream.width, stream.height, str(stream.average_rate or stream.guessed_rate), row.crop)
        except (av.FFmpegError, OSError, ValueError, IndexError):
            continue
    return IEMOCAP.film


def _rates(
    amounts: Mapping[str, Amount], encoders: Encoders, kind: str, args: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Rates by `text`, `speech` and the name of each film."""
    found = {}
    args.encoders = Path(encoders.folder)
    with tempfile.TemporaryDirectory() as scratch:
        for modality in MODALITIES:
            settings = getattr(encoders, modality)
            about = settings.model if isinstance(settings, Pretrained) else "MTCNN and Denseface"
            if isinstance(settings, Pretrained) and not _there(settings, args.encoders, modality):
                about = f"{STAND_IN[modality]} with random weights, as {about} was not fetched"
                folder = stand_in(modality, Path(scratch) / modality)
                settings = settings.model_copy(update={"model": str(folder), "revision": None, "sha256": None})
            films = {each.film.name: each.film for each in amounts.values()}
            for name, film in films.items() if modality == "video" else [(modality, IEMOCAP.film)]:
                LOG.info("measuring %s: %s", name, about)
                rate = measure(modality, settings.model_dump_json(), film, args, SIZES[kind][modality], about)
                found[name] = asdict(rate)
    return found


def _there(settings: Pretrained, folder: Path, modality: str) -> bool:
    try:
        hub.files(folder, settings.model, settings.revision, f"encoders.{modality}")
    except UserError:
        return False
    return True


def _machine(place: torch.device, threads: int) -> str:
    import torch

    return torch.cuda.get_device_name(place) if place.type == "cuda" else f"{threads} CPU threads"


def table(amounts: Mapping[str, Amount], machines: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Lines of the table: per corpus and modality the amount, disk, and for each machine the rate and time."""
    names = [machine["machine"] for machine in machines]
    for machine in machines:
        for key, rate in machine["rates"].items():
            yield f"{machine['machine']}, {key}: {rate['about']}"
    yield ""
    yield "".join([f"{'corpus':14}{'modality':10}{'amount':>18}{'disk':>10}", *(f"{name:>34}" for name in names)])
    for corpus, each in amounts.items():
        times: list[list[float | None]] = [[] for _ in machines]
        disk = 0.0
        for modality in MODALITIES:
            key = each.film.name if modality == "video" else modality
            units = each.units(modality)
            size = units * machines[0]["rates"][key]["bytes_per_unit"]
            line = f"{corpus:14}{modality:10}{units:>12,.0f} {UNITS[modality]:5}{size / 2**30:>7.2f} GB"
            disk += size
            for place, machine in enumerate(machines):
                rate = machine["rates"].get(key)
                taken = units / rate["per_second"] if rate else None
                times[place].append(taken)
                line += f"{rate['per_second']:>15,.1f}/s {clock(taken):>17}" if rate and taken else f"{'-':>34}"
            yield line
        sums = "".join(f"{'-' if None in column else clock(sum(filter(None, column))):>34}" for column in times)
        yield f"{corpus:14}{'all':10}{each.utterances:>12,} utt. {disk / 2**30:>7.2f} GB{sums}"
        yield f"  ({each.basis}; film {each.film.name})"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds as in 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
