from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from extractors.errors import FIXES, line, number


@pytest.mark.parametrize("code", FIXES)
def test_a_line_has_the_file_the_reason_and_the_fix(code: int) -> None:
    error = OSError(code, os.strerror(code), "some/file.csv")
    assert number(error) == code
    assert line(error) == f"some/file.csv: {os.strerror(code)}; {FIXES[code]}"
    assert line(error, Path("other")).startswith("other: ")
    assert "\n" not in line(error)


def test_libraries_tell_the_number_in_their_message() -> None:
    full = RuntimeError("Can't decrement id ref count (file write failed: errno = 28, error message = 'No space left')")
    assert number(full) == errno.ENOSPC
    assert line(full, Path("store.h5")).startswith("store.h5: No space left on device; make space")
    with pytest.raises(SafetensorError) as told:
        save_file({"a": torch.zeros(1)}, "/absent/folder/file")
    assert number(told.value) == errno.ENOENT


@pytest.mark.parametrize("error", [ValueError("damaged"), OSError("no number"), OSError(errno.ECONNRESET, "reset")])
def test_other_errors_have_no_number(error: Exception) -> None:
    assert number(error) is None


def test_a_file_in_the_way_is_named_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError) as told:
        (tmp_path / "file" / "deep" / "a.txt").write_text("")
    assert line(told.value).startswith(f"{tmp_path / 'file'}: Not a directory; a file is in the way of a folder")
