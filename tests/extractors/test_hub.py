from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors import hub
from extractors.files import UserError

COMMIT = "0123456789" * 4
CONTENT = {"config.json": b"{}", "model.safetensors": b"weights", "vocab.txt": b"[PAD]\n"}


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    path = tmp_path / "owner--tiny" / "main"
    path.mkdir(parents=True)
    for name, content in CONTENT.items():
        (path / name).write_bytes(content)
    files = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in CONTENT.items()
    }
    record = {"model": "owner/tiny", "revision": None, "commit": COMMIT, "files": files, "converted_from": {}}
    (path / "fetched.json").write_text(json.dumps(record))
    return path


def test_a_fetched_encoder_is_found_with_its_commit(fetched: Path, tmp_path: Path) -> None:
    assert hub.find(tmp_path, "owner/tiny", None, "encoders.text") == hub.Found(fetched, f"owner/tiny@{COMMIT}")
    assert hub.files(tmp_path, "owner/tiny", None, "encoders.text") == [fetched / "fetched.json"]


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    for name in ("vocab.txt", "b.json", "a.safetensors", "spiece.model", "pytorch_model.bin", "notes.md"):
        (tmp_path / name).touch()
    assert hub.find(tmp_path / "none", str(tmp_path), None, "encoders.text") == hub.Found(tmp_path, str(tmp_path))
    names = [path.name for path in hub.files(tmp_path / "none", str(tmp_path), None, "encoders.text")]
    assert names == ["a.safetensors", "b.json", "spiece.model", "vocab.txt"]


@pytest.mark.parametrize("look", [hub.find, hub.files])
@pytest.mark.parametrize(("revision", "pin", "name"), [("main", None, "revision"), (None, "0" * 64, "sha256")])
def test_a_folder_has_neither_revision_nor_pin(
    tmp_path: Path, look: Any, revision: str | None, pin: str | None, name: str
) -> None:
    with pytest.raises(UserError) as caught:
        look(tmp_path / "none", str(tmp_path), revision, "encoders.text", pin)
    assert str(caught.value) == f"encoders.text.{name}: {tmp_path} is a folder; remove {name}"


@pytest.mark.parametrize("look", [hub.find, hub.files])
def test_a_pin_is_that_of_the_weights_on_the_hub(fetched: Path, tmp_path: Path, look: Any) -> None:
    right = hashlib.sha256(CONTENT["model.safetensors"]).hexdigest()
    look(tmp_path, "owner/tiny", None, "encoders.text", right)
    with pytest.raises(UserError) as caught:
        look(tmp_path, "owner/tiny", None, "encoders.text", "0" * 64)
    assert str(caught.value) == (
        f"encoders.text.sha256: not that of the weights of owner/tiny (model.safetensors has {right}); correct it if "
        "you trust these, or pin another revision"
    )
    record = json.loads((fetched / "fetched.json").read_text())
    record["converted_from"] = {"pytorch_model.bin": {"size": 1, "sha256": "0" * 64}}
    (fetched / "fetched.json").write_text(json.dumps(record))
    look(tmp_path, "owner/tiny", None, "encoders.text", "0" * 64)
    with pytest.raises(UserError, match=r"owner/tiny \(pytorch_model\.bin has 000"):
        look(tmp_path, "owner/tiny", None, "encoders.text", right)


@pytest.mark.parametrize("name", ["hashing", "logmel"])
def test_an_encoder_without_weights_has_no_files(tmp_path: Path, name: str) -> None:
    assert hub.files(tmp_path, name, None, "encoders.text") == []


@pytest.mark.parametrize("look", [hub.find, hub.files])
def test_a_missing_one_is_one_line_with_the_command(tmp_path: Path, look: object) -> None:
    with pytest.raises(UserError) as caught:
        look(tmp_path, "google-bert/bert-base-uncased", COMMIT, "encoders.text")  # type: ignore[operator]
    message = str(caught.value)
    assert message.startswith(f"encoders.text.model: google-bert/bert-base-uncased at {COMMIT} is not in {tmp_path}; ")
    assert "`python -m extractors fetch --config <your configuration>`" in message
    assert "\n" not in message


def damage(path: Path, how: str) -> None:
    record = path / "fetched.json"
    if how == "flipped byte":
        (path / "model.safetensors").write_bytes(b"weighus")
    elif how == "shorter":
        (path / "vocab.txt").write_bytes(b"")
    elif how == "gone":
        (path / "config.json").unlink()
    elif how == "one more":
        (path / "tokenizer.json").write_bytes(b"{}")
    elif how == "half a record":
        record.write_bytes(record.read_bytes()[:50])
    else:
        record.write_text(record.read_text().replace("owner/tiny", "owner/other"))


@pytest.mark.parametrize(
    ("how", "file"),
    [
        ("flipped byte", "model.safetensors"),
        ("shorter", "vocab.txt"),
        ("gone", "config.json"),
        ("one more", "tokenizer.json"),
        ("half a record", "fetched.json"),
        ("another model", "fetched.json"),
    ],
)
def test_damage_is_one_line_with_the_file(fetched: Path, tmp_path: Path, how: str, file: str) -> None:
    damage(fetched, how)
    with pytest.raises(UserError) as caught:
        hub.find(tmp_path, "owner/tiny", None, "encoders.text")
    assert str(caught.value).startswith(f"{fetched / file} is not what was fetched; run `python -m extractors fetch ")
    assert "\n" not in str(caught.value)


def test_hidden_files_of_a_desktop_are_no_damage(fetched: Path, tmp_path: Path) -> None:
    (fetched / ".DS_Store").touch()
    assert hub.find(tmp_path, "owner/tiny", None, "encoders.text").path == fetched


@pytest.mark.parametrize(
    "model",
    ["", "..", "../x", "a/..", "a/b/c", "/etc", "a\\b", "a//b", ".a/b", "a/.b", "a--b", "a\n/b", "~/a", "x" * 97],
)
def test_names_that_the_hub_cannot_have_are_refused(tmp_path: Path, model: str) -> None:
    with pytest.raises(UserError, match=r"^encoders\.text\.model: .* is neither a folder nor a name on the hub; "):
        hub.place(tmp_path, model, None, "encoders.text")


@pytest.mark.parametrize("revision", ["", "..", "a/../b", "/etc", "a\\b", ".main.draft", "a//b", "a/", "x" * 201])
def test_revisions_that_git_cannot_have_are_refused(tmp_path: Path, revision: str) -> None:
    with pytest.raises(UserError, match=r"^encoders\.text\.revision: .* is no branch, tag or commit; "):
        hub.place(tmp_path, "a/b", revision, "encoders.text")


ODD = st.text(alphabet=st.sampled_from("ab-._/\\~\n\0é"), max_size=12)


@given(ODD, st.none() | ODD)
def test_every_place_is_two_folders_below(model: str, revision: str | None) -> None:
    folder = Path("/data/encoders")
    try:
        path = hub.place(folder, model, revision, "encoders.text")
    except UserError:
        return
    assert path.resolve().parent.parent == folder
    assert not path.name.startswith(".")


def test_places_of_different_encoders_differ(tmp_path: Path) -> None:
    asked = [("a/b", None), ("a-b", None), ("ab", None), ("a/b", "refs/pr/1"), ("a/b", COMMIT)]
    assert len({hub.place(tmp_path, *pair, "encoders.text") for pair in asked}) == len(asked)


def test_the_import_is_light() -> None:
    heavy = "{'torch', 'transformers', 'huggingface_hub', 'numpy'}"
    subprocess.run(
        [sys.executable, "-c", f"import sys, extractors.hub; assert not {heavy} & set(sys.modules)"], check=True
    )
