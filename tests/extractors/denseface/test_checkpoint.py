from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from extractors.denseface import checkpoint
from extractors.denseface.training import Training, rows
from extractors.settings import DensefaceRecipe
from tests.extractors.denseface.bands import bands

CPU = torch.device("cpu")


def start(data: int = 0, **changes: object) -> Training:
    recipe, faces = DensefaceRecipe(epochs=1, batch=8, sides=(16,)).model_copy(update=changes), bands(2, 1, data)
    return Training(recipe, *(rows(faces, split, recipe.targets, CPU) for split in ("train", "valid")))


def test_written_and_resumed(tmp_path: Path) -> None:
    whole, resumed = start(), start()
    whole.advance()
    checkpoint.write(whole, tmp_path / "c.safetensors")
    checkpoint.resume(resumed, tmp_path / "c.safetensors")
    assert resumed.step == 1
    whole.advance()
    resumed.advance()
    one, other = whole.state()[0], resumed.state()[0]
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_another_machine_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    checkpoint.write(start(), tmp_path / "c.safetensors")
    torch.set_num_threads(2)  # the fixture sets it back
    with caplog.at_level(logging.WARNING):
        checkpoint.resume(start(), tmp_path / "c.safetensors")
    assert "was made on cpu, 1 threads" in caplog.records[0].message
    assert "the last bits may differ" in caplog.records[0].message


def test_another_training_or_a_broken_file_starts_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.resume(start(), path)
    assert not caplog.records
    begun = start()
    begun.advance()
    checkpoint.write(begun, path)
    for other in (start(seed=2), start(data=1), start(epochs=2)):
        with caplog.at_level(logging.WARNING):
            checkpoint.resume(other, path)
        assert "other settings or data" in caplog.records[-1].message
        assert other.step == 0
    save_file({"x": torch.zeros(1)}, path)  # without metadata
    checkpoint.resume(start(), path)
    assert "other settings or data" in caplog.records[-1].message
    checkpoint.write(begun, path)
    path.write_bytes(path.read_bytes()[:1000])
    again = start()
    checkpoint.resume(again, path)
    assert "cannot be read" in caplog.records[-1].message
    assert again.step == 0
