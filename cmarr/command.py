"""Arguments of the verbs that train: which system, with which settings, on what."""

from __future__ import annotations

import argparse
from pathlib import Path

from cmarr.config import kind_of
from cmarr.engine import Seeds
from cmarr.seeds import derive
from cmarr.settings import AnySystem, Features
from cmarr.variants import base
from extractors.device import add_arguments as add_device_arguments
from extractors.files import UserError


def add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--corpus", required=True, help="name of the corpus; part of the seed")
    parser.add_argument(
        "--system", required=True, help="name of the system or of a variant of it, such as cm_arr-alpha-0.5"
    )
    parser.add_argument("--settings", required=True, help="all settings of the system or variant, JSON")
    parser.add_argument("--features", required=True, help="settings of the inputs, JSON")
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--stores", type=Path, required=True, help="folder of text.h5, speech.h5 and video.h5")
    parser.add_argument("--out-dir", type=Path, required=True)
    add_device_arguments(parser)


def settings_of(args: argparse.Namespace) -> tuple[AnySystem, Features]:
    """What `--system`, `--settings` and `--features` say; UserError when something of them is wrong."""
    try:
        settings = kind_of(base(args.system)).model_validate_json(args.settings)
        features = Features.model_validate_json(args.features)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"--system, --settings or --features: {str(error).splitlines()[0]}; see the log of a run"
        ) from error
    return settings, features


def seeds_of(args: argparse.Namespace, fold: str) -> Seeds:
    """Seeds of the training on a fold; those of a variant are those of its system."""

    def seeds(purpose: str, epoch: int) -> int:
        return derive(args.corpus, base(args.system), fold, args.seed, purpose, epoch)

    return seeds
