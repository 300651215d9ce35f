"""What the workflow reads of a corpus before there is a manifest."""

from __future__ import annotations

from dataclasses import dataclass

from extractors.corpora import load
from extractors.explain import leading_zeros
from extractors.files import UserError
from extractors.settings import AnyCorpus


@dataclass(frozen=True)
class Facts:
    """Sessions, labels in the order of a system's outputs, and the files that a manifest is made from."""

    sessions: list[str]
    classes: list[str]
    label_files: list[str]


def look(name: str, corpus: AnyCorpus, config_file: str) -> Facts:
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
        there, hint = ", ".join(known), leading_zeros(set(sessions) - set(known), known)
        raise UserError(f"corpora.{name}.sessions in {config_file}: name two or more of {there}, each once{hint}")
    return Facts(list(sessions), list(classes), [str(path) for path in files])
