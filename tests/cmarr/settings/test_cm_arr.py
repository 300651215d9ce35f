from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from cmarr.settings import PRESETS, Baseline, CmArr, Sizes


def test_needs_no_torch() -> None:
    code = "import sys, cmarr.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_paper_sizes_are_those_of_map_and_dicmor() -> None:
    sizes = CmArr().sizes()
    assert (sizes.umc_width, sizes.umc_heads, sizes.width, sizes.attention_heads) == (768, 12, 64, 8)
    assert (sizes.flow_steps, sizes.flow_hidden, sizes.rcab_blocks, sizes.time_steps) == (32, 64, 20, 50)


def test_defaults_are_those_of_section_4_2() -> None:
    assert CmArr().weights() == {"cls": 1.0, "udcl": 1.0, "spcl": 0.1, "rec": 10.0}


def test_a_size_of_its_own_takes_the_place_of_the_preset() -> None:
    assert CmArr(size="lite", flow_steps=8).sizes().flow_steps == 8
    assert CmArr(size="lite", flow_steps=8).sizes().rcab_blocks == 4


@pytest.mark.parametrize("settings", [CmArr, Baseline])
@pytest.mark.parametrize("size", PRESETS)
def test_every_size_name_of_the_settings_is_a_size(settings: type[CmArr] | type[Baseline], size: str) -> None:
    chosen = settings.model_validate({"size": size})
    assert chosen.sizes() == PRESETS[size]
    absent = {name for name, value in chosen if value is None}
    assert absent - {"distance_scale"} <= set(Sizes.__dataclass_fields__)


def test_open_points_have_their_documented_defaults() -> None:
    """docs/cm-arr.md, open points in their order; sizes are checked above."""
    expected = {
        "umc_dropout": 0.1, "sigma": "deviation", "log_sigma_limit": 5.0, "instance": "mean", "distance_scale": None,
        "distance_shift": 4.0, "tau_start": 0.07, "tau_least": 0.01, "tau_most": 1.0, "tau_learned": True,
        "x_source": "mu", "sampling": False, "kernel": 5, "flow": "reversed", "flow_logit_limit": 3.0, "flow_nll": 0.0,
        "flow_prior": "single", "inverse_gradient": True, "target_gradient": False, "rec_reduction": "mean",
        "rcab_widening": 2, "rcab_reduction": 16, "training_patterns": "missing_and_full", "patterns_per": "sample",
        "udcl_on": "all", "udcl_pairs": "mean", "spcl_features": "Y", "spcl_tau": 0.07, "spcl_positives": "all",
        "fusion": "recovered_asks", "residual": "normed", "third_block": "none", "fusion_pooling": "mean",
        "beta": 0.1, "dropout": 0.1, "shared_weights": False, "ablation": "none",
    }  # fmt: skip
    assert CmArr().model_dump(include=set(expected)) == expected


def test_parts_of_the_loss_are_those_with_a_weight() -> None:
    assert CmArr().weights() == {"cls": 1.0, "udcl": 1.0, "spcl": 0.1, "rec": 10.0}
    assert CmArr(alpha=0, beta=0, lambda_rec=0, flow_nll=0.1).weights() == {"cls": 1.0, "nll": 0.1}


def test_ablations_override_weights() -> None:
    assert "udcl" not in CmArr(ablation="no_udcl", alpha=3.0).weights()
    assert "spcl" not in CmArr(ablation="no_spcl", beta=3.0).weights()


@pytest.mark.parametrize(
    "content",
    [
        {"width": 63},
        {"width": 60},
        {"umc_width": 100},
        {"size": "huge"},
        {"alpha": -1},
        {"lambda": 10},
        {"flow": "planar"},
        {"kernel": 4},
        {"distance_scale": 0.1},
        {"tau_start": 0.001},
        {"tau_most": 0.05},
        {"sampling": True, "x_source": "R"},
        {"sampling": True, "ablation": "point"},
        {"flow_nll": -0.1},
        {"fusion": "text"},
        {"third_block": "sv"},
        {"third_block": "sv", "fusion": "means"},
    ],
)
def test_impossible_settings_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CmArr.model_validate(content)


@pytest.mark.parametrize("settings", [CmArr, Baseline])
def test_every_key_has_a_description(settings: type[CmArr] | type[Baseline]) -> None:
    assert all(field.description for name, field in settings.model_fields.items() if name != "training")
