from __future__ import annotations

import pytest
import torch

from cmarr.blocks.rows import moved, rows_of, spread

CPU = torch.device("cpu")


def test_rows_go_out_and_come_back() -> None:
    x = torch.arange(8.0).reshape(4, 2)
    rows = rows_of(torch.tensor([False, True, False, True]), CPU)
    assert rows.tolist() == [1, 3]
    assert spread(x[rows], rows, 4).tolist() == [[0, 0], [2, 3], [0, 0], [6, 7]]


def test_no_rows() -> None:
    rows = rows_of(torch.tensor([False, False]), CPU)
    assert spread(torch.zeros(0, 3), rows, 2).tolist() == [[0, 0, 0], [0, 0, 0]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_not_waited_for() -> None:
    flags, device = torch.tensor([True, False, True]), torch.device("cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        rows, counts = rows_of(flags, device), moved(flags.sum(), device)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert rows.tolist() == [0, 2]
    assert counts.item() == 2
