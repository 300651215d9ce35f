"""What the rules need to know about the experiment: paths, settings as JSON, code fingerprints, targets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from cmarr.config import Config, Protocol, check_roots, parse, run_name, settings_of
from cmarr.ending import one_line, stop
from cmarr.facts import Facts, look
from cmarr.significance import too_few_draws
from cmarr.targets import Rule, asked, check
from cmarr.variants import PART, base, overrides, rivals, variant
from cmarr.vocabulary import CONDITIONS, MODALITIES
from extractors import hub
from extractors.errors import UserError
from extractors.fingerprint import code_fingerprint
from extractors.settings import Settings

FULL_MODEL, SWEPT = "cm_arr", ("alpha", "lambda_rec", "beta")
BASELINE = "baseline"
"""in Table 3 alone, as in the paper"""
NEEDED = {"table2": (), "protocols": (), "table3": (BASELINE, FULL_MODEL), "fig4": (FULL_MODEL,), "fig5": (FULL_MODEL,)}
"""studies, and the systems without which there is none"""
SPLITS = ("train", "valid", "test")
STUDIES = ("table2", "table3", "fig4", "protocols")
"""studies whose scores are a file"""


class Plan:
    """The experiment as the rules see it; `content` is the merged configuration of Snakemake.

    Corpora are looked at only when a target needs them: training the face encoder does not.
    """

    def __init__(self, content: Mapping[str, Any], folder: Path, config_file: str) -> None:
        self.config: Config = parse(content)
        self.results = self.config.results
        self.corpora = list(self.config.corpora)
        self.systems = list(self.config.systems.chosen())
        self.rivals = [name for name in self.systems if name != BASELINE] or self.systems
        self.columns = self._names([*self.rivals, *self.config.variants])
        self.types = {name: corpus.type for name, corpus in self.config.corpora.items()}
        others = rivals(self.columns, FULL_MODEL)
        self.compared = FULL_MODEL in self.columns and bool(others)
        if self.compared and (lacking := too_few_draws(len(others), self.config.statistics.draws)):
            raise UserError(f"configuration: statistics.draws: {lacking}")
        self.conditions, self.full_model = CONDITIONS, FULL_MODEL
        self.tensorboard = f"--tensorboard {self.results}/tensorboard" if self.config.tensorboard else ""
        self._config_file = config_file
        self.gpus = int(any(Path("/dev").glob("nvidia[0-9]*")))
        # Jobs find this interpreter and these packages whether or not an environment is activated.
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.environ["PYTHONPATH"] = str(folder)

    @cached_property
    def _facts(self) -> dict[str, Facts]:
        """What the folders of all corpora hold, looked at when a target needs one; ends the program if one is wrong."""
        with one_line():
            check_roots(self.config, self._config_file)
            return {name: look(name, corpus, self._config_file) for name, corpus in self.config.corpora.items()}

    def sessions(self, corpus: str) -> list[str]:
        """Sessions of a corpus."""
        return self._facts[corpus].sessions

    def protocol(self, name: str) -> str:
        """Protocol of a system's runs: the experiment's, unless the name of the variant has another."""
        return overrides(name).get("protocol", self.config.protocol)

    def folds(self, corpus: str, protocol: str | None = None) -> list[str]:
        """Names of the folds of a corpus: its sessions, or for folds by speaker numbers, two a session."""
        sessions = self.sessions(corpus)
        by_speaker = (protocol or self.config.protocol).startswith("mmin")
        return [str(number + 1) for number in range(2 * len(sessions))] if by_speaker else sessions

    def folds_file(self, corpus: str, system: str, fold: str) -> str:
        """File with the folds of a run; ends the program if the corpus has no such fold."""
        protocol = self.protocol(system)
        if fold not in (there := self.folds(corpus, protocol)):
            stop(UserError(f"{corpus} has no fold {fold} (protocol {protocol}): name one of {', '.join(there)}"))
        return f"{self.results}/folds/{corpus}/{protocol}.json"

    def manifest(self, corpus: str, session: str) -> str:
        """Manifest with a session; ends the program if the corpus has no such session."""
        if session not in (there := self.sessions(corpus)):
            stop(UserError(f"{corpus} has no session {session}: name one of {', '.join(there)}"))
        return f"{self.results}/corpora/{corpus}/manifest.csv"

    def choice_metric(self, corpus: str, protocol: str) -> str:
        """What is highest at the chosen epoch: MMIN's scripts take the macro-F1 for MSP-IMPROV."""
        if not protocol.startswith("mmin"):
            return "mean_uar"
        return "pooled_macro_f1" if self.types[corpus] == "msp_improv" else "pooled_uar"

    def released_targets(self, corpus: str, protocol: str) -> list[str]:
        """Argument for IEMOCAP's folds that repeat a speaker, where configured."""
        repeated = self.config.released_targets and protocol.startswith("mmin") and self.types[corpus] == "iemocap"
        return ["--released-targets"] if repeated else []

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
        with one_line():
            files = hub.files(folder, settings.model, settings.revision, key, settings.sha256)
            return [str(path) for path in files]

    def system(self, name: str, corpus: str) -> str:
        """Settings of a system or a variant for a corpus, as JSON; ends the program when there is none of that name."""
        with one_line():
            return as_json(settings_of(self.config, name, corpus))

    def tuned(self, name: str, corpus: str) -> str:
        """Arguments that say how the settings of a system, or of a variant of one, were tuned; empty without."""
        tuned = self.config.tuned.get(corpus, {}).get(base(name))
        if tuned is None:
            return ""
        return f"--trials {tuned.trials}" + "".join(f" {each}" for each in ("--tuned-on", *tuned.folds) if tuned.folds)

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

    def system_code(self, module: str, name: str) -> str:
        """Fingerprint of the code of a verb that runs a system or a variant of one."""
        return self.code(module, f"cmarr.systems.{base(name)}")

    def stores(self, corpus: str) -> list[str]:
        """Feature stores of a corpus."""
        return [f"{self.results}/features/{corpus}/{modality}.h5" for modality in MODALITIES]

    def study(self, name: str) -> list[str]:
        """<corpus>/<system>/fold<k>/seed<s> of every run of a study; ends the program if a system is missing for it.

        Runs with the same settings are one run, whatever the study.
        """
        if missing := self._missing(name):
            line = f"{name} needs {missing[0]}: add `{missing[0]}: {{}}` under `systems` in {self._config_file}"
            stop(UserError(line))
        if name == "table2":
            return [run for corpus in self.corpora for run in self.runs(corpus, self.columns)]
        chosen, corpus, first = self.config.studies, self.study_corpus, self.config.seeds[:1]
        if name == "protocols":
            others = [variant(system, {"protocol": each}) for each in chosen.protocols for system in self.rivals]
            names = self._names([*self.rivals, *others], "studies.protocols")
            return [run for corpus in self.corpora for run in self.runs(corpus, names, first)]
        if name == "table3":
            return self.runs(corpus, self._names([BASELINE, *chosen.ablations, FULL_MODEL]))
        if name == "fig4":
            swept = [variant(FULL_MODEL, {key: value}) for key in SWEPT for value in getattr(chosen, key)]
            return self.runs(corpus, self._names([*swept, FULL_MODEL]), first, self._known("sweep_folds"))
        without = variant(FULL_MODEL, {"alpha": 0, "beta": 0})
        return self.runs(corpus, [run_name(self.config, without), FULL_MODEL], first, self._known("tsne_fold"))

    def runs(
        self, corpus: str, names: Iterable[str], seeds: Iterable[int] | None = None, folds: Iterable[str] | None = None
    ) -> list[str]:
        """<corpus>/<system>/fold<k>/seed<s> of systems or variants on a corpus, with all folds and seeds if absent."""
        return [
            f"{corpus}/{name}/fold{fold}/seed{seed}"
            for name in names
            for fold in folds or self.folds(corpus, self.protocol(name))
            for seed in seeds or self.config.seeds
        ]

    def files(self, folder: str, runs: Iterable[str], *names: str) -> list[str]:
        """Files of runs below a folder of the results."""
        return [f"{self.results}/{folder}/{run}{name}" for run in runs for name in names]

    @property
    def study_corpus(self) -> str:
        """The corpus of Table 3, Fig. 4 and Fig. 5."""
        return self.config.studies.corpus or self.corpora[0]

    @property
    def sweep_defaults(self) -> list[str]:
        """<key>=<configured value> of the settings that Fig. 4 changes."""
        configured = settings_of(self.config, FULL_MODEL, self.study_corpus)
        return [f"{key}={getattr(configured, key)}" for key in SWEPT]

    @property
    def targets(self) -> list[str]:
        """Every table and figure that the configured systems allow."""
        made = [f"{name}.csv" for name in ("table1", "table2", "recall", "missing_rate")]
        made += [f"{name}.csv" for name in ("table3", "fig4", "fig5") if not self._missing(name)]
        made += ["protocols.csv"] if self.config.studies.protocols else []
        made += ["figures/conditions.png"]
        made += [
            f"figures/{kind}/{corpus}/{name}.png"
            for kind in ("learning", "confusion")
            for corpus in self.corpora
            for name in self.columns
        ]
        return [f"{self.results}/{path}" for path in made]

    def _missing(self, study: str) -> list[str]:
        return [system for system in NEEDED[study] if system not in self.systems]

    def _names(self, names: Iterable[str], key: str = "systems") -> list[str]:
        """Systems and variants as their runs are named, each once; `key` is what an error says they are from."""
        with one_line():
            return list(dict.fromkeys(run_name(self.config, name, key) for name in names))

    def _known(self, key: str) -> list[str]:
        """Folds of a study, by the key they are configured with; ends the program if there is no such fold."""
        chosen, known = getattr(self.config.studies, key), self.folds(self.study_corpus)
        if chosen is None:
            return known[-1:] if key == "tsne_fold" else known
        folds = [chosen] if isinstance(chosen, str) else list(chosen)
        if not set(folds) <= set(known):
            there = ", ".join(known)
            stop(UserError(f"studies.{key} in {self._config_file}: {self.study_corpus} has no such fold; name {there}"))
        return folds

    def check_targets(self, rules: Iterable[Rule]) -> None:
        """End the program if something on the command line is no rule and no file that a rule makes."""
        known = {
            "corpus": self.corpora, "modality": MODALITIES, "split": SPLITS, "system": self.systems,
            "protocol": get_args(Protocol), "study": STUDIES,
        }  # fmt: skip
        with one_line():
            check(asked(sys.argv), list(rules), known, f"{self._config_file}, results in {self.results}")

    @property
    def constraints(self) -> dict[str, str]:
        """Regular expressions of all wildcards."""
        return {
            "corpus": "|".join(self.corpora),
            "modality": "|".join(MODALITIES),
            "split": "|".join(SPLITS),
            "session": "[A-Za-z0-9_]+",
            "fold": "[A-Za-z0-9_]+",
            "seed": r"\d+",
            "system": f"({'|'.join(self.systems)})({PART})*",
            "protocol": "|".join(get_args(Protocol)),
            "study": "|".join(STUDIES),
        }


def planned(content: Mapping[str, Any], folder: Path, config_files: Sequence[Path]) -> Plan:
    """The plan of the Snakefile; ends the program if the configuration is wrong."""
    with one_line():
        return Plan(content, folder, str((*config_files, "config.yaml")[0]))


def as_json(settings: Settings, exclude: Any = None) -> str:
    """Settings as one line of JSON, keys in declared order."""
    return json.dumps(settings.model_dump(mode="json", exclude=exclude))
