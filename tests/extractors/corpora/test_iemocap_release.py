from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from extractors.corpora import Rejected, iemocap
from extractors.corpora.iemocap_release import KNOWN, counts, dialogues, lists, utterances
from extractors.corpora.reference import compare, digest, tally
from extractors.settings import Iemocap
from tests.extractors.corpora.iemocap_tree import EXTRA_TURNS, imitation, write_release


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


def test_full_size_release_is_read_in_seconds(tmp_path: Path) -> None:
    expected = write_release(tmp_path)
    corpus = Iemocap(type="iemocap", root=str(tmp_path))
    began = time.process_time()
    listing = iemocap.read(corpus, iemocap.SESSIONS)
    assert time.process_time() - began < 5
    assert (len(expected), len(listing.rows), len(listing.passed_over)) == (10039, 5531, 4508)
    assert {(row.utterance, row.label) for row in listing.rows} == {(t.utterance, t.label) for t in expected if t.label}
    assert len(listing.rejected) == len(listing.passed_over)
    assert len(listing.ratings) == 10039
    extra = [remark for remark in listing.remarks if "extra turn" in remark.remark]
    assert (len(extra), sum("2 lines" in remark.remark for remark in extra)) == (EXTRA_TURNS - 2, 2)
    for name in ("dialogues", "utterances"):
        assert listing.check["lists"][name]["sha256"] == KNOWN.lists[name][1]
    assert listing.check["found"] == KNOWN.counts
    path = tmp_path / "Session3/dialog/EmoEvaluation/Ses03M_impro05b.txt"
    path.write_text(path.read_text().replace("\tSes03M_impro05b_F007\t", "\tSes03M_impro05b_F07\t"))
    damaged = iemocap.read(corpus, iemocap.SESSIONS)
    assert damaged.check["differences"][0] == (
        "utterance Ses03M_impro05b_F007: of the release, but has no label line here"
    )
    assert "dialogue Ses03M_impro05b: 65 instead of 66" in damaged.check["differences"]
    (broken,) = [row for row in damaged.rejected if row.utterance == "Ses03M_impro05b"]
    assert broken == Rejected(broken.utterance, "label", "line 45 of the label file begins like a label but is none")
