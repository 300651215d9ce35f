"""Verb `demo-corpus`: builds two small synthetic corpora and two encoder checkpoints."""

from __future__ import annotations

import argparse
from pathlib import Path

from extractors.demo import build
from extractors.files import UserError

UTTERANCES = "kept utterances per speaker of iemocap; msp_improv has three quarters of it (default: 16)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing; `parser` gets the options of this verb."""
    parser.add_argument("--out", type=Path, required=True, help="folder for both corpora, bert, wav2vec2, demo.json")
    parser.add_argument("--seed", type=int, default=0, help="source of everything random (default: 0)")
    parser.add_argument("--sessions", type=int, choices=range(1, 6), help="sessions of each corpus (default: 5 and 6)")
    parser.add_argument("--utterances", type=int, default=16, help=UTTERANCES)
    parser.add_argument("--jobs", type=int, default=2, help="processes; the result does not depend on it (default: 2)")


def main(args: argparse.Namespace) -> None:
    """Nothing; the folder is then complete."""
    if args.jobs < 1 or args.utterances < 4:
        raise UserError("demo-corpus needs --jobs of 1 or more and --utterances of 4 or more")
    if args.out.exists() and not args.out.is_dir():
        raise UserError(f"{args.out}: is a file; name a folder with --out")
    build(args.out, args.seed, args.sessions, args.utterances, args.jobs)
