from __future__ import annotations

import hashlib
from collections import Counter

from extractors.corpora.check import Known, compare, differences, digest, tally, uncompared
from extractors.corpora.iemocap_release import KNOWN, Turn, counts, dialogues, lists, utterances
from tests.extractors.corpora.iemocap_tree import imitation


def test_digest_of_hand_sorted_lines() -> None:
    assert digest(["b", "a\tz", "B"]) == hashlib.sha256(b"B\na\tz\nb").hexdigest()
    assert digest(["\u00e9", "z"]) == hashlib.sha256("z\n\u00e9".encode()).hexdigest()


def test_the_dialogue_table_gives_the_known_digest() -> None:
    sizes = dialogues()
    assert (len(sizes), digest(sizes)) == KNOWN.lists["dialogues"]
    assert sum(sizes.values()) == 10039
    assert sum(n for name, n in sizes.items() if "impro" in name) == 4784
    assert Counter(name[4] for name in sizes) == {"1": 28, "2": 30, "3": 32, "4": 30, "5": 31}
    sessions = Counter[str]()
    for name, n in sizes.items():
        sessions[name[4]] += n
    assert sessions == {"1": 1819, "2": 1811, "3": 2136, "4": 2103, "5": 2170} == KNOWN.counts["session"]
    assert sizes["Ses03M_impro05b"] == 66
    assert sizes["Ses05M_script01_1b"] == 81
    assert sizes["Ses05M_script01_2"] == 35
    assert sizes["Ses04F_impro07"] == 167
    assert sizes["Ses04M_script03_2"] == 110


def test_known_tables_agree_with_the_totals_of_the_release() -> None:
    known = KNOWN.counts
    assert known["class"] == {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
    codes = Counter[str]()
    for key, n in known["session and code"].items():
        codes[key.split()[1]] += n
    release = {"xxx": 2507, "fru": 1849, "neu": 1708, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595}
    assert codes == {**release, "sur": 107, "fea": 40, "oth": 3, "dis": 2}
    pairs = [known["speaker"][f"{session}F"] + known["speaker"][f"{session}M"] for session in "12345"]
    assert pairs == [1085, 1023, 1151, 1031, 1241]
    for session in "12345":
        for label, parts in {"angry": ["ang"], "happy": ["hap", "exc"], "neutral": ["neu"], "sad": ["sad"]}.items():
            speakers = sum(known["speaker and class"][f"{session}{who} {label}"] for who in "FM")
            assert speakers == sum(known["session and code"][f"{session} {code}"] for code in parts)


def test_all_ids_give_the_known_digest() -> None:
    names = utterances()
    assert (len(names), digest(names)) == KNOWN.lists["utterances"]
    markers = sum(name[5] == name[-4] for name in names)
    assert (markers, len(names) - markers) == (5088, 4951)
    assert tally(name.rsplit("_", 1)[0] for name in names) == dialogues()


def test_counting_a_release_of_the_right_shape() -> None:
    turns = imitation()
    assert counts(turns) == KNOWN.counts
    found = compare(lists(turns), counts(turns), KNOWN)
    assert found["status"] == "differs"
    assert [row["found"] for row in found["lists"].values()] == [151, 10039, 10039, 5531, 5531]
    same = [row["sha256"] == row["known_sha256"] for row in found["lists"].values()]
    assert same == [True, True, False, False, False]
    assert len(found["differences"]) == 3
    assert all(line.startswith("list of ") for line in found["differences"])


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
