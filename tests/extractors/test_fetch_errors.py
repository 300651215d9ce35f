"""What cannot be fetched is told in one line."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from extractors.locks import Lock
from tests.extractors.fake_hub import FakeHub, configuration, refused, run
from tests.extractors.test_fetch import TINY, folder, server  # noqa: F401 (fixtures)

# ruff: noqa: F811


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"model": "owner/none"}, "encoders.text.model: owner/none is not on the hub, or is private; "),
        ({"model": "owner/tiny", "revision": "v9"}, "encoders.text.revision: owner/tiny has no v9; "),
        ({"model": "owner/api"}, "encoders.text.model: owner/api is gated; accept its terms on the hub and set HF_"),
        ({"model": "owner/files"}, "encoders.text.model: owner/files is gated; "),
        ({"model": "owner/empty"}, "encoders.text.model: owner/empty has no config.json; "),
        ({"model": "owner/flax"}, "encoders.text.model: owner/flax has neither safetensors nor weights of PyTorch; "),
        (
            {"model": "../../nowhere"},
            "encoders.text.model: '../../nowhere' is neither a folder nor a name on the hub; ",
        ),
        ({"model": "a/b", "revision": "../x"}, "encoders.text.revision: '../x' is no branch, tag or commit; "),
        ({"modle": "a/b"}, "encoders.text.modle: "),
    ],
)
def test_what_cannot_be_fetched_is_one_line(
    server: FakeHub, folder: Path, settings: dict[str, Any], expected: str
) -> None:
    server.models |= {"owner/api": TINY, "owner/files": TINY, "owner/empty": {}, "owner/flax": {"config.json": b"{}"}}
    server.closed = {"owner/api": "api", "owner/files": "files"}
    assert expected in refused(configuration(folder, settings))
    assert not list(folder.rglob("fetched.json"))


def test_an_interrupted_one_is_one_line(server: FakeHub, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download", interrupt)
    assert refused(configuration(folder, {"model": "owner/tiny"})).endswith("interrupted; run it again to go on")


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    message = refused(configuration(folder, {"model": "owner/tiny"}))
    assert message.startswith("encoders.text.model: owner/tiny could not be fetched (")


@pytest.mark.parametrize("of_library", [True, False])
def test_a_full_disk_names_the_folder(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch, folder: Path, of_library: bool
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")

    def fail(*_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr("huggingface_hub.HfApi.hf_hub_download" if of_library else "extractors.fetch.publish", fail)
    assert refused(configuration(folder, {"model": "owner/tiny"})) == (
        f"{folder}/owner--tiny/.main.draft: No space left on device; put this right and run it again: "
        "what has arrived is kept"
    )


def test_a_folder_that_cannot_be_written_is_named(server: FakeHub, folder: Path) -> None:
    folder.write_text("a file")
    assert refused(configuration(folder, {"model": "owner/tiny"})).startswith(f"{folder}/owner--tiny")


def test_a_defect_of_our_own_is_no_error_of_the_network(
    server: FakeHub, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("extractors.fetch._settle", lambda *_: {}["absent"])
    with pytest.raises(KeyError):
        run(configuration(folder, {"model": "owner/tiny"}))


@pytest.mark.parametrize(("name", "value"), [("revision", "main"), ("sha256", "0" * 64)])
def test_a_folder_with_settings_of_the_hub_is_refused(
    server: FakeHub, folder: Path, tmp_path: Path, name: str, value: str
) -> None:
    message = refused(configuration(folder, {"model": str(tmp_path), name: value}))
    assert message == f"encoders.text.{name}: {tmp_path} is a folder; remove {name}"


def test_offline_mode_is_one_line(server: FakeHub, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = refused(configuration(folder, {"model": "owner/tiny"}))
    assert message.endswith("cannot be fetched while HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; unset it")
    assert server.requests == []


def test_a_second_fetch_at_the_same_time_is_refused(server: FakeHub, folder: Path) -> None:
    draft = folder / "owner--tiny" / ".main.draft"
    draft.mkdir(parents=True)
    with closing(Lock(draft)):
        message = refused(configuration(folder, {"model": "owner/tiny"}))
        assert f"process {os.getpid()} on {socket.gethostname()} is making it" in message
    run(configuration(folder, {"model": "owner/tiny"}))
    assert not (folder / "owner--tiny" / "main" / ".lock").exists()


@pytest.mark.parametrize("content", ["encoders: [", "[1, 2]", "!!python/object/apply:os.getcwd []", "\x00", None])
def test_a_broken_configuration_is_one_line(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "config.yaml"
    if content:
        path.write_text(content)
    assert refused(path).startswith(f"{path}: not a configuration (" if content else f"{path}: No such file")


@pytest.mark.parametrize("content", ["{}", "[1]", "no JSON", '{"weight_map": ["a"]}', '{"weight_map": {"a": 1}}', ""])
def test_a_malformed_index_is_one_line(server: FakeHub, folder: Path, content: str) -> None:
    server.models["owner/big"] = {
        "config.json": b"{}",
        "model.safetensors.index.json": content.encode(),
        "model-00001-of-00001.safetensors": b"weights",
    }
    assert refused(configuration(folder, {"model": "owner/big"})) == (
        "encoders.text.model: owner/big: its model.safetensors.index.json is no index of weights; "
        "choose another revision"
    )
