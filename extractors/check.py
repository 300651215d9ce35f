"""Verb `check`: is this folder the release, and are its media in order? Looks at everything, changes nothing."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from extractors.corpora import load
from extractors.explain import problems, sentence
from extractors.files import UserError
from extractors.manifest import finish, read, summary
from extractors.settings import TYPES, AnyCorpus


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the verb."""
    parser.add_argument("root", help="folder of the corpus")
    parser.add_argument("--type", choices=tuple(TYPES), help="layout of the folder; found out if absent")
    parser.add_argument("--subset", choices=("mmin", "all"), help="clips of MSP-IMPROV to use")
    parser.add_argument("--file", help="CSV of a `table` corpus, below the folder")
    parser.add_argument("--classes", nargs="+", help="labels of a `table` corpus; all of its CSV if absent")
    parser.add_argument("--sessions", nargs="+", help="only these sessions; all that the folder has if absent")
    parser.add_argument("--out", type=Path, help="folder for manifest.csv, rejected.csv, check.json and so on")


def main(args: argparse.Namespace) -> None:
    """Print the summary; UserError when the folder is no corpus or nothing in it can be used."""
    options = {key: value for key in ("subset", "file", "classes", "sessions") if (value := getattr(args, key))}
    corpus = settings(args.root, args.type, options)
    name = Path(args.root).resolve().name
    try:
        listing = read("check", corpus)
        print(f"{args.root}: read as {corpus.type}")
        print(*summary(name, listing, causes=20), sep="\n")
        finish("check", corpus, listing, args.out, partial=args.sessions is None)
    except UserError as error:
        raise UserError(str(error).removeprefix("corpora.check.root: ").replace("corpora.check.", "--")) from error
    where = f"{args.out}/" if args.out else "--out FOLDER writes "
    print(f"details: {where}rejected.csv, remarks.csv and check.json")


def settings(root: str, kind: str | None, options: dict[str, Any]) -> AnyCorpus:
    """Settings for the folder, of the type that has the options and recognises it; UserError says why none does."""
    if not os.access(root, os.R_OK | os.X_OK):
        raise UserError(f"{root}: no such folder, or not readable; name the unpacked corpus")
    excluded, refusals = [], []
    for name in [kind] if kind else TYPES:
        if absent := [key for key in options if key not in TYPES[name].model_fields]:
            excluded.append(f"{name} has no {', '.join(absent)}")
            continue
        try:
            corpus: AnyCorpus = TypeAdapter(AnyCorpus).validate_python({"type": name, "root": root, **options})
            load(corpus.type).label_files(corpus)
        except ValidationError as error:
            refusals += [f"{name}: --{problem['loc'][1]}: {sentence(problem)}" for problem in problems(error)]
        except UserError as error:
            refusals.append(f"{name}: {error}")
        else:
            return corpus
    raise UserError("; ".join(refusals or excluded))
