"""Verb `plan`: time and disk that stage 1 takes for the corpora of a configuration, from rates measured here.

A corpus whose manifest is there already is counted; of one of the two releases that is not, the published size is
taken. Rates come from one run of the verbs themselves on a small generated corpus, with the threads of one job, and
times are those of so many jobs side by side as `--jobs` says, each as fast as that one. Rates can be saved and shown
beside those of another machine. Disk is that of the packed stores; while they are packed, it is needed twice.
"""

from __future__ import annotations

import argparse
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from extractors import device, experiment, hub
from extractors.console import LOG
from extractors.container import open_media
from extractors.corpora import Utterance
from extractors.files import UserError, inside, write_json
from extractors.manifest import read_manifest
from extractors.rates import SECONDS, Film, Rate, measure, pieces, stand_in
from extractors.settings import AnyCorpus, Encoders, MspImprov, Pretrained, Settings

if TYPE_CHECKING:
    import torch

MODALITIES = ("text", "speech", "video")
SIZES = {"cpu": {"text": (64, 512), "speech": (2, 12), "video": (1, 5)}}
SIZES["cuda"] = {"text": (512, 16384), "speech": (64, 512), "video": (4, 24)}
UNITS = {"text": "wp", "speech": "s", "video": "s"}
STAND_IN = {"text": "BERT-base", "speech": "wav2vec2-base"}
NOTES = (
    "disk: of the packed stores; shards and parts need it once more while they are packed, so about twice at the peak",
    "video: what two utterances share is looked at once and stored twice; the time leaves out the decoding of those",
    "  parts of a dialogue that belong to no utterance",
)


@dataclass(frozen=True)
class Amount:
    """What there is to encode."""

    utterances: int
    units: Mapping[str, float]
    """word pieces of text, seconds of speech and of video, summed over the utterances"""
    watched: float
    """seconds of film looked at: what utterances of one half of a film share counts once"""
    film: Film
    basis: str


def published(count: int, film: Film, basis: str) -> Amount:
    """So many utterances with IEMOCAP's mean length and mean number of word pieces, which include the 2 special ones.

    Both were computed from public lists; how much utterances overlap was not.
    """
    seconds = count * SECONDS
    return Amount(count, {"text": count * 17.9, "speech": seconds, "video": seconds}, seconds, film, basis)


IEMOCAP = published(5531, Film(720, 480, "30000/1001", "left"), "published size of the four classes")
MSP_CLIP = Film(1440, 1080, "60000/1001", "full")
MSP_IMPROV = {
    subset: published(count, MSP_CLIP, "published count; lengths assumed to be IEMOCAP's")
    for subset, count in (("mmin", 3819), ("all", 7798))
}


class Machine(Settings):
    """Content of a file of rates: by `text`, `speech` and the name of each film."""

    machine: str
    rates: dict[str, Rate]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("--config", required=True, type=Path, help="configuration, such as config.yaml")
    parser.add_argument("--save", type=Path, metavar="JSON", help="keep the measured rates, for --beside elsewhere")
    parser.add_argument(
        "--beside", type=Path, action="append", default=[], metavar="JSON", help="rates saved elsewhere"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        help="jobs side by side, each of --threads; one is measured, and all are taken to be as fast as that one. "
        "As many as there are cores if absent, one on a GPU",
    )
    device.add_arguments(parser)


def main(args: argparse.Namespace) -> None:
    """Print the table; UserError when a corpus is neither there nor published, or a file of rates is foreign."""
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f"--jobs {args.jobs}: give 1 or more")
    found = experiment.read(args.config)
    others = [_read(path) for path in args.beside]
    amounts = {name: amount(Path(found.results), name, corpus) for name, corpus in found.corpora.items()}
    place = device.start(args)
    args.jobs = args.jobs or (os.cpu_count() or 1 if place.type == "cpu" else 1)
    here = Machine(machine=_machine(place, args), rates=_rates(amounts, found.encoders, place.type, args))
    if args.save:
        write_json(args.save, here.model_dump())
    for line in (*table(amounts, [here, *others]), "", *NOTES):
        print(line)
    if place.type == "cpu" and not args.beside:
        print(
            "GPU: not measured, there is none here; run this with --save on a machine that has one, and --beside here"
        )


def _read(path: Path) -> Machine:
    try:
        return Machine.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; name a file that `plan --save` wrote") from error
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: not a file of rates ({key}: {first['msg']}); write it with `plan --save`") from error


def amount(results: Path, name: str, corpus: AnyCorpus) -> Amount:
    """What the corpus' manifest lists, or its published size."""
    manifest = results / "corpora" / name / "manifest.csv"
    if manifest.is_file():
        rows, root = read_manifest(manifest), Path(corpus.root)
        seconds = [_seconds(root, row) for row in rows]
        tracks: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for row, length in zip(rows, seconds, strict=True):
            start = row.video_start or 0.0
            end = start + length if row.video_end is None else row.video_end
            tracks.setdefault((row.video, row.crop), []).append((start, end))
        units = {
            "text": sum(pieces(row.text) for row in rows),
            "speech": sum(seconds),
            "video": sum(end - start for spans in tracks.values() for start, end in spans),
        }
        return Amount(len(rows), units, sum(map(union, tracks.values())), _film(root, rows), str(manifest))
    if isinstance(corpus, MspImprov):
        return MSP_IMPROV[corpus.subset]
    if corpus.type == "iemocap":
        return IEMOCAP
    raise UserError(f"{manifest} is missing, and {name} has no published size; run `snakemake {manifest}` first")


def union(spans: Iterable[tuple[float, float]]) -> float:
    """Length of what intervals (start, end) cover together."""
    covered, reached = 0.0, -math.inf
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


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
    """Size and rate of the first film that can be opened and says its rate; those of IEMOCAP if there is none."""
    import av

    for row in rows:
        try:
            with open_media(inside(root, row.video)) as container:
                stream = container.streams.video[0]
                if rate := stream.average_rate or stream.guessed_rate:
                    return Film(stream.width, stream.height, str(rate), row.crop)
        except (av.FFmpegError, OSError, ValueError, IndexError):
            continue
    return IEMOCAP.film


def _rates(amounts: Mapping[str, Amount], encoders: Encoders, kind: str, args: argparse.Namespace) -> dict[str, Rate]:
    """Rates by `text`, `speech` and the name of each film."""
    found = {}
    args.encoders = Path(encoders.folder)
    with tempfile.TemporaryDirectory() as scratch:
        for modality in MODALITIES:
            settings = getattr(encoders, modality)
            about = settings.model if isinstance(settings, Pretrained) else "MTCNN and Denseface"
            if isinstance(settings, Pretrained) and not _there(settings, args.encoders, f"encoders.{modality}"):
                about = f"{STAND_IN[modality]} with random weights, as {about} was not fetched"
                folder = stand_in(modality, Path(scratch) / modality)
                settings = settings.model_copy(update={"model": str(folder), "revision": None, "sha256": None})
            films = {each.film.name: each.film for each in amounts.values()}
            for name, film in films.items() if modality == "video" else [(modality, IEMOCAP.film)]:
                LOG.info("measuring %s: %s", name, about)
                found[name] = measure(modality, settings.model_dump_json(), film, args, SIZES[kind][modality], about)
    return found


def _there(settings: Pretrained, folder: Path, key: str) -> bool:
    """Whether the encoder needs no `fetch`, at least not the first one."""
    if settings.model in hub.WEIGHTLESS or hub.local(settings.model, settings.revision, settings.sha256, key):
        return True
    return (hub.place(folder, settings.model, settings.revision, key) / hub.RECORD).is_file()


def _machine(place: torch.device, args: argparse.Namespace) -> str:
    import torch

    jobs, threads = (
        f"{count} {what}s" if count > 1 else f"one {what}"
        for count, what in ((args.jobs, "job"), (args.threads, "thread"))
    )
    words = f"{jobs} of {threads}"
    return f"{torch.cuda.get_device_name(place)}, {words}" if place.type == "cuda" else words


def table(amounts: Mapping[str, Amount], machines: Sequence[Machine]) -> Iterator[str]:
    """Lines of the table: per corpus and modality the amount, disk, and for each machine the rate and time."""
    for machine in machines:
        for key, rate in machine.rates.items():
            yield f"{machine.machine}, {key}: {rate.about}"
    yield ""
    width = max(34, *(len(machine.machine) + 2 for machine in machines))
    names = (f"{machine.machine:>{width}}" for machine in machines)
    yield "".join([f"{'corpus':14}{'modality':10}{'amount':>18}{'disk':>10}", *names])
    for corpus, each in amounts.items():
        times: list[list[float | None]] = [[] for _ in machines]
        disk = 0.0
        for modality in MODALITIES:
            key = each.film.name if modality == "video" else modality
            work = each.watched if modality == "video" else each.units[modality]
            size = each.units[modality] * machines[0].rates[key].bytes_per_unit
            line = f"{corpus:14}{modality:10}{work:>12,.0f} {UNITS[modality]:5}{size / 1e9:>7.2f} GB"
            disk += size
            for place, machine in enumerate(machines):
                known = machine.rates.get(key)
                taken = work / known.per_second if known else None
                times[place].append(taken)
                cell = f"{known.per_second:,.1f}/s {clock(taken):>17}" if known and taken is not None else "-"
                line += f"{cell:>{width}}"
            yield line
        sums = "".join(f"{'-' if None in column else clock(sum(filter(None, column))):>{width}}" for column in times)
        yield f"{corpus:14}{'all':10}{each.utterances:>12,} utt. {disk / 1e9:>7.2f} GB{sums}"
        yield f"  ({each.basis}; film {each.film.name})"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds as in 1:02:03."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
