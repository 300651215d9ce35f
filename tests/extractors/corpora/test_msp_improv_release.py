from __future__ import annotations

import hashlib
import time
from collections import Counter
from pathlib import Path

import pytest

from extractors.corpora import Listing
from extractors.corpora.msp_improv_labels import Clip
from extractors.corpora.msp_improv_release import EXCLUDED, KNOWN, counts, in_subset, lists
from extractors.corpora.reference import compare, digest
from tests.extractors.corpora.msp_tree import (
    EXCLUDED_LETTERS,
    LETTERS,
    SCENARIOS,
    SUBSET,
    listing,
    release_letters,
    release_tree,
)

CLASSES = ("angry", "happy", "neutral", "sad")


def clip(name: str, letter: str) -> Clip:
    return Clip(None, 1.0, None, 2.0, name, letter, (), 0, True)


def who(actor: str) -> str:
    return actor[-1] + actor[0]


def test_the_excluded_clips_have_the_known_digest() -> None:
    lines = sorted(EXCLUDED)
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == KNOWN.lists["excluded utterances"][1]
    assert KNOWN.lists["excluded utterances"] == (
        121,
        "e140c7c17ea0a3dfab6b559299069cd68a2bf10a8fa5e0bdfe39ff6ad7e0e2c8",
    )
    assert len(lines) == sum(EXCLUDED_LETTERS) == 121
    assert Counter(name.split("-")[3] for name in lines) == Counter(
        {"F01": 1, "F02": 11, "F03": 5, "F04": 8, "F05": 13, "F06": 28}
        | {"M02": 5, "M03": 7, "M04": 9, "M05": 17, "M06": 17}
    )
    assert {name.split("-")[4] for name in lines} == {"S"}


def test_known_counts_are_the_published_tables() -> None:
    known = KNOWN.counts
    for scenario, row in LETTERS.items():
        for letter, n in zip("AHNSOX", row, strict=True):
            assert known["scenario and letter"][f"{scenario} {letter}"] == n
    for actor, row in SCENARIOS.items():
        for scenario, n in zip("PRST", row[:4], strict=True):
            assert known["speaker and scenario"].get(f"{who(actor)} {scenario}", 0) == n
        assert known["speaker"][who(actor)] == row[4]
    for actor, row in SUBSET.items():
        for name, n in zip(CLASSES, row[:4], strict=True):
            assert known["subset: speaker and class"][f"{who(actor)} {name}"] == n
        assert known["subset: speaker"][who(actor)] == row[4]
    assert known["class"] == {"angry": 792, "happy": 2644, "neutral": 3477, "sad": 885}
    assert known["subset: class"] == {"angry": 460, "happy": 999, "neutral": 1733, "sad": 627}
    assert known["session"] == {"1": 989, "2": 1432, "3": 1777, "4": 1113, "5": 1505, "6": 1622}
    totals = {name: sum(group.values()) for name, group in known.items()}
    assert totals == {
        **dict.fromkeys(("speaker", "session", "scenario and letter", "speaker and scenario"), 8438),
        **dict.fromkeys(("subset: class", "subset: speaker", "subset: speaker and class"), 3819),
        "class": 7798,
    }
    for i, letter in enumerate("AHNS"):
        assert known["subset: class"][CLASSES[i]] == LETTERS["S"][i] - EXCLUDED_LETTERS[i], letter


def test_the_subset_is_scenario_s_with_a_class_and_without_the_excluded() -> None:
    first = min(EXCLUDED)
    other = first.replace("-F05-", "-F01-")
    assert not in_subset(clip(first, "A"))
    assert in_subset(clip(other, "A"))
    assert not in_subset(clip(other, "X"))
    assert not in_subset(clip(other.replace("-S-", "-P-"), "A"))


def test_a_release_of_the_right_shape_differs_only_in_its_ids() -> None:
    clips = [clip(name, letter) for name, letter in release_letters().items()]
    assert counts(clips) == KNOWN.counts
    found = compare(lists(clips), counts(clips), KNOWN)
    assert found["status"] == "differs"
    assert [row["found"] for row in found["lists"].values()] == [8438, 8438, 7798, 3819, 3819, 121]
    same = [name for name, row in found["lists"].items() if row["sha256"] == row["known_sha256"]]
    assert same == ["excluded utterances"]


def test_a_lost_clip_shows_in_every_count_it_was_part_of() -> None:
    letters = release_letters()
    del letters[next(name for name, letter in letters.items() if "-M02-S-" in name and letter == "H")]
    clips = [clip(name, letter) for name, letter in letters.items()]
    lines = compare(lists(clips), counts(clips), KNOWN)["differences"]
    for line in (
        "class happy: 2643 instead of 2644",
        "speaker 2M: 693 instead of 694",
        "session 2: 1431 instead of 1432",
        "scenario and letter S H: 1047 instead of 1048",
        "speaker and scenario 2M S: 303 instead of 304",
        "subset: speaker and class 2M happy: 59 instead of 60",
    ):
        assert line in lines


def test_unlabelled_clips_of_the_excluded_ones_are_named() -> None:
    letters = release_letters()
    lost = sorted(EXCLUDED)[::60]
    clips = [clip(name, letter) for name, letter in letters.items() if name not in lost]
    named = [line for line in compare(lists(clips), counts(clips), KNOWN)["differences"] if "MSP-IMPROV" in line]
    assert named == [f"utterance {name}: of the release, but has no label line here" for name in lost]


def test_the_lists_hold_ids_and_letters() -> None:
    names = {"MSP-IMPROV-S01A-F01-S-FM01": "A", "MSP-IMPROV-S01A-F01-P-FM02": "H", "MSP-IMPROV-S01A-F01-S-FM03": "X"}
    names[min(EXCLUDED)] = "S"
    first, second, third, excluded = names
    assert lists([clip(*item) for item in names.items()]) == {
        "utterances": [first, second, third, excluded],
        "consensus letters": [f"{first}\tA", f"{second}\tH", f"{third}\tX", f"{excluded}\tS"],
        "four-class labels": [f"{first}\tA", f"{second}\tH", f"{excluded}\tS"],
        "subset utterances": [first],
        "subset labels": [f"{first}\tA"],
        "excluded utterances": [excluded],
    }
    assert digest(lists([])["utterances"]) == hashlib.sha256(b"").hexdigest()


Found = tuple[Path, dict[str, set[str]], Listing, float]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Found:
    tree, odd = release_tree(tmp_path_factory.mktemp("release") / "corpus")
    begin = time.process_time()
    found = listing(tree.root)
    return tree.root, odd, found, time.process_time() - begin


def test_a_whole_release(release: Found) -> None:
    _, odd, found, seconds = release
    assert seconds < 5
    assert found.check["found"] == KNOWN.counts
    assert len(found.rows) == sum(KNOWN.counts["subset: speaker"].values()) == 3819
    assert Counter(row.label for row in found.rows) == KNOWN.counts["subset: class"]
    assert Counter(f"{row.speaker} {row.label}" for row in found.rows) == KNOWN.counts["subset: speaker and class"]
    assert Counter(row.session for row in found.rows).keys() == set("123456")
    assert len(found.rows) + len(found.rejected) == len(found.ratings) == 8438
    stages = Counter(row.stage for row in found.rejected)
    assert stages == {"label": 555 + 85, "subset": 121 + 652 + 620 + 2785 - 1 - 11 - 3 - 39 - 11 - 134}
    kept = {row.utterance for row in found.rows}
    assert set(found.wordless) == kept & (odd["missing"] | odd["empty"] | odd["blank"])
    known = {
        "no value for naturalness in the consensus line": odd["no mean"],
        "rater lines without a value: 1": odd["no value"],
        "rater lines that repeat another: 1": odd["repeated"],
        "rater lines that cannot be read: 1": odd["damaged"],
        "not UTF-8, read as Latin-1": odd["latin-1"] & kept,
    }
    seen: dict[str, set[str]] = {remark: set() for remark in known}
    for remark in found.remarks:
        seen[remark.remark].add(remark.utterance)
    assert seen == known


def test_ids_that_are_made_up_do_not_have_the_known_digests(release: Found) -> None:
    check = release[2].check
    assert check["status"] == "differs"
    same = [name for name, row in check["lists"].items() if row["sha256"] == row["known_sha256"]]
    assert same == ["excluded utterances"]
    assert all(row["found"] == row["known"] for row in check["lists"].values())
    assert not any("instead of" in line for line in check["differences"])


def test_all_four_class_clips_of_a_release(release: Found) -> None:
    found = listing(release[0], subset="all")
    assert len(found.rows) == 7798
    assert Counter(row.label for row in found.rows) == KNOWN.counts["class"]
    assert {row.stage for row in found.rejected} == {"label"}
    assert found.check == release[2].check
