"""Corpora put together from real media, against the truth files of their builder.

More of them: COMPOSITE_SEEDS="1 2 3 4" python -m pytest tests/extractors/corpora/test_composite.py
"""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extractors import console
from extractors.files import read_csv, read_json, write_csv
from extractors.manifest import read_manifest
from extractors.store import FeatureStore

SEEDS = os.environ.get("COMPOSITE_SEEDS", "3").split()
LABELS = {"angry": "ang", "happy": "hap", "neutral": "neu", "sad": "sad"}
TYPES = {"iemocap": "iemocap", "msp-improv": "msp_improv"}
EVERYWHERE = {
    "zero_byte_wav": ("rejected", "audio", "wav: empty file"),
    "lying_wav_header": ("rejected", "audio", "wav: header promises"),
    "missing_transcript": ("rejected", "transcript", "no transcript"),
    "empty_transcript": ("rejected", "transcript", "transcript is empty"),
    "blank_transcript": ("rejected", "transcript", "only blanks"),
    "undecodable_avi": ("rejected", "video", "avi: unreadable"),
    "truncated_avi": ("rejected", "video", "avi: cut off"),
    "media_without_label": ("rejected", "label", "recorded or transcribed, but there is no"),
    "label_without_media": ("rejected", "audio", "missing"),
    "latin1_byte": ("remarks", "transcript", "not UTF-8, read as Latin-1"),
    "latin1_in_emoevaluation": ("remarks", "label", "not UTF-8, read as Latin-1"),
    "nan_rater_values": ("remarks", "label", "dominance"),
    "missing_wdseg": ("remarks", "alignment", "no forced alignment"),
    "duplicated_xx_turns": ("remarks", "transcript", "extra turn without label"),
    "short_utterance": ("remarks", "audio", "0.300 s long"),
    "long_utterance": ("remarks", "audio", " s long"),
    "misspelt_evaluation_file": ("remarks", "label", "Evalution.txt"),
}
"""File, stage and part of the reason with which each fault is found; `no_face` takes the pictures, see below."""


@pytest.fixture(params=[(layout, faults) for layout in TYPES for faults in (False, True)], ids=str)
def corpus(request: Any, composite: Callable[..., Path]) -> tuple[str, list[Path]]:
    layout, faults = request.param
    options = [*("--layout", layout), *(["--faults"] if faults else []), "--sessions", "3" if faults else "1"]
    return TYPES[layout], [composite(*options, "--seed", seed) for seed in SEEDS]


def test_row_by_row(corpus: tuple[str, list[Path]], tmp_path: Path) -> None:
    kind, roots = corpus
    for number, root in enumerate(roots):
        out = tmp_path / str(number)
        settings = {"type": kind, "root": str(root), "origin": "composite"}
        settings["sessions"] = sorted({row["session"] for row in read_csv(Path(f"{root}.truth.csv"))})
        argv = ["manifest", "--name", "small", "--corpus", json.dumps(settings), "--out-dir", str(out)]
        assert console.run("extractors", {"manifest": "lists"}, argv) == 0
        compare(root, out)
        for name in planted(root).get("no_face", []):
            assert "no face in any of its" in faceless(root, out, name)


def planted(root: Path) -> dict[str, list[str]]:
    """Ids by kind of fault."""
    path = Path(f"{root}.faults.json")
    faults = json.loads(path.read_text())["faults"] if path.exists() else []
    return {fault["kind"]: fault["ids"] for fault in faults}


def faceless(root: Path, out: Path, name: str) -> str:
    """Why the extraction has no video features of an utterance."""
    rows = [row for row in read_csv(out / "manifest.csv") if row["utterance"] == name]
    write_csv(out / "one.csv", [*rows[0]], rows)
    words = ["--manifest", str(out / "one.csv"), "--root", str(root), "--origin", "composite", "--device", "cpu"]
    assert console.run("extractors", {"video": "faces"}, ["video", *words, "--out", str(out / "one.h5")]) == 0
    with FeatureStore(out / "one.h5") as store:
        return str(store.problems[name])


def compare(root: Path, out: Path) -> None:
    truth = {row["utterance_id"]: row for row in read_csv(Path(f"{root}.truth.csv"))}
    found: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for file, column in (("rejected", "reason"), ("remarks", "remark")):
        found[file] = defaultdict(list)
        for row in read_csv(out / f"{file}.csv"):
            assert row["origin"] == "composite"
            found[file][row["utterance"]].append((row["stage"], row[column]))

    unusable = set()
    for fault, names in planted(root).items():
        if fault == "no_face":
            continue
        file, stage, words = EVERYWHERE[fault]
        for name in names or [""]:
            dropped = name in truth and not truth[name]["emotion4"] and fault != "media_without_label"
            where = found["remarks"] if dropped else found[file]
            assert any(stage == s and words in text for s, text in where[name]), (fault, name, dict(where))
            unusable |= {name} if file == "rejected" else set()

    kept = {row.utterance: row for row in read_manifest(out / "manifest.csv")}
    assert list(kept) == sorted(name for name, row in truth.items() if row["emotion4"] and name not in unusable)
    assert set(found["rejected"]) == truth.keys() - kept.keys()
    for name, row in kept.items():
        known = truth[name]
        shown = (row.session, row.speaker, LABELS[row.label], row.text, row.crop)
        assert shown == tuple(known[key] for key in ("session", "speaker", "emotion4", "text", "half"))
        if known["half"] != "full":
            assert (f"{row.video_start:.4f}", f"{row.video_end:.4f}") == (known["start"], known["end"])
            assert row.dialogue == known["dialog"]
        assert (root / row.audio).stem == name
        assert (root / row.audio).is_file()
        assert (root / row.video).is_file()
    for name in found["rejected"]:
        if name not in unusable:
            (reason,) = found["rejected"][name]
            assert reason[0] in ("label", "subset")
            assert truth[name]["emotion4"] == ""
    assert read_json(out / "check.json")["status"] == "not a release"


def test_the_builder_plants_nothing_that_is_not_looked_for(composite: Callable[..., Path]) -> None:
    for layout in TYPES:
        root = composite("--layout", layout, "--faults", "--sessions", "3", "--seed", SEEDS[0])
        assert planted(root).keys() - {"no_face"} <= EVERYWHERE.keys()
        with Path(f"{root}.truth.csv").open(newline="") as stream:
            assert {row["fault"] for row in csv.DictReader(stream)} >= {"zero_byte_wav", "no_face", "latin1_byte"}
