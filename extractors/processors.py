"""What prepares the input of an encoder, out of its folder: tokenizers of texts, feature extractors of waveforms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from extractors import vocabulary
from extractors.checkpoint_files import SMALL
from extractors.files import UserError

CONFIGS = ("preprocessor_config.json", "processor_config.json")
FIELDS: dict[str, type] = {"do_normalize": bool, "sampling_rate": int}
"""What a feature extractor of waveforms has to say: the library fills in what is right for other models."""


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Errors of the libraries in one line; nothing but calls of them belongs in here."""
    try:
        yield
    except Exception as error:  # they raise their own, undocumented types for a broken checkpoint
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UserError(
            f"{what} cannot be loaded ({reason}); give a folder with config.json, model.safetensors and the files of "
            "its tokenizer or feature extractor"
        ) from error


def text(model: Any, folder: Path, local: bool, what: str) -> Any:
    """The tokenizer of a model; UserError when it is not whole or not of this model."""
    import transformers

    names = {path.name for path in folder.iterdir() if SMALL.fullmatch(path.name)}
    tables = {name for name in names if not name.endswith("config.json") and name != "special_tokens_map.json"}
    try:
        with readable(what):
            tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            tokenizer(["a"])
    except UserError:
        lacking = {"vocab.json", "merges.txt"} - tables
        if not tables:
            raise vocabulary.missing("", what) from None
        if "tokenizer.json" not in tables and len(lacking) == 1:
            raise vocabulary.missing(lacking.pop(), what) from None
        raise
    vocabulary.check(tokenizer, model, folder, local, what)
    return tokenizer


def speech(folder: Path, local: bool, what: str) -> Any:
    """The feature extractor of a model that reads waveforms; UserError when it is not whole or reads something else."""
    import transformers

    there = [name for name in CONFIGS if (folder / name).is_file()]
    if not there:
        raise UserError(f"{what} has no {CONFIGS[0]}; get that file, too")
    with readable(what):
        processor: Any = transformers.AutoFeatureExtractor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    if processor.model_input_names[0] != "input_values" or processor.feature_size != 1:
        raise UserError(f"{what}: its {there[0]} is of a model that reads no waveforms; get that file again")
    content = json.loads((folder / there[0]).read_bytes())
    content = content.get("feature_extractor", content)
    for name, kind in FIELDS.items():
        if type(getattr(processor, name, None)) is not kind or (local and name not in content):
            raise UserError(f"{what}: its {there[0]} does not say {name} ({kind.__name__}); get that file again")
    return processor
