import argparse

import pytest
import torch

from extractors import device
from extractors.files import UserError


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    device.add_arguments(parser)
    return parser.parse_args(words)


def test_device_and_threads() -> None:
    before = torch.get_num_threads()
    try:
        assert device.start(arguments("--device", "cpu", "--threads", "1")) == torch.device("cpu")
        assert torch.get_num_threads() == 1
        assert device.start(arguments()).type == ("cuda" if torch.cuda.is_available() else "cpu")
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("precision", "exact"), [("fp32", True), ("tf32", False), ("bf16", True)])
def test_float32_is_exact_unless_the_precision_is_tf32(precision: str, exact: bool) -> None:
    before = torch.get_num_threads()
    try:
        device.start(arguments("--device", "cpu"), precision)
        assert torch.backends.cuda.matmul.allow_tf32 is not exact
        assert torch.backends.cudnn.allow_tf32 is not exact
        assert torch.backends.cudnn.deterministic
    finally:
        device.start(arguments("--device", "cpu"))
        torch.set_num_threads(before)


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_a_forward_pass_has_its_precision_and_no_gradients(precision: str, dtype: torch.dtype) -> None:
    weights = torch.ones(2, 2, requires_grad=True)
    with device.forward(torch.device("cpu"), precision):
        found = weights @ weights
    assert found.dtype == dtype
    assert found.is_inference()
    assert not found.requires_grad
    assert (weights @ weights).dtype == torch.float32


def test_peak_memory_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    assert float(device.peak_memory(torch.device("cpu")).removesuffix(" GiB")) > 0.1
    monkeypatch.setattr(device.resource, "getrusage", lambda who: argparse.Namespace(ru_maxrss=3 * 2**19))
    assert device.peak_memory(torch.device("cpu")) == "1.50 GiB"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_user_error() -> None:
    with pytest.raises(UserError, match="use --device cpu"):
        device.start(arguments("--device", "cuda"))
