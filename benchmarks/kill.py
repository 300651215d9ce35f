"""Kill -9 an extraction at random moments, start it again each time, and compare with an uninterrupted run.

    python benchmarks/kill.py --kills 20 --seed 1 -- text --manifest results/corpora/iemocap/manifest.csv --root DIR \
        --origin composite --out /tmp/kills/text.h5

What follows `--` is a verb with its arguments; `--out` must not exist. Half of the kills come at a moment drawn evenly
from the time that the whole run takes, the others when a part is being written, when the parts are being joined, and
when the store has been published. A run that ends before its kill has to give the right bytes; the next one starts from
nothing.

At every kill: each .h5 under its final name has to be whole with every checksum right, a published store has to have
the bytes of the uninterrupted run, and what was there before, parts or the published store, must not have been made
again. Exit code 1 when anything of that fails.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(ROOT := Path(__file__).resolve().parents[1]))
from extractors.files import UserError, sha256
from extractors.store import FeatureStore

Sealed = dict[str, tuple[int, int]]


class Watched:
    """The output of a verb, and what lies beside it."""

    def __init__(self, words: list[str]) -> None:
        self.words = words
        self.out = Path(words[words.index("--out") + 1])
        self.parts = self.out.with_name(f".{self.out.stem}.parts")
        self.draft = f".{self.out.name}.*.draft/{self.out.name}"
        self.log = self.out.with_suffix(".log")
        self.sealed: Sealed = {}
        self.resumed = 0

    def start(self) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as log:
            return subprocess.Popen([sys.executable, "-m", "extractors", *self.words], cwd=ROOT, stderr=log)

    def faults(self, whole: str) -> list[str]:
        """What is not as it has to be after a run that was killed or has ended."""
        found = []
        for path in self.out.parent.rglob("*.h5"):
            if path.parent.suffix != ".draft":
                found += damage(path)
        if self.out.exists() and sha256(self.out) != whole:
            found.append(f"{self.out} differs from that of the uninterrupted run")
        before, self.sealed = self.sealed, self._sealed()
        published = self.out.name in before
        lost = set() if self.out.exists() else before.keys() - self.sealed.keys()  # parts may go once it is published
        again = {name for name, about in self.sealed.items() if before.get(name, None if published else about) != about}
        if lost or again:
            found.append(f"of what was sealed, {len(lost)} files were lost and {len(again)} made again")
        log = self.log.read_text()
        if before and "utterance/s" in log:
            self.resumed += 1
            there = re.search(r"(\d+) of (\d+) utterances are there from an earlier run", log)
            if not there or (published and there[1] != there[2]):
                found.append(f"not all of {len(before)} sealed files were used")
        return found

    def _sealed(self) -> Sealed:
        """Inode and time of change of each sealed part, and of the store if it has been published."""
        paths = [*self.parts.glob("*/[0-9]*.h5"), *self.out.parent.glob(self.out.name)]
        abouts = {path.name: path.stat() for path in paths}
        return {name: (about.st_ino, about.st_mtime_ns) for name, about in abouts.items()}

    def forget(self) -> None:
        """Remove the store, so that the next run starts from nothing."""
        self.out.unlink()
        self.sealed = {}


def damage(path: Path) -> list[str]:
    try:
        with FeatureStore(path) as store:
            for name in store.ids:
                store[name]
    except UserError as error:
        return [str(error)]
    return []


def killed(job: subprocess.Popen[bytes], now: Callable[[], bool]) -> bool:
    """Whether the job is killed, at the first moment that is `now`; it may end before."""
    while job.poll() is None:
        if now():
            job.kill()
            return job.wait() < 0
        time.sleep(0.0005)
    if job.returncode:
        raise SystemExit(f"the verb failed with exit code {job.returncode}; look into its log")
    return False


def moment(draw: random.Random, watched: Watched, seconds: float) -> tuple[str, Callable[[], bool]]:
    """A random kind of moment, and what tells that it has come in a run that starts now."""
    after = time.monotonic() + draw.uniform(0, seconds)
    if draw.random() < 0.5:
        return "at any time", lambda: time.monotonic() >= after
    kinds = {
        "writing a part": f"{watched.parts.name}/*/.*.draft/*.h5",
        "joining": watched.draft,
        "published": watched.out.name,
    }
    kind, begin = draw.choice(list(kinds)), time.time_ns()
    skip, delay = draw.randrange(3) if kind == "writing a part" else 0, draw.uniform(0, 0.02)
    seen: set[int] = set()  # inodes

    def now() -> bool:
        with suppress(FileNotFoundError):  # it may be gone before it is looked at
            abouts = [path.stat() for path in watched.out.parent.glob(kinds[kind])]
            seen.update(about.st_ino for about in abouts if about.st_ctime_ns > begin)
        if len(seen) <= skip:
            return False
        time.sleep(delay)
        return True

    return kind, now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("words", nargs="+", metavar="verb", help="and its arguments")
    args = parser.parse_args()
    watched, draw = Watched(args.words), random.Random(args.seed)
    if watched.out.exists():
        raise SystemExit(f"{watched.out} exists; give another --out")
    watched.out.parent.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    killed(watched.start(), lambda: False)
    seconds, whole = time.monotonic() - begin, sha256(watched.out)
    print(f"uninterrupted: {seconds:.1f} s, sha256 {whole}", flush=True)
    watched.out.unlink()
    kills, faults = 0, 0
    while kills < args.kills:
        kind, now = moment(draw, watched, seconds)
        begin = time.monotonic()
        if dead := killed(watched.start(), now):
            kills += 1
        found = watched.faults(whole)
        parts = watched.sealed.keys() - {watched.out.name}
        state = f"{len(parts)} parts sealed{', store published' * watched.out.exists()}"
        what = f"kill {kills}" if dead else "ended"
        print(f"{what} after {time.monotonic() - begin:.2f} s ({kind}): {state}", *found, sep="\n  ", flush=True)
        faults += len(found)
        if not dead:
            watched.forget()
    killed(watched.start(), lambda: False)
    found = watched.faults(whole)
    if left := sorted(path.name for path in watched.out.parent.glob(f".{watched.out.stem}.*")):
        found.append(f"left behind: {', '.join(left)}")
    faults += len(found)
    print(f"{kills} kills, {faults} faults; {watched.resumed} runs went on with sealed parts", *found, sep="\n  ")
    print(f"last run: sha256 {sha256(watched.out)}")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
