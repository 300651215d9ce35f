"""Inputs that went wrong once: runs the script `try.sh` of every case in a folder and prints a line each.

    python benchmarks/cases.py --cases ../shared/cases

A script gets the folder of the project, and ends with 0 when the outcome is right. The exit status of this program is
the number of those that do not. `--only` names cases, `--verbose` shows what all of them say, not only those that fail.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300


def attempt(script: Path) -> tuple[int, str, float]:
    """Exit status of a case, what it printed, and its seconds."""
    begin = time.monotonic()
    known = os.environ | {"PYTHON": sys.executable}
    try:
        done = subprocess.run(
            ["sh", str(script), str(ROOT)],
            cwd=ROOT,
            env=known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        status, said = done.returncode, done.stdout
    except subprocess.TimeoutExpired:
        status, said = 124, f"not done after {SECONDS} s\n"
    return status, said, time.monotonic() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True, help="folder with a folder per case")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these cases")
    parser.add_argument("--verbose", action="store_true", help="show what every case says")
    args = parser.parse_args()
    scripts = sorted(args.cases.resolve().glob("*/try.sh"))
    if args.only:
        scripts = [script for script in scripts if script.parent.name in args.only]
    if not scripts:
        parser.error(f"{args.cases} has no such case; name a folder with <case>/try.sh")
    wrong = 0
    for script in scripts:
        status, said, seconds = attempt(script)
        verdict = "right" if status == 0 else "WRONG"
        print(f"{verdict} {script.parent.name} (exit {status}, {seconds:.0f} s)", flush=True)
        if status or args.verbose:
            print("  " + said.rstrip().replace("\n", "\n  "), flush=True)
        wrong += status != 0
    print(f"{len(scripts) - wrong} of {len(scripts)} cases are right")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
