"""Every system, and every switch of it, at a size for tests."""

from __future__ import annotations

from dataclasses import replace

import torch

from cmarr.batch import Batch
from cmarr.settings import AnySystem, Baseline, CifMmin, CmArr, Cra, Dicmor, IfMmin, Linear, Majority, Mmin, System
from cmarr.systems import build
from cmarr.systems.base import Stage, SystemModule


def variant(**settings: object) -> tuple[str, System]:
    return "cm_arr", CmArr.model_validate({"size": "tiny", **settings})


def dicmor(**settings: object) -> tuple[str, System]:
    return "dicmor", Dicmor.model_validate({"size": "tiny", **settings})


SURE = {"text_dropout": 0, "teacher_dropout": 0, "head_dropout": 0}
IMAGINING = SURE | {"embedding": 16, "speech_pool": 2, "cascade_layers": (64, 32), "cascade_blocks": 2}
JOINT = SURE | {"embedding": 128, "joint_layers": (64, 32)}
SYSTEMS: dict[str, tuple[str, AnySystem]] = {
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
    "text_asks": variant(fusion="text_asks", residual="scaled"),
    "third_block": variant(fusion="text_asks", third_block="sv", fusion_pooling="last"),
    "available_asks": variant(fusion="available_asks", residual="none"),
    "each_asks": variant(fusion="each_asks", residual="plain"),
    "means": variant(fusion="means"),
    "no_weights": variant(alpha=0, beta=0, lambda_rec=0),
    "mmin": ("mmin", Mmin.model_validate(IMAGINING)),
    "mmin_drops": ("mmin", Mmin.model_validate(IMAGINING | dict.fromkeys(SURE, 0.5))),
    "mmin_shared": ("mmin", Mmin.model_validate(IMAGINING | {"shared_cascade": True})),
    "cra": ("cra", Cra.model_validate(JOINT)),
    "cra_impute": ("cra", Cra.model_validate(IMAGINING | {"kind": "impute"})),
    "if_mmin": ("if_mmin", IfMmin.model_validate(IMAGINING)),
    "cif_mmin": ("cif_mmin", CifMmin.model_validate(IMAGINING | {"cascade_layers": (32, 16)})),
    "if_mmin_missing": ("if_mmin", IfMmin.model_validate(IMAGINING | {"regressed": "missing"})),
    "mmin_padded": ("mmin", Mmin.model_validate(IMAGINING | {"legacy_padding": True})),
    "cif_mmin_padded": ("cif_mmin", CifMmin.model_validate(IMAGINING | {"legacy_padding": True})),
    "cra_impute_padded": ("cra", Cra.model_validate(IMAGINING | {"kind": "impute", "legacy_padding": True})),
    "cif_mmin_last": ("cif_mmin", CifMmin.model_validate(IMAGINING | {"legacy_conl_last": True})),
    "dicmor": dicmor(),
    "dicmor_reversed": dicmor(flow="reversed", flow_logit_limit=3, inverse_gradient=True),
    "dicmor_glow": dicmor(flow="glow", time_steps=1),
    "dicmor_mean": dicmor(combine="mean", cross_layers=2, memory_layers=2),
    "dicmor_legacy": dicmor(
        legacy_positions=True, frozen_projection=True, training_patterns="missing_only", patterns_per="batch"
    ),
    "baseline": ("baseline", Baseline(size="tiny")),
    "baseline_text_asks": ("baseline", Baseline(size="tiny", fusion="text_asks", residual="scaled")),
    "baseline_each_asks": ("baseline", Baseline(size="tiny", fusion="each_asks")),
    "baseline_means": ("baseline", Baseline(size="tiny", fusion="means")),
    "linear": ("linear", Linear()),
    "majority": ("majority", Majority()),
}
SOLVED = [name for name, (_, settings) in SYSTEMS.items() if not isinstance(settings, System)]
"""those without a training in epochs"""
TAUGHT = [name for name, (system, _) in SYSTEMS.items() if "mmin" in system or "impute" in name]
"""those with a frozen teacher"""
IDLE = {
    "no_udcl": ("deviation", "contrast"),
    "no_udcl_bypassed": ("umc", "widen", "contrast"),
    "no_weights": ("deviation", "contrast"),
    "no_inverse_gradient": ("flow",),
    "dicmor_legacy": ("project",),
} | dict.fromkeys(TAUGHT, ("teacher",))
"""parts of parameter names that no gradient may reach in the last stage, by system; all others are to learn"""
MISSING_ONLY = {"missing_only", "dicmor_legacy", "cra", *TAUGHT}
"""those that the full condition is not trained on"""
PER_BATCH = {"missing_only", "dicmor_legacy"}
PADDED = {"mmin_padded", "cif_mmin_padded", "cra_impute_padded"}
"""those that padding and company are allowed to change"""
LEARNERS = ["cm_arr", "baseline", "mmin", "cra", "cra_impute", "if_mmin", "cif_mmin", "dicmor"]
"""systems that learn 32 utterances by heart"""


def shaken(kind: str, dims: dict[str, int], classes: int = 4) -> SystemModule:
    """A system in evaluation mode with noise on all weights, so that zero-initialised parts do something."""
    torch.manual_seed(0)
    system = build(*SYSTEMS[kind], dims, classes).eval()
    with torch.no_grad():
        for parameter in system.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    for stage in system.stages():
        if stage.after_step:
            stage.after_step()
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
    stages = system.stages()
    targets = stages[number].targets if stages else None
    if targets is None:
        return batch
    training = {module: module.training for module in system.modules()}
    with torch.no_grad():
        found = targets(replace(batch, available=torch.ones_like(batch.available)))
    for module, flag in training.items():
        module.train(flag)
    return replace(batch, targets=found)
