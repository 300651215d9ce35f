"""What every system promises, checked on each of them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import cmarr.systems
from cmarr.batch import Batch
from cmarr.settings import Baseline, CifMmin, CmArr, Cra, Dicmor, IfMmin, Mmin, System
from cmarr.systems import build
from cmarr.systems.base import Stage, SystemModule
from cmarr.vocabulary import CONDITIONS, MODALITIES, availability, present


def variant(**settings: object) -> tuple[str, System]:
    return "cm_arr", CmArr.model_validate({"size": "tiny", **settings})


def dicmor(**settings: object) -> tuple[str, System]:
    return "dicmor", Dicmor.model_validate({"size": "tiny", **settings})


SURE = {"text_dropout": 0, "teacher_dropout": 0, "head_dropout": 0}
IMAGINING = SURE | {"embedding": 16, "speech_pool": 2, "cascade_layers": (64, 32), "cascade_blocks": 2}
JOINT = SURE | {"embedding": 128, "joint_layers": (64, 32), "reconstruction_weight": 0.002}
SYSTEMS: dict[str, tuple[str, System]] = {
    "cm_arr": variant(),
    "no_udcl": variant(ablation="no_udcl"),
    "no_udcl_bypassed": variant(ablation="no_udcl", x_source="R"),
    "no_spcl": variant(ablation="no_spcl"),
    "no_attention": variant(ablation="no_attention"),
    "no_umc_attention": variant(ablation="no_umc_attention"),
    "point": variant(ablation="point"),
    "x_source_R": variant(x_source="R"),
    "one_step": variant(time_steps=1),
    "variance": variant(sigma="variance", log_sigma_limit=None),
    "first_instance": variant(instance="first"),
    "fixed_tau": variant(tau_learned=False),
    "udcl_available": variant(udcl_on="available", udcl_pairs="sum"),
    "sampling": variant(sampling=True),
    "shared_weights": variant(shared_weights=True),
    "dicmor_literal": variant(flow="dicmor_literal", flow_logit_limit=None),
    "glow": variant(flow="glow"),
    "nll": variant(flow_nll=0.1),
    "nll_per_class": variant(flow_nll=0.1, flow_prior="class", inverse_gradient=False),
    "no_inverse_gradient": variant(inverse_gradient=False),
    "rec_sum": variant(rec_reduction="sum", target_gradient=True),
    "spcl_X": variant(spcl_features="X", spcl_positives="cross_modal"),
    "missing_only": variant(training_patterns="missing_only", patterns_per="batch"),
    "third_block": variant(third_block="sv", fusion_pooling="last"),
    "first_available": variant(query="first_available"),
    "mmin": ("mmin", Mmin.model_validate(IMAGINING)),
    "mmin_drops": ("mmin", Mmin.model_validate(IMAGINING | dict.fromkeys(SURE, 0.5))),
    "mmin_shared": ("mmin", Mmin.model_validate(IMAGINING | {"shared_cascade": True})),
    "cra": ("cra", Cra.model_validate(JOINT)),
    "cra_impute": ("cra", Cra.model_validate(IMAGINING | {"kind": "impute"})),
    "if_mmin": ("if_mmin", IfMmin.model_validate(IMAGINING)),
    "cif_mmin": ("cif_mmin", CifMmin.model_validate(IMAGINING | {"cascade_layers": (32, 16)})),
    "cif_mmin_last": ("cif_mmin", CifMmin.model_validate(IMAGINING | {"legacy_conl_last": True})),
    "dicmor": dicmor(),
    "dicmor_reversed": dicmor(flow="reversed", flow_logit_limit=3, inverse_gradient=True),
    "dicmor_glow": dicmor(flow="glow", time_steps=1),
    "dicmor_mean": dicmor(combine="mean", cross_layers=2, memory_layers=2),
    "dicmor_legacy": dicmor(
        legacy_positions=True, frozen_projection=True, training_patterns="missing_only", patterns_per="batch"
    ),
    "baseline": ("baseline", Baseline(size="tiny")),
    "baseline_first_available": ("baseline", Baseline(size="tiny", query="first_available")),
}
IDLE = {
    "no_udcl": ("deviation", "contrast"),
    "no_udcl_bypassed": ("umc", "widen", "contrast"),
    "no_inverse_gradient": ("flow",),
    "dicmor_legacy": ("project",),
    "mmin": ("teacher",),
    "mmin_drops": ("teacher",),
    "mmin_shared": ("teacher",),
    "cra_impute": ("teacher",),
    "if_mmin": ("teacher",),
    "cif_mmin": ("teacher",),
    "cif_mmin_last": ("teacher",),
}
"""parts of parameter names that no gradient may reach in the last stage, by system; all others are to learn"""
MISSING_ONLY = {
    "missing_only",
    "dicmor_legacy",
    "mmin",
    "mmin_drops",
    "mmin_shared",
    "cra",
    "cra_impute",
    "if_mmin",
    "cif_mmin",
    "cif_mmin_last",
}
"""those that the full condition is not trained on"""
PER_BATCH = {"missing_only", "dicmor_legacy"}
MakeBatch = Callable[..., Batch]


LEARNERS = ["cm_arr", "baseline", "mmin", "cra", "cra_impute", "if_mmin", "cif_mmin", "dicmor"]


@pytest.fixture(params=SYSTEMS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def shaken(kind: str, dims: dict[str, int], classes: int = 4) -> SystemModule:
    """A system in evaluation mode with noise on all weights, so that zero-initialised parts do something."""
    torch.manual_seed(0)
    system = build(*SYSTEMS[kind], dims, classes).eval()
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    return system


def prepare(system: SystemModule, number: int = -1) -> Stage:
    """What the engine does before the first step of a stage, the last one by default."""
    stage = system.stages()[number]
    if stage.begin:
        stage.begin()
    system.requires_grad_(False).eval()
    for part in stage.trained:
        part.requires_grad_(True).train()
    return stage


def with_targets(system: SystemModule, batch: Batch, number: int = -1) -> Batch:
    """The batch with what a stage needs to know about its utterances."""
    targets = system.stages()[number].targets
    if targets is None:
        return batch
    training = {module: module.training for module in system.modules()}
    with torch.no_grad():
        found = targets(replace(batch, available=torch.ones_like(batch.available)))
    for module, flag in training.items():
        module.train(flag)
    return replace(batch, targets=found)


def test_patterns_are_conditions(kind: str, dims: dict[str, int]) -> None:
    *before, last = shaken(kind, dims).stages()
    full = "baseline" in kind
    assert last.patterns == (("svt",) if full else CONDITIONS[:6] if kind in MISSING_ONLY else CONDITIONS)
    assert last.patterns_per == ("batch" if kind in PER_BATCH else "sample")
    assert all(stage.patterns == ("svt",) and stage.judged == ("svt",) for stage in before)


def test_missing_input_changes_no_bit(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Under a condition, and sample by sample in a mixed batch; junk, NaN or no tensor at all in its place."""
    system = shaken(kind, dims)
    for conditions in [*((condition,) for condition in CONDITIONS), CONDITIONS]:
        batch = make_batch(conditions=conditions)
        before = system(batch)
        assert before.shape == (7, 4)
        assert before.isfinite().all()
        for junk in (1e6, torch.nan, torch.inf):
            features = {
                modality: torch.where(batch.available[:, column, None, None], batch.features[modality], junk)
                for column, modality in enumerate(MODALITIES)
            }
            assert torch.equal(system(replace(batch, features=features)), before)
        if len(conditions) == 1:
            names = present(conditions[0])
            bare = replace(
                batch,
                features={name: batch.features[name] for name in names},
                lengths={name: batch.lengths[name] for name in names},
            )
            assert torch.equal(system(bare), before)


def test_is_judged_by_its_logits(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system, batch = shaken(kind, dims), make_batch(conditions=("svt",))
    for stage in system.stages():
        if stage.judge:
            flags = [torch.tensor(availability(condition)).expand(7, -1) for condition in stage.judged]
            expected = torch.stack([stage.logits(replace(batch, available=available)) for available in flags], dim=1)
            torch.testing.assert_close(stage.judge(batch), expected, atol=1e-4, rtol=1e-4)


def test_available_input_counts(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = shaken(kind, dims)
    for condition in CONDITIONS:
        batch = make_batch(conditions=(condition,))
        for modality in present(condition):
            changed = batch.features | {modality: batch.features[modality] * 1.5}
            assert (system(replace(batch, features=changed)) != system(batch)).any(1).all(), (condition, modality)


def test_padding_does_not_count(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = shaken(kind, dims)
    batch = make_batch()
    wider = replace(batch, features={m: nn.functional.pad(x, (0, 0, 0, 9)) for m, x in batch.features.items()})
    torch.testing.assert_close(system(wider), system(batch), atol=1e-5, rtol=1e-5)
    losses = [system.loss(with_targets(system, each))["total"] for each in (wider, batch)]
    torch.testing.assert_close(*losses, atol=1e-4, rtol=1e-4)


def test_company_in_the_batch_does_not_count(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = shaken(kind, dims)
    batch = make_batch()
    together = system(batch)
    for row in range(7):
        alone = Batch(
            {m: x[row : row + 1, : batch.lengths[m][row]] for m, x in batch.features.items()},
            {m: length[row : row + 1] for m, length in batch.lengths.items()},
            batch.available[row : row + 1],
        )
        torch.testing.assert_close(system(alone)[0], together[row], atol=1e-4, rtol=1e-4)


def test_loss_is_finite_and_reaches_what_it_should(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = shaken(kind, dims)
    prepare(system)
    parts = system.loss(with_targets(system, make_batch(size=14)))
    assert all(part.shape == () and part.isfinite() for part in parts.values())
    parts["total"].backward()
    idle = {name for name, parameter in system.named_parameters() if parameter.grad is None}
    assert idle == {name for name, _ in system.named_parameters() if any(part in name for part in IDLE.get(kind, ()))}
    assert bool(idle) == (kind in IDLE)
    assert all(parameter.grad.isfinite().all() for parameter in system.parameters() if parameter.grad is not None)


def test_loss_under_autocast_is_close(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    """bfloat16 is for the matrix products outside flows and distances; every part is still float32."""
    system = shaken(kind, dims)
    batch = with_targets(system, make_batch(size=14))
    exact = system.loss(batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        parts = system.loss(batch)
    assert all(part.dtype == torch.float32 for part in parts.values())
    torch.testing.assert_close(parts["cls"], exact["cls"], atol=0.1, rtol=0.1)
    parts["total"].backward()
    assert all(p.grad.isfinite().all() for p in system.parameters() if p.grad is not None)


def test_needs_labels_for_a_loss(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="labels"):
        shaken(kind, dims).loss(replace(make_batch(), labels=None))


def test_same_seed_same_bits(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    def run() -> list[Tensor]:
        torch.manual_seed(3)
        system = build(*SYSTEMS[kind], dims, 4)
        optimizer = torch.optim.AdamW(system.parameters(), lr=1e-3)
        prepare(system)
        for seed in range(3):
            optimizer.zero_grad()
            system.loss(with_targets(system, make_batch(seed=seed)))["total"].backward()
            optimizer.step()
        return list(system.state_dict().values())

    torch.use_deterministic_algorithms(True)
    try:
        assert all(torch.equal(one, other) for one, other in zip(run(), run(), strict=True))
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("name", LEARNERS)
def test_learns_32_utterances_by_heart(name: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    """Over 95 % right under each condition, or for the baseline under the one that it is trained on."""
    torch.manual_seed(0)
    system, batch = build(*SYSTEMS[name], dims, 4), make_batch(size=32)
    generator = torch.Generator().manual_seed(0)
    for number in range(len(system.stages())):
        stage = prepare(system, number)
        known = with_targets(system, batch, number)
        learned = [parameter for part in stage.trained for parameter in part.parameters()]
        optimizer = torch.optim.AdamW(learned, lr=3e-3)
        flags = torch.tensor([availability(condition) for condition in stage.patterns])
        for _ in range(80):
            drawn = flags[torch.randint(len(flags), (32,), generator=generator)]
            optimizer.zero_grad()
            stage.loss(replace(known, available=drawn))["total"].backward()
            nn.utils.clip_grad_norm_(learned, 1.0)
            optimizer.step()
    system.eval()
    assert batch.labels is not None
    for condition in CONDITIONS if name != "baseline" else ("svt",):
        guesses = system(make_batch(size=32, conditions=(condition,))).argmax(1)
        assert (guesses == batch.labels).float().mean() > 0.95, condition


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_not_waited_for(kind: str, dims: dict[str, int], make_batch: MakeBatch) -> None:
    system = shaken(kind, dims).cuda()
    batch = make_batch(size=14)
    assert batch.labels is not None
    batch = Batch(
        {m: x.cuda() for m, x in batch.features.items()},
        {m: length.cuda() for m, length in batch.lengths.items()},
        batch.available,
        batch.labels.cuda(),
    )
    system.loss(batch)["total"].backward()  # the first use of a library may wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        system.loss(batch)["total"].backward()
        system(batch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_no_system_imports_another() -> None:
    """A static walk along imports, which decides what has to be trained again, must meet one system only."""
    files = list(Path(cmarr.systems.__file__).parent.glob("*.py"))
    names = {file.stem for file in files} - {"__init__", "base"}
    assert {"cm_arr", "baseline"} <= names
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert str(node.module).removeprefix("cmarr.systems.") not in names, file


@pytest.mark.parametrize(("name", "settings"), [("cm_arr", Baseline()), ("baseline", CmArr())])
def test_settings_of_another_system_are_refused(name: str, settings: System, dims: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="needs"):
        build(name, settings, dims, 4)
