"""Breaks one line of the project at a time, in a copy, and shows which test notices.

python benchmarks/mutations.py            # about five minutes
python benchmarks/mutations.py eq.        # only those with this in their name
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Mutation(NamedTuple):
    name: str
    module: str
    """below cmarr; its test file mirrors it"""
    old: str
    new: str


ENGINE, CM_ARR = "engine", "systems/cm_arr"
MUTATIONS = (
    Mutation(
        "eq. 1: deviations left out", "blocks/wasserstein",
        " + _squared_distances(deviation, other_deviation)", "",
    ),
    Mutation("eq. 1: absolute, not squared", "blocks/wasserstein", ".square()", ".abs()"),
    Mutation("eq. 3: one direction", "blocks/instance_contrast", " + functional.cross_entropy(similarity.T, own)", ""),
    Mutation("eq. 5: sign of the scale", "blocks/instance_contrast", "-768 /", "768 /"),
    Mutation("eq. 6: sign of the log-determinant", "blocks/flow", "[log_s.sum((1, 2))", "[-log_s.sum((1, 2))"),
    Mutation("eq. 6: channels never reversed", "blocks/flow", 'if self.kind == "reversed" else 1', "if False else 1"),
    Mutation(
        "eq. 8: order of the inverse", "blocks/flow",
        "reversed(range(len(self.steps)))", "range(len(self.steps))",
    ),
    Mutation(
        "eq. 7: sum, not mean", CM_ARR, "total / moved(available.sum(1), total.device)[:, None, None]", "total"
    ),
    Mutation("eq. 8: no reconstruction module", CM_ARR, "cast(Tensor, self.reconstruct(estimate))", "estimate"),
    Mutation(
        "eq. 9: gradient into the target", CM_ARR,
        "target if settings.target_gradient else target.detach()", "target",
    ),
    Mutation("eq. 9: sum, not mean", CM_ARR, "torch.cat(errors).mean()", "torch.cat(errors).sum()"),
    Mutation("eq. 10: video asks text", "blocks/fusion", "self.to_video(text, video)", "self.to_video(video, text)"),
    Mutation("eq. 14: weights left out", CM_ARR, "self.weights[name] * part for", "part for"),
    Mutation("L_spcl: own utterance as positive", "blocks/label_contrast", "positive = foreign & (", "positive = ("),
    Mutation("UMC: padding attended to", "blocks/umc", "attn_mask=real[:, None, None], ", ""),
    Mutation("mean over padding", "blocks/resample", "torch.where(real, x, 0)", "x"),
    Mutation("RCAB: no skip", "blocks/rcab", "out: Tensor = x + self.body(x)", "out: Tensor = self.body(x)"),
    Mutation(
        "missing input read", "systems/base",
        "rows_of(batch.available[:, column], ", "rows_of(batch.available[:, column] | True, ",
    ),
    Mutation("epoch: latest of equals", ENGINE, "row[choice.column] > _best", "row[choice.column] >= _best"),
    Mutation(
        "epoch: one random stream for all", ENGINE,
        'seeds("order and patterns", epoch)', 'seeds("order and patterns", 1)',
    ),
    Mutation("resume: moments forgotten", ENGINE, '| {"state": values}', ""),
    Mutation("resume: best weights forgotten", ENGINE, '_part(tensors, "best.") or ', ""),
    Mutation(
        "not finite: losses only", ENGINE,
        'log["gradient_norm"] = ', 'log["gradient_norm"] = log["total"] * 0\n    ',
    ),
    Mutation("schedule: no decay", ENGINE, "(steps - step) / max(1, steps - rising)", "1.0"),
    Mutation(
        "choice: five conditions pooled", "choice",
        "for condition in MISSING_CONDITIONS]", "for condition in MISSING_CONDITIONS[1:]]",
    ),
    Mutation(
        "statistics of all utterances", "train",
        "data.statistics(train.tolist())", "data.statistics(range(len(ids)))",
    ),
    Mutation("state of other features", "train", 'named | {"seal": f"{store.seal:08x}"}', "named"),
)  # fmt: skip


def survives(copy: Path, mutation: Mutation) -> str:
    """The first test that fails, or nothing when none does."""
    source = copy / f"cmarr/{mutation.module}.py"
    folder, name = os.path.split(mutation.module)
    text = source.read_text()
    assert mutation.old in text, f"{mutation.name}: `{mutation.old}` is not in {source.name}"
    source.write_text(text.replace(mutation.old, mutation.new))
    test = copy / "tests/cmarr" / folder / f"test_{name}.py"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", str(test)]
    job = subprocess.run(
        command, cwd=copy, env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(copy)}, capture_output=True,
        text=True,
    )  # fmt: skip
    source.write_text(text)
    failed = [line.split("::")[1].split(" - ")[0] for line in job.stdout.splitlines() if line.startswith("FAILED")]
    return failed[0] if failed else ""


def main() -> None:
    wanted = [mutation for mutation in MUTATIONS if all(word in mutation.name for word in sys.argv[1:])]
    alive = []
    with TemporaryDirectory() as folder:
        copy = Path(folder)
        for name in ("cmarr", "extractors", "tests"):
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        for mutation in wanted:
            noticed = survives(copy, mutation)
            print(f"{mutation.name:36} {noticed or 'NOT NOTICED'}", flush=True)
            if not noticed:
                alive.append(mutation.name)
    print(f"{len(wanted)} lines broken, {len(wanted) - len(alive)} noticed")
    sys.exit(bool(alive))


if __name__ == "__main__":
    main()
