from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from extractors import convert as module
from extractors.__main__ import VERBS
from extractors.console import run
from extractors.convert import convert, rewrite
from extractors.files import UserError


class Payload:
    """Creates a file when a plain unpickler opens it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("zipped", [True, False])
def test_every_tensor_comes_with_its_values(tmp_path: Path, zipped: bool) -> None:
    words = torch.randn(6, 4)
    state = {"embed": words, "decoder": words, "row": words[2], "turned": words.T, "half": words.half()}
    state |= {"count": torch.tensor(3), "none": torch.zeros(0, 2), "weight": torch.nn.Parameter(words + 1)}
    torch.save(state, tmp_path / "a.bin", _use_new_zipfile_serialization=zipped)
    rewrite(tmp_path / "a.bin", tmp_path / "a.safetensors")
    loaded = load_file(tmp_path / "a.safetensors")
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)


def old_style(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names that weight normalisation had before PyTorch 2."""
    changed = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for now, before in changed.items():
        state = {name.replace(now, before): tensor for name, tensor in state.items()}
    return state


def test_a_wav2vec2_of_either_style_gives_the_same_numbers(
    wav2vec2_folder: Path, tmp_path: Path, one_thread: None
) -> None:
    from transformers import AutoModel

    original: Any = AutoModel.from_pretrained(wav2vec2_folder).eval()
    state = original.state_dict()
    styles = {"new": state, "old": old_style(state)}
    assert styles["old"].keys() != state.keys()
    targets = {}
    for style, content in styles.items():
        folder = tmp_path / style
        folder.mkdir()
        (folder / "config.json").write_bytes((wav2vec2_folder / "config.json").read_bytes())
        torch.save({f"wav2vec2.{name}": tensor for name, tensor in content.items()}, folder / "pytorch_model.bin")
        targets[folder / "pytorch_model.bin"] = folder / "model.safetensors"
    convert(targets, "encoders.speech.model: x")
    sound = torch.randn(1, 4000)
    for source in targets:
        source.unlink()
        loaded: Any = AutoModel.from_pretrained(source.parent, use_safetensors=True).eval()
        with torch.inference_mode():
            assert torch.equal(loaded(sound).last_hidden_state, original(sound).last_hidden_state)


def test_a_malicious_one_is_refused_and_does_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    torch.save({"weight": Payload(trace)}, tmp_path / "a.bin")
    with pytest.raises(UserError) as caught:
        convert({tmp_path / "a.bin": tmp_path / "a.safetensors"}, "encoders.speech.model: x")
    assert str(caught.value) == (
        "encoders.speech.model: x cannot be converted to safetensors (a.bin is damaged or holds more than tensors, and "
        "was not opened); choose a checkpoint that has safetensors"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]
    torch.load(tmp_path / "a.bin", weights_only=False)  # it does run where it may
    assert trace.is_dir()


@pytest.mark.parametrize("state", [[torch.zeros(1)], {"model": {"weight": torch.zeros(1)}}, {"step": 3}])
def test_only_tensors_by_name_are_taken(tmp_path: Path, state: object) -> None:
    torch.save(state, tmp_path / "a.bin")
    with pytest.raises(TypeError, match="not a dictionary of tensors"):
        rewrite(tmp_path / "a.bin", tmp_path / "a.safetensors")


def test_memory_is_limited(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(1).expand(2**40)}, tmp_path / "a.bin")
    with pytest.raises(UserError, match=r"a\.bin: .*memory") as caught:
        convert({tmp_path / "a.bin": tmp_path / "a.safetensors"}, "encoders.speech.model: x")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.safetensors").exists()


def test_the_process_has_no_token_and_none_of_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = "import os, sys; sys.exit(f'{sorted(os.environ)} {[p for p in sys.path if p in sys.argv]}')"
    (tmp_path / "probe.py").write_text(script)
    monkeypatch.setattr(module, "__file__", str(tmp_path / "probe.py"))
    for name in ("HF_TOKEN", "PYTHONPATH", "HTTPS_PROXY", "SECRET"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)  # set by OpenCV
    with pytest.raises(UserError, match=r"\[('LC_CTYPE', )?'PATH'(, 'TMPDIR')?\] \[\]"):
        convert({tmp_path: tmp_path}, "x")


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text("import time; time.sleep(60)")
    monkeypatch.setattr(module, "__file__", str(tmp_path / "probe.py"))
    monkeypatch.setattr(module, "LONGEST_SECONDS", 0.2)
    with pytest.raises(UserError, match=r"^x was not converted to safetensors in 0\.2 s; run it again") as caught:
        convert({tmp_path: tmp_path}, "x")
    assert "\n" not in str(caught.value)


def test_a_crash_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], -9, None, ""))
    with pytest.raises(UserError, match=r"^x cannot be converted to safetensors \(exit status -9\); "):
        convert({tmp_path: tmp_path}, "x")


def pickled(source: Path, to: Path, shards: int = 0) -> Path:
    """A copy of a checkpoint whose weights are pickled, in one file or in two with an index."""
    shutil.copytree(source, to)
    state = load_file(to / "model.safetensors")
    (to / "model.safetensors").unlink()
    if not shards:
        torch.save(state, to / "pytorch_model.bin")
        return to
    names = [f"pytorch_model-{number:05}-of-{shards:05}.bin" for number in range(1, shards + 1)]
    where = {key: names[index % shards] for index, key in enumerate(state)}
    for name in names:
        torch.save({key: state[key] for key in state if where[key] == name}, to / name)
    (to / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))
    return to


@pytest.mark.parametrize("shards", [0, 2])
def test_the_verb_makes_a_folder_that_loads(
    bert_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, shards: int
) -> None:
    from extractors import encoders
    from extractors.settings import TextEncoder

    def load(folder: Path) -> encoders.Encoder:
        return encoders.load("text", TextEncoder(model=str(folder)), tmp_path, torch.device("cpu"))

    folder = pickled(bert_folder, tmp_path / "old bert", shards)
    with pytest.raises(UserError, match=r"; run `python -m extractors convert '.*old bert'`, which makes it$"):
        load(folder)
    before = {path.name for path in folder.iterdir()}
    assert run("extractors", VERBS, ["convert", str(folder)]) == 0
    assert load(folder).weights_sha256 == load(bert_folder).weights_sha256
    new = {path.name for path in folder.iterdir()} - before
    several = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
    assert new == (several if shards else {"model.safetensors"})
    with caplog.at_level(logging.INFO):
        assert run("extractors", VERBS, ["convert", str(folder)]) == 0
    assert "is there already; delete it to make it anew" in caplog.text


def failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    before = sorted(path.name for path in folder.iterdir())
    capsys.readouterr()
    assert run("extractors", VERBS, ["convert", str(folder)]) == 1
    assert sorted(path.name for path in folder.iterdir()) == before
    *_, line = capsys.readouterr().err.splitlines()
    return line.replace(str(folder), "FOLDER")


def test_the_verb_makes_all_or_nothing(bert_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pickled(bert_folder, tmp_path / "bert", 2)
    second = folder / "pytorch_model-00002-of-00002.bin"
    torch.save({"weight": Payload(tmp_path / "ran")}, second)
    assert failed(folder, capsys).startswith("error: FOLDER cannot be converted to safetensors (pytorch_model-00002-of")
    assert not (tmp_path / "ran").exists()
    second.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n")
    assert failed(folder, capsys).startswith(
        f"error: FOLDER: {second.name} is a pointer of Git LFS, not the file; run "
    )
    second.unlink()
    line = failed(folder, capsys)
    assert line.startswith(f"error: FOLDER lacks files that its pytorch_model.bin.index.json names: {second.name}; ")
    (folder / "pytorch_model.bin.index.json").write_text('{"weight_map": {"a": "config.json"}}')
    assert failed(folder, capsys).startswith("error: FOLDER: config.json is no name of weights; ")


def test_the_verb_wants_a_folder_with_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert failed(tmp_path, capsys) == "error: FOLDER has no pytorch_model.bin; name a folder that has"
