from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cmarr.batch import Batch
from cmarr.blocks.flow import Mixing
from cmarr.blocks.mult import Linears
from cmarr.optimisation import decays, optimizer_of, rate_factor, set_up, train_step
from cmarr.settings import CifMmin, CmArr, Dicmor, Training
from cmarr.systems import build
from cmarr.systems.base import Stage
from cmarr.vocabulary import CONDITIONS


def test_linear_decay_rises_then_falls_to_zero() -> None:
    factors = [rate_factor(step, 100, Training(warm_up=0.1)) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.5)
    assert factors[100] == 0
    assert rate_factor(0, 10, Training(warm_up=0)) == 1
    assert {rate_factor(step, 10, Training(schedule="constant")) for step in range(11)} == {1}


@pytest.mark.parametrize(("epochs", "share", "constant"), [(60, 0.5, 30), (40, 0.25, 30), (100, 0.8, 20), (3, 0.5, 1)])
def test_late_decay_is_mmins_factor_epoch_by_epoch(epochs: int, share: float, constant: int) -> None:
    settings, steps = Training(schedule="late_decay", epochs=epochs, decay_share=share), 7
    for epoch in range(1, epochs + 1):
        expected = 1 - max(0, epoch - constant) / (epochs - constant + 1)
        for step in range((epoch - 1) * steps, epoch * steps):
            assert rate_factor(step, epochs * steps, settings) == pytest.approx(expected)


def stage(*parts: nn.Module, **settings: Any) -> Stage:
    def loss(_: Batch) -> dict[str, Tensor]:
        return {"total": sum((3 * p.sum() for part in parts for p in part.parameters()), torch.zeros(()))}

    training = Training(**({"weight_decay": 0.0, "learning_rate": 0.1} | settings))
    return Stage(training, loss, lambda _: torch.zeros(1, 4), parts, CONDITIONS)


BATCH = Batch({"text": torch.zeros(1, 1, 1)}, {"text": torch.ones(1)}, torch.ones(1, 3, dtype=torch.bool))


def test_only_the_parts_of_a_stage_learn_and_are_in_training_mode() -> None:
    system = nn.ModuleDict({name: nn.Sequential(nn.Linear(2, 2), nn.Dropout()) for name in "abc"}).train()
    set_up(system, stage(system["a"], system["c"]))
    assert {name for name, parameter in system.named_parameters() if not parameter.requires_grad} == {
        "b.0.weight", "b.0.bias",
    }  # fmt: skip
    assert {name for name, module in system.named_modules() if not module.training} == {"", "b", "b.0", "b.1"}
    set_up(system, stage(system))
    assert all(parameter.requires_grad for parameter in system.parameters())
    assert all(module.training for module in system.modules())


def test_each_part_has_a_gradient_norm_of_its_own() -> None:
    one, other = nn.Linear(4, 1, bias=False), nn.Linear(1, 1, bias=False)
    both = stage(one, other, clip_norm=1.5, optimizer="adam")
    log = train_step(both, BATCH, optimizer_of(both), 0.1)
    assert one.weight.grad is not None
    assert other.weight.grad is not None
    assert one.weight.grad.norm().item() == pytest.approx(1.5, rel=1e-4)
    assert other.weight.grad.norm().item() == pytest.approx(1.5, rel=1e-4)
    assert log["gradient_norm"].item() == pytest.approx((6**2 + 3**2) ** 0.5)


def test_values_of_gradients_may_be_clipped_instead() -> None:
    part = nn.Linear(4, 1, bias=False)
    clipped = stage(part, clip_norm=None, clip_value=0.6)
    train_step(clipped, BATCH, optimizer_of(clipped), 0.1)
    assert part.weight.grad is not None
    assert part.weight.grad.flatten().tolist() == pytest.approx([0.6] * 4)
    free = replace(clipped, training=Training(clip_norm=None))
    train_step(free, BATCH, optimizer_of(free), 0.1)
    assert part.weight.grad.flatten().tolist() == [3.0] * 4


def test_the_optimiser_is_the_one_of_the_settings_and_knows_shared_weights_once() -> None:
    part = nn.Linear(2, 2)
    adam = optimizer_of(stage(part, part, optimizer="adam", beta1=0.5))
    assert type(adam) is torch.optim.Adam
    assert adam.param_groups[0]["betas"] == (0.5, 0.999)
    assert [len(group["params"]) for group in adam.param_groups] == [2, 0]
    assert type(optimizer_of(stage(part))) is torch.optim.AdamW


def test_decay_of_adamw_leaves_alone_what_multiplies_no_input() -> None:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.LSTM, nn.MultiheadAttention, Linears, Mixing)
    glow = CmArr(size="tiny", flow="glow", flow_nll=0.1, flow_prior="class")
    for name, settings in (("cm_arr", glow), ("dicmor", Dicmor(size="tiny")), ("cif_mmin", CifMmin())):
        system = build(name, settings, {"text": 8, "speech": 8, "video": 8}, 4)
        for path, module in system.named_modules():
            for key, parameter in module.named_parameters(path, recurse=False):
                multiplies = isinstance(module, kinds) or path.endswith("flow.weights")
                rests = "bias" in key or key.endswith("log_scale")
                assert decays(key, parameter) == (multiplies and not rests), key
    part = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = {key: value.clone() for key, value in part.state_dict().items()}
    decayed = stage(part, weight_decay=0.5)
    still = replace(decayed, loss=lambda _: {"total": 0 * sum(p.sum() for p in part.parameters())})
    train_step(still, BATCH, optimizer_of(still), 0.1)
    for key, value in part.state_dict().items():
        torch.testing.assert_close(value, before[key] * (0.95 if key == "0.weight" else 1))


def test_something_may_follow_each_step() -> None:
    part = nn.Linear(1, 1)
    after = replace(stage(part), after_step=lambda: part.requires_grad_(False).weight.fill_(7))
    train_step(after, BATCH, optimizer_of(after), 0.1)
    assert part.weight.item() == 7


def test_tf32_is_a_matter_of_the_stage() -> None:
    for precision in ("tf32", "fp32"):
        set_up(nn.Linear(1, 1), stage(nn.Linear(1, 1), precision=precision))
        assert torch.backends.cuda.matmul.allow_tf32 == torch.backends.cudnn.allow_tf32 == (precision == "tf32")
