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


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_a_user_error() -> None:
    with pytest.raises(UserError, match="use --device cpu"):
        device.start(arguments("--device", "cuda"))
