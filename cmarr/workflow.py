"""What the rules need to know about the experiment: paths, settings as JSON, code fingerprints, targets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from cmarr.config import Config, check_roots, parse
from cmarr.vocabulary import CONDITIONS, MODALITIES, present
from extractors import hub
from extractors.corpora import load
from extractors.files import UserError
from extractors.fingerprint import code_fingerprint
from extractors.settings import AnyCorpus, Settings


@dataclass(frozen=True)
class Facts:
    """What is read of a corpus before there is a manifest."""

    sessions: list[str]
    classes: list[str]
    label_files: list[str]


class Plan:
    """The experiment as the rules see it; `content` is the merged configuration of Snakemake.

    Corpora are looked at only when a target needs them: training the face encoder does not.
    """

    def __init__(self, content: Mapping[str, Any], base: Path, config_file: str) -> None:
        self.config: Config = parse(content)
        self.results = self.config.results
        self.corpora = list(self.config.corpora)
        self.systems = list(self.config.systems.chosen())
        self._config_file = config_file
        self.gpus = int(any(Path("/dev").glob("nvidia[0-9]*")))
        # Jobs find this interpreter and these packages whether or not an environment is activated.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["PYTHONPATH"] = str(base)

    @cached_property
    def _facts(self) -> dict[str, Facts]:
        """What the folders of all corpora hold, looked at when a target needs one; ends the program if one is wrong."""
        try:
            check_roots(self.config, self._config_file)
            return {name: _look(name, corpus, self._config_file) for name, corpus in self.config.corpora.items()}
        except UserError as problem:  # Snakemake would show an exception of an input function as a trace
            stop(problem)

    def sessions(self, corpus: str) -> list[str]:
        """Sessions of a corpus; one fold each."""
        return self._facts[corpus].sessions

    def classes(self, corpus: str) -> list[str]:
        """Labels of a corpus, in the order of a system's outputs."""
        return self._facts[corpus].classes

    def label_files(self, corpus: str) -> list[str]:
        """Label and transcript files of a corpus, inputs of its manifest."""
        return self._facts[corpus].label_files

    def corpus(self, corpus: str) -> str:
        """Settings of a corpus as JSON, without those that its manifest does not depend on."""
        return as_json(self.config.corpora[corpus], exclude={"policy": {"no_face"}, "greys": True})

    def left_out(self, corpus: str) -> list[str]:
        """Files of utterances that no fold gets: none, unless those without a face are rejected."""
        reject = self.config.corpora[corpus].policy.no_face == "reject"
        return [f"{self.results}/features/{corpus}/video.rejected.csv"] if reject else []

    def encoder(self, modality: str, corpus: str) -> str:
        """Settings of an encoder as JSON, with those that the corpus has of its own."""
        settings = getattr(self.config.encoders, modality)
        greys = self.config.corpora[corpus].greys
        return as_json(settings.model_copy(update=dict(greys)) if modality == "video" and greys else settings)

    def encoder_files(self, modality: str) -> list[str]:
        """Files of an encoder, those that were fetched or local ones; changed ones are extracted with again.

        Ends the program if an encoder of the hub was not fetched.
        """
        if modality == "video":
            return [self.config.encoders.video.weights] if self.config.encoders.video.weights else []
        settings, folder = getattr(self.config.encoders, modality), Path(self.config.encoders.folder)
        key = f"encoders.{modality}"
        try:
            files = hub.files(folder, settings.model, settings.revision, key, settings.sha256)
            return [str(path) for path in files]
        except UserError as problem:
            stop(problem)

    def system(self, system: str) -> str:
        """Settings of a system as JSON."""
        return as_json(self.config.systems.chosen()[system])

    @property
    def recipe(self) -> str:
        """Settings of the training of Denseface as JSON."""
        return as_json(self.config.denseface.recipe)

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
            "split": "train|valid|test",
            "session": "[A-Za-z0-9_]+",
            "fold": "[A-Za-z0-9_]+",
            "seed": r"\d+",
            "system": "|".join(self.systems),
            "condition": "|".join(CONDITIONS),
            "protocol": self.config.protocol,
        }


def stop(problem: UserError) -> NoReturn:
    """End the program with the error lines of a problem."""
    sys.exit("error: " + str(problem).replace("\n", "\nerror: "))


def _look(name: str, corpus: AnyCorpus, config_file: str) -> Facts:
    """UserError names the key to change when there is no such corpus, or too little of it for folds."""
    module = load(corpus.type)
    try:
        known = module.sessions(corpus)
        classes = module.classes(corpus)
        files = module.label_files(corpus)
    except UserError as error:
        raise UserError(f"corpora.{name}.root in {config_file}: {error}") from error
    sessions = corpus.sessions or known
    if len(known) < 2:
        there = ", ".join(known) or "none"
        raise UserError(f"corpora.{name}.root in {config_file}: folds need two sessions or more; there is {there}")
    if not set(sessions) <= set(known) or len(set(sessions)) < max(2, len(sessions)):
        there = ", ".join(known)
        raise UserError(f"corpora.{name}.sessions in {config_file}: name two or more of {there}, each once")
    return Facts(list(sessions), list(classes), [str(path) for path in files])


def as_json(settings: Settings, exclude: Any = None) -> str:
    """Settings as one line of JSON, keys in declared order."""
    return json.dumps(settings.model_dump(mode="json", exclude=exclude))
