from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from extractors import hub
from tests.extractors.fake_hub import FakeHub, configuration, refused, run, sha256

ROOT = Path(__file__).resolve().parents[2]
TINY = {
    "config.json": b'{"model_type": "bert"}',
    "model.safetensors": bytes(range(256)) * 64,
    "tokenizer.json": b"{}",
    "vocab.txt": b"[PAD]\n[UNK]\n",
}
OTHERS = ("pytorch_model.bin", "tf_model.h5", "modeling_tiny.py", "README.md", ".gitattributes", "onnx/config.json")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub().serve() as fake:
        fake.models["owner/tiny"] = TINY | dict.fromkeys(OTHERS, b"of no use")
        monkeypatch.setenv("HF_ENDPOINT", fake.url)
        yield fake


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "encoders"


def test_a_checkpoint_comes_whole_and_with_nothing_else(server: FakeHub, folder: Path) -> None:
    commit = server.commit("owner/tiny")
    for revision, name in ((None, "main"), ("refs/pr/1", "refs--pr--1"), (commit, commit)):
        run(configuration(folder, {"model": "owner/tiny"} | ({"revision": revision} if revision else {})))
        path = folder / "owner--tiny" / name
        assert sorted(file.name for file in path.iterdir()) == sorted([*TINY, "fetched.json"])
        assert all((path / kept).read_bytes() == TINY[kept] for kept in TINY)
        assert json.loads((path / "fetched.json").read_text()) == {
            "model": "owner/tiny",
            "revision": revision,
            "commit": commit,
            "files": {kept: {"size": len(TINY[kept]), "sha256": sha256(TINY[kept])} for kept in TINY},
            "converted_from": {},
        }
        found = hub.find(folder, "owner/tiny", revision, "encoders.text")
        assert found == hub.Found(path, f"owner/tiny@{commit}")
    assert sorted(file.name for file in (folder / "owner--tiny").iterdir()) == sorted(["main", "refs--pr--1", commit])


def test_what_is_there_is_not_asked_for_again(server: FakeHub, folder: Path) -> None:
    config = configuration(folder, {"model": "owner/tiny"}, {"model": "owner/tiny"})
    run(config)
    assert len(server.fetched("/model.safetensors")) == 1
    before = len(server.requests)
    run(config)
    assert len(server.requests) == before


@pytest.mark.parametrize("model", ["hashing", "logmel", "folder"])
def test_encoders_without_weights_and_folders_need_nothing(
    server: FakeHub, folder: Path, model: str, tmp_path: Path
) -> None:
    run(configuration(folder, {"model": str(tmp_path) if model == "folder" else model}))
    assert server.requests == []
    assert not folder.exists()


def test_a_dry_run_tells_and_writes_nothing(server: FakeHub, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    run(configuration(folder, {"model": "owner/tiny"}), "--dry-run")
    assert server.commit("owner/tiny") in caplog.text
    assert sha256(TINY["model.safetensors"]) in caplog.text
    assert not folder.exists()


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
def test_a_byte_flipped_on_the_way_is_refused(server: FakeHub, folder: Path, name: str) -> None:
    config = configuration(folder, {"model": "owner/tiny"})
    server.damaged = {name}
    assert refused(config).endswith(f": {name} of owner/tiny arrived damaged (wrong checksum); run fetch again")
    assert not (folder / "owner--tiny" / "main").exists()
    server.damaged = set()
    run(config)
    assert (folder / "owner--tiny" / "main" / name).read_bytes() == TINY[name]


def test_a_pinned_sha256_is_that_of_the_weights(server: FakeHub, folder: Path) -> None:
    right, wrong = sha256(TINY["model.safetensors"]), "0" * 64
    message = refused(configuration(folder, {"model": "owner/tiny", "sha256": wrong}))
    assert message.startswith("encoders.text.sha256: not that of the weights of owner/tiny (model.safetensors has ")
    assert server.fetched("/model.safetensors") == []
    assert not folder.exists()
    run(configuration(folder, {"model": "owner/tiny", "sha256": right}))
    before = len(server.requests)
    assert refused(configuration(folder, {"model": "owner/tiny", "sha256": wrong})) == message
    assert len(server.requests) == before


def test_a_killed_fetch_leaves_a_draft_that_the_next_one_completes(server: FakeHub, folder: Path) -> None:
    config = configuration(folder, {"model": "owner/tiny"})
    server.stalled = {"model.safetensors"}
    job = subprocess.Popen([sys.executable, "-m", "extractors", "fetch", "--config", str(config)], cwd=ROOT)
    while not server.fetched("/storage/owner/tiny/model.safetensors"):
        assert job.poll() is None
        time.sleep(0.01)
    job.kill()
    job.wait()
    server.go_on.set()
    assert [path.name for path in (folder / "owner--tiny").iterdir()] == [".main.draft"]
    asked = len(server.fetched("/vocab.txt"))
    run(config)
    assert len(server.fetched("/vocab.txt")) == asked == 1
    assert [path.name for path in (folder / "owner--tiny").iterdir()] == ["main"]
    assert hub.find(folder, "owner/tiny", None, "encoders.text")


def test_a_draft_of_an_older_commit_leaves_nothing_behind(server: FakeHub, folder: Path) -> None:
    config = configuration(folder, {"model": "owner/tiny"})
    server.damaged = {"vocab.txt"}
    refused(config)
    assert (folder / "owner--tiny" / ".main.draft" / "tokenizer.json").exists()
    server.damaged = set()
    server.models["owner/tiny"] |= {"config.json": b'{"model_type": "roberta"}'}
    del server.models["owner/tiny"]["tokenizer.json"]
    run(config)
    assert (folder / "owner--tiny" / "main" / "config.json").read_bytes() == b'{"model_type": "roberta"}'
    assert not (folder / "owner--tiny" / "main" / "tokenizer.json").exists()
    assert hub.find(folder, "owner/tiny", None, "encoders.text").name.endswith(server.commit("owner/tiny"))


def test_a_damaged_folder_is_fetched_again(server: FakeHub, folder: Path) -> None:
    config = configuration(folder, {"model": "owner/tiny"})
    run(config)
    (folder / "owner--tiny" / "main" / "vocab.txt").write_bytes(b"[PAD]\n[UNC]\n")
    run(config)
    assert hub.find(folder, "owner/tiny", None, "encoders.text")


def test_shards_come_with_their_index(server: FakeHub, folder: Path) -> None:
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = {"metadata": {}, "weight_map": {"a": names[0], "b": names[1]}}
    server.models["owner/big"] = {
        "config.json": b"{}",
        "model.safetensors.index.json": json.dumps(index).encode(),
        **{name: name.encode() for name in names},
        "model-variant.safetensors": b"not one of them",
    }
    run(configuration(folder, {"model": "owner/big"}))
    path = folder / "owner--big" / "main"
    expected = ["config.json", "fetched.json", "model.safetensors.index.json", *names]
    assert sorted(file.name for file in path.iterdir()) == sorted(expected)
    assert json.loads((path / "model.safetensors.index.json").read_text()) == index
    assert hub.find(folder, "owner/big", None, "encoders.text")

    del server.models["owner/big"][names[1]]
    shutil.rmtree(path)
    message = refused(configuration(folder, {"model": "owner/big"}))
    assert "owner/big lacks files that its model.safetensors.index.json names" in message


def test_pickled_shards_are_converted(server: FakeHub, folder: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    names = [f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)]
    tensors = {"a": torch.randn(3), "b": torch.randn(2, 2)}
    server.models["owner/big"] = {
        "config.json": b"{}",
        "pytorch_model.bin.index.json": json.dumps({"weight_map": dict(zip("ab", names, strict=True))}).encode(),
    }
    for name, key in zip(names, "ab", strict=True):
        torch.save({key: tensors[key]}, tmp_path / name)
        server.models["owner/big"][name] = (tmp_path / name).read_bytes()
    run(configuration(folder, {"model": "owner/big"}))
    path = folder / "owner--big" / "main"
    index = json.loads((path / "model.safetensors.index.json").read_text())
    assert all(torch.equal(load_file(path / index["weight_map"][key])[key], tensors[key]) for key in "ab")
    assert not list(path.glob("*.bin*"))
    record = hub.record(folder, "owner/big", None, "encoders.text")
    assert record.weights() == {name: sha256(server.models["owner/big"][name]) for name in names}
    assert hub.find(folder, "owner/big", None, "encoders.text")


def test_a_malicious_checkpoint_is_refused(server: FakeHub, folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    pickled = b"cposix\nmkdir\n(V" + str(trace).encode() + b"\ntR."
    server.models["owner/bad"] = {"config.json": b"{}", "pytorch_model.bin": pickled}
    message = refused(configuration(folder, {"model": "owner/bad"}))
    assert message.startswith(
        "encoders.text.model: owner/bad cannot be converted to safetensors (pytorch_model.bin is "
    )
    assert not trace.exists()
    assert [path.name for path in (folder / "owner--bad").iterdir()] == [".main.draft"]
    assert not list(folder.rglob("*.safetensors"))


def test_fetched_ones_load_without_a_network(
    server: FakeHub, folder: Path, bert_folder: Path, wav2vec2_folder: Path, tmp_path: Path
) -> None:
    """A text encoder in safetensors and a speech encoder that is a `.bin`, by the libraries' own loaders."""
    import torch
    from safetensors.torch import load_file

    for model, source in (("owner/bert", bert_folder), ("owner/wav", wav2vec2_folder)):
        server.models[model] = {path.name: path.read_bytes() for path in source.iterdir()}
    torch.save(load_file(wav2vec2_folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    weights = (tmp_path / "pytorch_model.bin").read_bytes()
    del server.models["owner/wav"]["model.safetensors"]
    server.models["owner/wav"]["pytorch_model.bin"] = weights
    run(configuration(folder, {"model": "owner/bert"}, {"model": "owner/wav", "sha256": sha256(weights)}))
    bert = hub.find(folder, "owner/bert", None, "encoders.text").path
    wav = hub.find(folder, "owner/wav", None, "encoders.speech").path
    assert not list(wav.glob("*.bin"))
    script = (
        "import sys, torch\n"
        "from transformers import AutoFeatureExtractor, AutoModel, AutoTokenizer\n"
        "AutoTokenizer.from_pretrained(sys.argv[1])('a b'), AutoFeatureExtractor.from_pretrained(sys.argv[2])\n"
        "first, second, *originals = [AutoModel.from_pretrained(path).state_dict() for path in sys.argv[1:]]\n"
        "for fetched, original in zip((first, second), originals, strict=True):\n"
        "    assert fetched.keys() == original.keys()\n"
        "    assert all(torch.equal(fetched[name], original[name]) for name in original)\n"
    )
    unreachable = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home")}
    folders = map(str, (bert, wav, bert_folder, wav2vec2_folder))
    subprocess.run([sys.executable, "-c", script, *folders], env=unreachable, check=True)
