"""Whatever a table or a folder holds, each of its utterances is kept or rejected, in the listing and in the files."""

from __future__ import annotations

import contextlib
import csv
import io
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from extractors import manifest
from extractors.corpora import table
from extractors.corpora.iemocap_release import CLASSES
from extractors.files import UserError, read_csv
from extractors.settings import Iemocap, MspImprov, Table
from tests.extractors.corpora.conftest import Line, Tree, picture_file
from tests.extractors.corpora.msp_tree import MspTree, block
from tests.extractors.corpora.table_rows import GOOD

NUMBER = count()
SPOILT = {
    "utterance": ["", "u1", "x" * 201, "a\x07b", "row 3"],
    "session": ["", "?", "a/b", "nan", "2.0", "lost"],
    "speaker": ["", " ", "\u200b"],
    "label": ["", "-1", "HAPPY", " Sad ", "None", "bored"],
    "text": ["", "\x00", "two\nlines", "He said \u201cno\u201d", 'quoted "twice"'],
    "audio": ["", "b.wav", "A.WAV", "../a.wav", "nan", "empty.wav"],
    "video": ["", "b.avi", "/a.avi", "a.wav", "x\\a.avi"],
    "start": ["0.01", "-1", "nan", "1e-2", "0:01"],
    "end": ["0.09", "9e-2", "1,5", "99"],
    "crop": ["left", "top"],
    "dialogue": ["d1", "NA"],
}
RIGHT = {"session": ["1", "2", "3"], "label": ["happy", "sad", "angry"]}
ROW = st.fixed_dictionaries(
    {column: st.sampled_from(cells) for column, cells in RIGHT.items()},
    optional={column: st.sampled_from(cells) for column, cells in SPOILT.items() if column not in RIGHT},
)
WORSE = st.sampled_from(list(RIGHT)).flatmap(
    lambda column: st.sampled_from(SPOILT[column]).map(lambda cell: {column: cell})
)
BROKEN = [
    "u5,1,Ann",
    "u6,1,Ann,sad,,a.wav,a.avi,,,,,,x",
    'u7,1,Ann,sad,"open,a.wav,a.avi,,,,',
    'u8,1,"A"nn,sad',
    "'",
    "u9,1,Ann,sad,Well,a.wav,a.avi",
]
LINE = st.one_of(ROW, ROW, ROW, WORSE, st.sampled_from(BROKEN))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one good sound and film and one empty sound."""
    root = tmp_path_factory.mktemp("media")
    soundfile.write(root / "a.wav", np.zeros(1600), 16_000)
    picture_file(root / "a.avi")
    (root / "empty.wav").touch()
    return root


def written(name: str, corpus: Any, out: Path) -> tuple[list[str], list[str]]:
    """Ids that are kept and rejected by the files, which are there whether the corpus is usable or not."""
    listing = manifest.read(name, corpus)
    assert listing.size == len(listing.rows) + len(listing.rejected)
    assert f"; {listing.size} listed" in manifest.summary(name, listing)[0]
    with contextlib.suppress(UserError):
        manifest.finish(name, corpus, listing, out)
    kept, rejected = ([row["utterance"] for row in read_csv(out / f"{kind}.csv")] for kind in ("manifest", "rejected"))
    assert len(kept) == len(set(kept))
    assert not set(kept) & set(rejected)
    return kept, rejected


@examples(max_examples=80, deadline=None)
@given(
    st.lists(LINE, min_size=1, max_size=12),
    st.sampled_from([None, ("happy", "sad"), ("bored", "HAPPY")]),
    st.sampled_from([None, ("1",), ("1", "lost"), ("2", "3")]),
    st.sampled_from(["reject", "keep"]),
)
def test_rows_of_a_table(media: Path, lines: list[Any], classes: Any, sessions: Any, empty: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(GOOD)
    ids = set()
    for number, line in enumerate(lines, 1):
        if isinstance(line, str):
            out.write(f"{line}\n,,,,\n\n")
        else:
            cells = {**GOOD, "utterance": f"u{100 + number}", **line}
            writer.writerow(cells.values())
            if cells["utterance"].isprintable() and 0 < len(cells["utterance"]) <= 200 and "\0" not in cells["text"]:
                ids.add(cells["utterance"])
    file = f"{next(NUMBER)}.csv"
    (media / file).write_text(out.getvalue())
    policy = {"empty_transcript": empty}
    corpus = Table(type="table", root=str(media), file=file, classes=classes, sessions=sessions, policy=policy)
    known = {row.session for row in [*table.read(corpus, ()).rejected]} | {*table.sessions(corpus)}
    if sessions and table.sessions(corpus) and not known >= {*sessions}:
        with pytest.raises(UserError, match="no session"):
            manifest.read("small", corpus)
        return
    kept, rejected = written("small", corpus, media / "out")
    assert len(kept) + len(rejected) == len(lines)
    if not any(isinstance(line, str) for line in lines):
        assert ids <= {*kept, *rejected}


CODES = st.lists(st.tuples(st.sampled_from("12345"), st.sampled_from([*CLASSES, "xxx", "fru", "Xy", ""])), max_size=8)


@examples(max_examples=25, deadline=None)
@given(CODES, st.sampled_from([None, ("1",), ("1", "2"), ("5",)]), st.booleans())
def test_turns_of_iemocap(
    tmp_path_factory: pytest.TempPathFactory, codes: list[tuple[str, str]], sessions: Any, with_media: bool
) -> None:
    tree = Tree(tmp_path_factory.mktemp("turns") / "corpus")
    tree.dialogue("Ses01F_impro01", [Line("F000", 1, 2, "ang")], media=with_media)
    ids = {"Ses01F_impro01_F000"}
    for number, (session, code) in enumerate(codes):
        name = f"Ses0{session}M_script0{number % 3 + 1}_1"
        if tree.labels(name).exists():
            continue
        tree.dialogue(name, [Line("F000", 1, 2, code), Line("M001", 3, 2, "sad")], media=with_media and number % 2 == 0)
        soundfile.write(tree.wav(f"{name}_M007"), np.zeros(1600), 16_000)
        ids |= {f"{name}_F000", f"{name}_M001", f"{name}_M007"}
    corpus = Iemocap(type="iemocap", root=str(tree.root), sessions=sessions)
    kept, rejected = written("small", corpus, tree.root.parent / "out")
    assert ids == {name for name in (*kept, *rejected) if name.rsplit("_", 1)[1][1:].isdigit()}


CLIPS = st.lists(
    st.tuples(st.sampled_from("123456"), st.sampled_from("PRST"), st.sampled_from("AHNSOX"), st.booleans()), max_size=8
)


@examples(max_examples=25, deadline=None)
@given(CLIPS, st.sampled_from([None, ("1",), ("2", "6")]), st.sampled_from(["mmin", "all"]))
def test_clips_of_msp_improv(
    tmp_path_factory: pytest.TempPathFactory, clips: list[tuple[str, str, str, bool]], sessions: Any, subset: str
) -> None:
    tree = MspTree(tmp_path_factory.mktemp("clips") / "corpus")
    tree.clip("MSP-IMPROV-S01A-F01-S-FM01", "A")
    ids = {"MSP-IMPROV-S01A-F01-S-FM01"}
    for number, (session, scenario, letter, labelled) in enumerate(clips, 2):
        name = f"MSP-IMPROV-S02H-M0{session}-{scenario}-FM{number:02d}"
        ids.add(name)
        if labelled:
            tree.label(block(name, letter) * (1 + number % 2))
        tree.words(name).write_text("Hello.")
    corpus = MspImprov(type="msp_improv", root=str(tree.root), subset=subset, sessions=sessions)
    kept, rejected = written("small", corpus, tree.root.parent / "out")
    assert ids == {*kept, *rejected}
    assert len(kept) + len(rejected) == len(ids)
