"""What the rules need to know about the experiment: paths, settings as JSON, code fingerprints, targets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cmarr.config import Config, check_roots, parse
from cmarr.vocabulary import CONDITIONS, MODALITIES, present
from extractors.corpora import load as corpus_module
from extractors.files import UserError
from extractors.fingerprint import code_fingerprint
from extractors.settings import Settings


class Plan:
    """The experiment as the rules see it; `content` is the merged configuration of Snakemake."""

    def __init__(self, content: Mapping[str, Any], base: Path, config_file: str) -> None:
        self.config: Config = parse(content)
        check_roots(self.config, config_file)
        self.results = self.config.results
        self.corpora = list(self.config.corpora)
        self.systems = list(self.config.systems.chosen())
        self._label_files: dict[str, list[str]] = {}
        for name, corpus in self.config.corpora.items():
            module = corpus_module(corpus.type)
            unknown = [session for session in self.sessions(name) if session not in module.SESSIONS]
            if unknown or len(set(self.sessions(name))) < max(2, len(self.sessions(name))):
                known = ", ".join(module.SESSIONS)
                raise UserError(f"corpora.{name}.sessions in {config_file}: name two or more of {known}, each once")
            try:
                self._label_files[name] = [str(path) for path in module.label_files(Path(corpus.root))]
            except UserError as error:
                raise UserError(f"corpora.{name}.root in {config_file}: {error}") from error
        self.gpus = int(any(Path("/dev").glob("nvidia[0-9]*")))
        # Jobs find this interpreter and these packages whether or not an environment is activated.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["PYTHONPATH"] = str(base)

    def sessions(self, corpus: str) -> tuple[str, ...]:
        """Sessions of a corpus; one fold each."""
        settings = self.config.corpora[corpus]
        return settings.sessions or corpus_module(settings.type).SESSIONS

    def label_files(self, corpus: str) -> list[str]:
        """Label and transcript files of a corpus, inputs of its manifest."""
        return self._label_files[corpus]

    def corpus(self, corpus: str) -> str:
        """Settings of a corpus as JSON."""
        return as_json(self.config.corpora[corpus])

    def encoder(self, modality: str) -> str:
        """Settings of an encoder as JSON."""
        return as_json(getattr(self.config.encoders, modality))

    def encoder_files(self, modality: str) -> list[str]:
        """Files of an encoder that is a local folder; a changed one is extracted with again."""
        folder = Path(getattr(getattr(self.config.encoders, modality), "model", ""))
        kinds = {".safetensors", ".json", ".txt", ".model"}
        return sorted(str(path) for path in folder.glob("*") if path.suffix in kinds) if folder.name else []

    def system(self, system: str) -> str:
        """Settings of a system as JSON."""
        return as_json(self.config.systems.chosen()[system])

    @property
    def features(self) -> str:
        """Settings of the inputs of systems as JSON."""
        return as_json(self.config.features)

    def manifest_code(self, corpus: str) -> str:
        """Fingerprint of the code that reads a corpus."""
        return self.code("extractors.manifest", f"extractors.corpora.{self.config.corpora[corpus].type}")

    def code(self, *modules: str) -> str:
        """Fingerprint of the code behind a job: a change re-runs it."""
        return code_fingerprint(*modules)

    def stores(self, corpus: str, condition: str = "svt") -> list[str]:
        """Feature stores of the modalities available under a condition."""
        return [f"{self.results}/features/{corpus}/{modality}.h5" for modality in present(condition)]

    @property
    def runs(self) -> list[str]:
        """<corpus>/<system>/fold<k>/seed<s> of every training run."""
        return [
            f"{corpus}/{system}/fold{fold}/seed{seed}"
            for corpus in self.corpora
            for system in self.systems
            for fold in self.sessions(corpus)
            for seed in self.config.seeds
        ]

    @property
    def predictions(self) -> list[str]:
        """Every prediction file."""
        return [f"{self.results}/predictions/{run}/{condition}.csv" for run in self.runs for condition in CONDITIONS]

    @property
    def records(self) -> list[str]:
        """record.json of every training run."""
        return [f"{self.results}/models/{run}/record.json" for run in self.runs]

    @property
    def constraints(self) -> dict[str, str]:
        """Regular expressions of all wildcards."""
        return {
            "corpus": "|".join(self.corpora),
            "modality": "|".join(MODALITIES),
            "session": "[A-Za-z0-9]+",
            "fold": "[A-Za-z0-9]+",
            "seed": r"\d+",
            "system": "|".join(self.systems),
            "condition": "|".join(CONDITIONS),
            "protocol": self.config.protocol,
        }


def as_json(settings: Settings) -> str:
    """Settings as one line of JSON, keys in declared order."""
    return json.dumps(json.loads(settings.model_dump_json()))
