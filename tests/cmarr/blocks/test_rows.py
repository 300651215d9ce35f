from __future__ import annotations

import torch

from cmarr.blocks.rows import rows_of, spread


def test_rows_go_out_and_come_back() -> None:
    x = torch.arange(8.0).reshape(4, 2)
    rows = rows_of(torch.tensor([False, True, False, True]))
    assert rows.tolist() == [1, 3]
    assert spread(x[rows], rows, 4).tolist() == [[0, 0], [2, 3], [0, 0], [6, 7]]


def test_no_rows() -> None:
    rows = rows_of(torch.tensor([False, False]))
    assert spread(torch.zeros(0, 3), rows, 2).tolist() == [[0, 0, 0], [0, 0, 0]]
