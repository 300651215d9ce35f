"""`python -m cmarr <verb>`: every job of stage 2."""

from __future__ import annotations

import sys

from extractors.console import run

VERBS = {
    "folds": "split a corpus into training, validation and test utterances",
    "train": "train one system on one fold with one seed",
    "tune": "try settings of one system on one corpus, all systems with the same budget",
    "tuned": "collect what tuning chose in a configuration, and draw its trials",
    "predict": "predict a test fold under all missing conditions",
    "scores": "compute WAR, UAR and confusions of every prediction file",
    "table1": "count utterances per class and corpus",
    "table2": "aggregate scores to WAR and UAR per condition, beside those of the paper",
    "significance": "compare the full model with every other system by a paired bootstrap",
    "protocols": "compare the protocol of the experiment with other ones",
    "table3": "aggregate scores of ablations, each beside the full model",
    "fig4": "draw WAR and UAR against the weights of the loss",
    "represent": "compute true and recovered representations of a test fold",
    "fig5": "compare recovered with true representations",
    "recall": "aggregate confusions to recall per class and condition",
    "missing_rate": "compute and draw expected scores under random missing rates",
    "learning": "draw learning curves of a system",
    "confusion": "draw confusion matrices of a system",
    "figures": "draw UAR per condition and system",
    "schema": "write the JSON schema and the reference page of config.yaml",
}

if __name__ == "__main__":
    sys.exit(run("cmarr", VERBS))
