"""Comparing what was found in a corpus folder with what is known about the release."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from extractors.corpora import Utterance

Counts = Mapping[str, Mapping[str, int]]
"""group (`class`, `speaker`, ...) to key (`angry`, `1F`, ...) to number of utterances"""


@dataclass(frozen=True)
class Known:
    """Figures of a complete release."""

    lists: Mapping[str, tuple[int, str]]
    """name of a list of lines to their number and digest"""
    counts: Counts
    utterances: str
    """the list that counts labelled utterances"""
    ids: Mapping[str, Callable[[], Sequence[str]]] = field(default_factory=dict)
    """name of a list to all its lines, where these are known and not only their digest"""
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """name of a list of `id TAB label` to how often each label is in it"""


def digest(lines: Iterable[str]) -> str:
    """Hexadecimal SHA-256 of the UTF-8 lines, sorted bytewise and joined by LF without a last one."""
    return hashlib.sha256(b"\n".join(sorted(line.encode() for line in lines))).hexdigest()


def tally(keys: Iterable[str]) -> dict[str, int]:
    """How often each key occurs, in the order of the keys."""
    return dict(sorted(Counter(keys).items()))


def utterance_counts(rows: Sequence[Utterance]) -> dict[str, dict[str, int]]:
    """Utterances per class, speaker and session."""
    return {
        "class": tally(row.label for row in rows),
        "speaker": tally(row.speaker for row in rows),
        "session": tally(row.session for row in rows),
    }


def compare(lists: Mapping[str, Sequence[str]], counts: Counts, known: Known) -> dict[str, Any]:
    """Content of check.json.

    `status` is `matches` when every list has its known digest; `not a release` when none has and there are fewer
    than half as many utterances; else `differs`. Then `differences` says in words which ids are missing or too many
    (where all ids are known), which label is another one (where it is a single one), where the counts deviate, and
    which list has as many lines as the release but others.
    """
    digests = {name: digest(lines) for name, lines in lists.items()}
    equal = {name: digests[name] == value for name, (_, value) in known.lists.items()}
    if all(equal.values()):
        status = "matches"
    elif not any(equal.values()) and 2 * len(lists[known.utterances]) < known.lists[known.utterances][0]:
        status = "not a release"
    else:
        status = "differs"
    where: list[str] = []
    if status == "differs":
        for name, ids in known.ids.items():
            where += [] if equal[name] else id_differences(lists[name], ids())
        for name, totals in known.labels.items():
            where += changed_label(lists[name], known.lists[name][1], totals)
        where += differences(counts, known.counts)
        where += [
            f"list of {name}: {size} lines as in the release, but not the same ones"
            for name, (size, _) in known.lists.items()
            if len(lists[name]) == size and not equal[name]
        ]
    return {
        "status": status,
        "differences": where,
        "lists": {
            name: {"found": len(lists[name]), "known": size, "sha256": digests[name], "known_sha256": value}
            for name, (size, value) in known.lists.items()
        },
        "found": counts,
        "known": known.counts,
    }


def changed_label(lines: Sequence[str], known: str, totals: Mapping[str, int]) -> list[str]:
    """A line for the one label of `id TAB label` lines without which they would have the `known` digest, if any.

    The numbers per label say which two labels are concerned, so that only lines of one of them are tried.
    """
    found = Counter(line.partition("\t")[2] for line in lines)
    odd = {label: found[label] - totals.get(label, 0) for label in found.keys() | totals.keys()}
    more = [label for label, n in odd.items() if n > 0]
    fewer = [label for label, n in odd.items() if n < 0]
    if [odd[label] for label in more + fewer] != [1, -1]:
        return []
    ordered = sorted(line.encode() for line in lines)
    for place, line in enumerate(ordered):
        name, _, label = line.partition(b"\t")
        if label.decode() == more[0]:
            changed = [*ordered[:place], name + b"\t" + fewer[0].encode(), *ordered[place + 1 :]]
            if hashlib.sha256(b"\n".join(changed)).hexdigest() == known:
                return [f"utterance {name.decode()}: label {more[0]} instead of {fewer[0]}"]
    return []


def id_differences(found: Sequence[str], known: Sequence[str]) -> list[str]:
    """A line for every id that is missing, is not of the release, or comes more than once."""
    times = Counter(found)
    missing = sorted(set(known) - times.keys())
    extra = sorted(times.keys() - set(known))
    return [
        *(f"utterance {name}: of the release, but has no label line here" for name in missing),
        *(f"utterance {name}: labelled here, but not of the release" for name in extra),
        *(f"utterance {name}: {n} label lines" for name, n in sorted(times.items()) if n > 1),
    ]


def uncompared(counts: Counts) -> dict[str, Any]:
    """Content of check.json for a corpus without a reference."""
    return {"status": "no reference list", "differences": [], "lists": {}, "found": counts, "known": {}}


def differences(found: Counts, known: Counts) -> list[str]:
    """A line for every count that is not the known one."""
    return [
        f"{group} {key}: {found[group].get(key, 0)} instead of {known[group].get(key, 0)}"
        for group in known
        for key in sorted(found[group].keys() | known[group].keys())
        if found[group].get(key, 0) != known[group].get(key, 0)
    ]
