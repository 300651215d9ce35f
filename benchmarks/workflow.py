"""Seconds that the workflow costs beyond the work itself: planning at full scale, a finished run, start-up of a verb.

    python benchmarks/workflow.py [--results results/demo --configfile workflow/demo.yaml]

Planning is measured on a generated label tree of IEMOCAP's 151 dialogues and a generated manifest of 5,531 utterances
in 5 sessions, with every system, fold and condition. The finished run is the demo's, if it is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
SESSION_SIZES = (1085, 1023, 1151, 1031, 1241)  # four-class utterances (Table 1 of the paper, by session)
COLUMNS = (
    "utterance,dialogue,session,speaker,label,text,audio,audio_start,audio_end,video,video_start,video_end,crop,origin"
)


def seconds(command: list[str], expect: str) -> float:
    """Best wall time of three runs; the output has to hold `expect`."""
    times = []
    for _ in range(3):
        begin = time.monotonic()
        job = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        times.append(time.monotonic() - begin)
        assert expect in job.stdout + job.stderr, job.stdout + job.stderr
    return min(times)


def full_scale(folder: Path) -> Path:
    """Label tree, manifest and configuration of a corpus of IEMOCAP's size; returns the configuration file."""
    manifest = [COLUMNS]
    for session, size in enumerate(SESSION_SIZES, 1):
        dialogues = [f"Ses{session:02d}{sex}_impro{number:02d}" for sex in "FM" for number in range(1, 16)]
        for part in ("EmoEvaluation", "transcriptions"):
            target = folder / "corpus" / f"Session{session}" / "dialog" / part
            target.mkdir(parents=True)
            for dialogue in dialogues:
                (target / f"{dialogue}.txt").touch()
        for number in range(size):
            dialogue = dialogues[number % len(dialogues)]
            label = ("angry", "happy", "neutral", "sad")[number % 4]
            name = f"{dialogue}_F{number:03d}"
            row = f"{name},{dialogue},{session},{session}F,{label},x,{name}.wav,,,{dialogue}.avi,0,1,left,synthetic"
            manifest.append(row)
    results = folder / "results"
    (results / "corpora/iemocap").mkdir(parents=True)
    (results / "corpora/iemocap/manifest.csv").write_text("\n".join(manifest) + "\n")
    corpus = {"type": "iemocap", "root": str(folder / "corpus"), "origin": "synthetic"}
    path = folder / "full.yaml"
    encoders = {"text": {"model": "hashing"}, "speech": {"model": "logmel"}}
    content = {"results": str(results), "corpora": {"iemocap": corpus}, "encoders": encoders, "seeds": [1, 2, 3]}
    path.write_text(yaml.safe_dump(content))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results/demo"))
    parser.add_argument("--configfile", default="workflow/demo.yaml")
    args = parser.parse_args()
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile"]
    with tempfile.TemporaryDirectory() as name:
        config = str(full_scale(Path(name)))
        print(f"dry run, 5531 utterances, 3 seeds: {seconds([*snakemake, config, '-n'], 'predict'):.1f} s", flush=True)
    if (ROOT / args.results / "table2.csv").exists():
        print(
            f"finished run repeated: {seconds([*snakemake, args.configfile], 'Nothing to be done'):.1f} s", flush=True
        )
    for module in ("torch", "cmarr.predict", "cmarr.train", "extractors.text", "extractors.video"):
        command = [sys.executable, "-X", "utf8", "-c", f"import {module}; print('ok')"]
        print(f"import {module}: {seconds(command, 'ok'):.1f} s", flush=True)


if __name__ == "__main__":
    main()
