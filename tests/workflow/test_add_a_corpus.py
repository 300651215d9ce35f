"""docs/add-a-corpus.md, executed: its files are written, its commands run, and its rejected.csv comes out."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from extractors.files import read_csv, read_json
from tests.workflow.project import ROOT, Project, copy_project

TABLE, MODULE = (ROOT / "docs" / "add-a-corpus.md").read_text().split("\n## With a module\n")
RATE = 16_000


def blocks(part: str, language: str) -> list[str]:
    """Code blocks of a part of the page, without their indentation."""
    return [
        textwrap.dedent(text) for text in re.findall(rf"^ *```{language}\n(.*?)^ *```$", part, re.DOTALL | re.MULTILINE)
    ]


def tone(seconds: float) -> np.ndarray:
    return (3000 * np.sin(np.arange(round(RATE * seconds)) / 7)).astype(np.int16)


def write_medium(path: Path, seconds: float = 3.0) -> None:
    """A wav of a tone, or a film with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".wav":
        soundfile.write(path, tone(seconds), RATE)
        return
    with av.open(str(path), "w") as out:
        pictures, sound = out.add_stream("mpeg4", rate=10), out.add_stream("aac", rate=RATE, layout="mono")
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        heard = av.AudioFrame.from_ndarray(tone(seconds)[None], format="s16", layout="mono")
        heard.sample_rate = RATE
        for shade in range(round(10 * seconds)):
            picture = np.full((48, 64, 3), 5 * shade, np.uint8)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(pictures.encode(None))
        for frame in av.AudioResampler(sound.format.name, frame_size=sound.frame_size).resample(heard):
            out.mux(sound.encode(frame))
        out.mux(sound.encode(None))


def run(project: Project, part: str) -> Iterator[str]:
    """Output of every command of a part; a run of the whole DAG is only planned."""
    for line in "".join(blocks(part, "sh")).splitlines():
        program, *words = shlex.split(line)
        if program == "snakemake":
            more = [] if "/manifest.csv" in line else ["--dry-run"]
            job = project.snakemake(*words, *more, configfile=None)
        else:
            assert program == "python"
            command = [sys.executable, *words]
            job = subprocess.run(command, cwd=project.folder, capture_output=True, text=True, check=False)
        assert job.returncode == 0, f"{line}\n{job.stdout}{job.stderr}"
        yield job.stdout


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return copy_project(tmp_path / "project")


def test_a_table(project: Project) -> None:
    root = project.folder / "data" / "rehearsals"
    content, rejected = blocks(TABLE, "csv")
    root.mkdir(parents=True)
    (root / "utterances.csv").write_text(content)
    (project.folder / "rehearsals.yaml").write_text(*blocks(TABLE, "yaml"))
    rows = list(csv.DictReader(content.splitlines()))
    for name in {row[column] for row in rows for column in ("audio", "video")}:
        write_medium(root / name)
    checked, _, planned = run(project, TABLE)
    assert "11 utterances kept, 1 rejected" in checked
    assert "table2" in planned
    made = project.folder / "results" / "corpora" / "rehearsals"
    assert (made / "rejected.csv").read_text() == rejected
    kept = {row["utterance"]: row for row in read_csv(made / "manifest.csv")}
    assert list(kept) == [row["utterance"] for row in rows if row["utterance"] not in ("u08", "u09")]
    assert {name: row["dialogue"] for name, row in kept.items()} == {
        row["utterance"]: row["dialogue"] or row["utterance"] for row in rows if row["utterance"] in kept
    }
    long = kept["u06"]
    assert (long["crop"], long["audio_start"], long["video_end"]) == ("right", "1.0", "1.7")
    assert (kept["u01"]["crop"], kept["u01"]["audio_start"]) == ("full", "")
    check = read_json(made / "check.json")
    assert check["classes"] == ["angry", "happy", "neutral", "sad"]
    assert check["kept"]["session"] == {"monday": 4, "tuesday": 3, "wednesday": 3}


def test_a_module(project: Project) -> None:
    settings, types, module = blocks(MODULE, "python")
    assert len(module.splitlines()) <= 45
    source = project.folder / "extractors" / "settings.py"
    lines = source.read_text().splitlines(keepends=True)
    place = next(index for index, line in enumerate(lines) if line.startswith("AnyCorpus = "))
    assert set(re.findall(r"\w+", lines[place])) < set(re.findall(r"\w+", types))
    source.write_text("".join([*lines[:place], settings, "\n\n", types, *lines[place + 1 :]]))
    (project.folder / "extractors" / "corpora" / "acted_clips.py").write_text(module)
    (project.folder / "acted.yaml").write_text(*blocks(MODULE, "yaml"))
    for name in ("1_ola_NEU_RAIN", "1_ola_HAP_WHERE", "2_mara_ANG_RAIN", "2_mara_FEA_WHERE", "2_mara_XXX_RAIN"):
        write_medium(project.folder / "data" / "acted" / "clips" / f"{name}.mp4", seconds=1.0)
    list(run(project, MODULE))
    assert "acted_clips" in (project.folder / "workflow" / "schemas" / "config.schema.json").read_text()
    made = project.folder / "results" / "corpora" / "acted"
    assert [(row["session"], row["speaker"], row["label"]) for row in read_csv(made / "manifest.csv")] == [
        ("1", "ola", "happy"), ("1", "ola", "neutral"), ("2", "mara", "angry"), ("2", "mara", "fearful"),
    ]  # fmt: skip
    assert [row["utterance"] for row in read_csv(made / "rejected.csv")] == ["2_mara_XXX_RAIN"]
    assert read_json(made / "check.json")["classes"] == ["angry", "fearful", "happy", "neutral"]


def test_reasons_outlast_a_job_that_fails_for_them(project: Project) -> None:
    root = project.folder / "data" / "half"
    write_medium(root / "a.mp4", seconds=1.0)
    rows = [f"u{n},{session},x,{label},hi,{file},{file}" for n, (session, label, file) in enumerate(
        [("01", "happy", "a.mp4"), ("01", "sad", "a.mp4"), ("02", "sad", "A.mp4"), ("02", "happy", "b.mp4")]
    )]  # fmt: skip
    (root / "utterances.csv").write_text("\n".join(["utterance,session,speaker,label,text,audio,video", *rows, ""]))
    (project.folder / "half.yaml").write_text("corpora:\n  half: {type: table, root: data/half}\n")
    made = project.folder / "results" / "corpora" / "half"
    failed = project.snakemake("results/corpora/half/manifest.csv", configfile="half.yaml")
    assert failed.returncode != 0
    assert "no usable utterance of session 02 in data/half; audio: mp4: missing (2 times), such as u2" in failed.stdout
    assert [row["reason"] for row in read_csv(made / "rejected.csv")] == [
        "mp4: missing: A.mp4; there is a.mp4", "mp4: missing: b.mp4",
    ]  # fmt: skip
    assert not (made / "manifest.csv").exists()
    (project.folder / "half.yaml").write_text("corpora:\n  half: {type: table, root: data/half, sessions: [01, 02]}\n")
    planned = project.snakemake("-n", "results/corpora/half/manifest.csv", configfile="half.yaml")
    assert 'name two or more of 01, 02, each once; put those with a leading zero in quotation marks, such as "01"' in (
        planned.stdout
    )
