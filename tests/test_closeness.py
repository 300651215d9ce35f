from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.closeness import changed


@pytest.mark.parametrize("make", [torch.tensor, np.array])
def test_rounding_is_no_change_and_a_thousandth_is(make) -> None:
    assert not changed(make([1.0, 100.0]), make([1.09, 100.0]))
    assert changed(make([1.0, 100.0]), make([1.11, 100.0]))
    assert changed(make(0.0), make(1e-9))
    assert not changed(make([0.0]), make([0.0]))
    assert not changed(make([1.0]), make([np.nan]))
