"""How far what tests/cmarr/systems/test_behaviour.py asserts moves from one seed to another.

    python benchmarks/behaviour.py --seeds 5

Per system and assertion: mean, standard deviation and largest loss over the seeds, in points of UAR. Another processor
moves a training as another seed does, so the bounds of the tests have to lie well beyond.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch

from tests.cmarr.systems.test_behaviour import SYSTEMS, loss_by_company, trained

PAIRS = ("vt", "sv", "st")


def losses(found: dict[str, float], corpus: str) -> dict[str, float]:
    """What the tests bound, by a name."""
    if corpus == "noise":
        return {
            "noise beside the face": loss_by_company(found, "v", "sv"),
            "noise beside both": loss_by_company(found, "vt", "svt"),
        }
    strong = max("tsv", key=lambda modality: found[modality])
    best = max(PAIRS, key=lambda pair: found[pair])
    return {
        "weak beside strong": max(loss_by_company(found, strong, pair) for pair in PAIRS if strong in pair),
        "complete beside the best pair": loss_by_company(found, best, "svt"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    for name in args.systems:
        for corpus in ("linked", "noise"):
            found = [
                losses(trained(name, SYSTEMS[name], corpus, repetition=number), corpus) for number in range(args.seeds)
            ]
            for what in found[0]:
                values = np.array([each[what] for each in found])
                spread = values.std(ddof=1) if len(values) > 1 else np.nan
                print(f"{name:10}{what:32}mean {values.mean():6.2f}  sd {spread:5.2f}  most {values.max():6.2f}")


if __name__ == "__main__":
    main()
