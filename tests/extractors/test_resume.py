"""Extractions that are killed with SIGKILL, by the benchmark that does this twenty times on a real corpus."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def test_killed_extractions_end_with_the_bytes_of_an_uninterrupted_one(small: Any) -> None:
    for number in range(600):
        small.add(f"u{number:03}", text=f"utterance {number} " * (1 + number % 20))
    out = small.root / "out" / "text.h5"
    verb = ["text", "--manifest", small.manifest(), "--root", small.root, "--origin", "synthetic"]
    words = [*verb, "--settings", '{"model": "hashing"}', "--out", out]
    script = [sys.executable, "benchmarks/kill.py", "--kills", "3", "--seed", "8", "--"]
    job = subprocess.run([*script, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert job.returncode == 0, job.stdout + job.stderr
    assert re.search(r"^3 kills, 0 faults; [1-9] runs went on", job.stdout, re.MULTILINE), job.stdout
    assert {path.name for path in out.parent.iterdir()} == {"text.h5", "text.log"}
