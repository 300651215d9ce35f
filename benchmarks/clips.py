"""A corpus of type `table` out of eleven real clips (flv, mpg, mp4), from their files to table2.csv.

    python benchmarks/clips.py --clips ../shared/data/clips --out /tmp/clips

Sound and picture of an utterance come from the same file, which no other corpus here has. Each clip is cut into as many
spans as there are sessions, and every session has one span of each clip: so the same recording is in training and
test, one actor speaks most of them, and a class has as few as three utterances. This shows that the road is passable;
its figures say nothing at all. Clips without an emotion form a class of their own. Two clips of emotions that are not
among the classes show what rejected.csv says.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

import av
import yaml
from composite import configuration, run

from extractors.corpora.table_records import OPTIONAL, REQUIRED
from extractors.files import read_csv, write_csv

CLASSES = ["angry", "happy", "neutral", "sad", "unlabelled"]
SESSIONS = ["begin", "middle", "end"]


def spans(clip: Path) -> Iterator[tuple[str, float, float]]:
    """Session, start and end in seconds of every part of a clip."""
    with av.open(str(clip)) as container:
        assert container.duration is not None
        part = container.duration / av.time_base / len(SESSIONS)
    for index, session in enumerate(SESSIONS):
        yield session, round(index * part, 3), round((index + 1) * part, 3)


def build(clips: Path, root: Path) -> None:
    """Copies of the clips, and the table that describes them."""
    root.mkdir(parents=True)
    rows = []
    for clip in read_csv(clips / "clips.csv"):
        path = root / clip["file"]
        shutil.copy(clips / path.name, path)
        for session, start, end in spans(path):
            values = {
                "utterance": f"{path.stem}_{session}",
                "session": session,
                "speaker": clip["source"],
                "label": clip["emotion"] or "unlabelled",
                "text": clip["text"],
                "audio": path.name,
                "video": path.name,
                "start": start,
                "end": end,
                "crop": "",
                "dialogue": "",
            }
            rows.append(values)
    write_csv(root / "utterances.csv", [*REQUIRED, *OPTIONAL], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips.csv: file, source, emotion, text")
    parser.add_argument("--out", type=Path, required=True, help="folder for corpus, encoders and results")
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    out = args.out.absolute()
    if not (out / "corpus").exists():
        build(args.clips, out / "corpus")
    content = yaml.safe_load(configuration(out).read_text())
    content["corpora"] = {
        "clips": {"type": "table", "root": str(out / "corpus"), "classes": CLASSES, "origin": "composite"}
    }
    for system in content["systems"].values():
        system["training"] = {"epochs": 2}
    path = out / "clips.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    table = out / "results" / "table2.csv"
    taken = run("-m", "snakemake", table, "--cores", args.cores, "--configfile", path)
    print(table.with_suffix(".md").read_text())
    rejected = read_csv(out / "results" / "corpora" / "clips" / "rejected.csv")
    print("rejected:", *(f"{row['utterance']}: {row['reason']}" for row in rejected), sep="\n  ")
    print(f"workflow: {taken:.0f} s on {args.cores} cores")


if __name__ == "__main__":
    main()
