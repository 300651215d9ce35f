from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

from extractors.corpora.iemocap_release import KNOWN, Turn, counts, lists
from extractors.corpora.reference import Known, compare, differences, digest, tally, uncompared
from tests.extractors.corpora.iemocap_tree import imitation


def test_digest_of_hand_sorted_lines() -> None:
    assert digest(["b", "a\tz", "B"]) == hashlib.sha256(b"B\na\tz\nb").hexdigest()
    assert digest(["\u00e9", "z"]) == hashlib.sha256("z\n\u00e9".encode()).hexdigest()


def test_differences_name_every_id_that_is_missing_or_too_many() -> None:
    turns = imitation()
    kept = [turn for turn in turns if turn.utterance not in ("Ses02M_impro03_F004", "Ses05M_script01_1b_F000")]
    extra = [
        Turn("Ses02M_impro03_F999", 0.0, 1.0, "neu"),
        next(t for t in turns if t.utterance == "Ses01F_impro01_F000"),
    ]
    changed = kept + extra
    found = compare(lists(changed), counts(changed), KNOWN)["differences"]
    assert [line for line in found if line.startswith("utterance")] == [
        "utterance Ses02M_impro03_F004: of the release, but has no label line here",
        "utterance Ses05M_script01_1b_F000: of the release, but has no label line here",
        "utterance Ses02M_impro03_F999: labelled here, but not of the release",
        "utterance Ses01F_impro01_F000: 2 label lines",
    ]
    assert "dialogue Ses05M_script01_1b: 80 instead of 81" in found
    assert "session 5: 2169 instead of 2170" in found
    assert not any(line.startswith("dialogue Ses05M_script01_1:") for line in found)


def test_a_single_changed_label_is_named() -> None:
    turns = imitation()
    codes = lists(turns)["codes"]
    made_up = replace(KNOWN, lists=KNOWN.lists | {"codes": (10039, digest(codes))})
    assert KNOWN.labels["codes"] == Counter(line.split("\t")[1] for line in codes)

    def named(*changes: tuple[int, str]) -> list[str]:
        changed = list(turns)
        for place, code in changes:
            changed[place] = replace(changed[place], code=code)
        found = compare(lists(changed), counts(changed), made_up)["differences"]
        return [line for line in found if line.startswith("utterance")]

    wrong = next(place for place, turn in enumerate(turns) if turn.code == "sad")
    name = turns[wrong].utterance
    assert named() == []
    assert named((wrong, "fru")) == [f"utterance {name}: label fru instead of sad"]
    assert named((wrong, "new")) == [f"utterance {name}: label new instead of sad"]
    assert named((wrong, "fru"), (wrong + 1, "dis")) == []


def test_a_corpus_without_reference() -> None:
    check = uncompared({"class": {"a": 1}})
    assert (check["status"], check["differences"], check["found"]) == ("no reference list", [], {"class": {"a": 1}})


def test_status() -> None:
    lines = {"ids": ["a", "b", "c", "d"], "labels": ["a\t1", "b\t1", "c\t2", "d\t2"]}
    known = Known({name: (4, digest(rows)) for name, rows in lines.items()}, {"class": {"1": 2, "2": 2}}, "ids")

    def status(ids: str, labels: str) -> str:
        rows = [f"{name}\t{label}" for name, label in zip(ids, labels, strict=True)]
        return str(compare({"ids": list(ids), "labels": rows}, {"class": tally(labels)}, known)["status"])

    assert status("dcba", "2211") == "matches"
    assert status("abcd", "1212") == "differs"
    assert status("ab", "11") == "differs"
    assert status("a", "1") == "not a release"
    assert status("abcda", "11221") == "differs"


def test_few_utterances_with_one_list_complete_are_a_damaged_release() -> None:
    known = Known({"dialogues": (1, digest(["d"])), "ids": (9, digest("abcdefghi"))}, {}, "ids")
    assert compare({"dialogues": ["d"], "ids": ["a"]}, {}, known)["status"] == "differs"
    assert compare({"dialogues": ["e"], "ids": ["a"]}, {}, known)["status"] == "not a release"


def test_differences_look_both_ways() -> None:
    assert differences({"class": {"x": 1, "y": 2}}, {"class": {"y": 2, "z": 3}}) == [
        "class x: 1 instead of 0",
        "class z: 0 instead of 3",
    ]
