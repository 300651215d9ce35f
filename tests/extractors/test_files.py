import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from extractors.files import UserError, inside, publish, read_csv, read_json, sha256, write_csv, write_json


def test_publish_leaves_the_old_file_when_the_block_raises(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), publish(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_killed_writer_leaves_no_file_under_the_final_name(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from extractors.files import publish\n"
        "with publish(Path(sys.argv[1])) as draft:\n"
        "    draft.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    job = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "a.txt")], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    assert job.stdout.readline() == "writing\n"
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "a.txt").exists()


def test_publish_makes_folders_and_readable_files(tmp_path: Path) -> None:
    with publish(tmp_path / "deep" / "a.csv") as draft:
        assert draft.suffix == ".csv"
        draft.write_text("x")
    assert (tmp_path / "deep" / "a.csv").stat().st_mode & 0o777 == 0o644


def test_csv_and_json_round_trip(tmp_path: Path) -> None:
    rows = [{"a": 'x, "y"\nz', "b": "é"}]
    write_csv(tmp_path / "t.csv", ["a", "b"], rows)
    assert read_csv(tmp_path / "t.csv") == rows
    write_json(tmp_path / "t.json", {"k": [1]})
    assert read_json(tmp_path / "t.json") == {"k": [1]}
    assert json.loads((tmp_path / "t.json").read_text()) == {"k": [1]}


def test_a_row_with_a_foreign_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="fields not in fieldnames"):
        write_csv(tmp_path / "t.csv", ["a"], [{"a": 1, "b": 2}])
    assert not list(tmp_path.iterdir())


def test_missing_and_broken_files_are_user_errors(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.csv"):
        read_csv(tmp_path / "none.csv")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(UserError, match=r"bad\.json.*delete it"):
        read_json(tmp_path / "bad.json")


def test_sha256_of_known_content(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("path", ["../b", "/etc/passwd", "link/x", "a/../../b"])
def test_paths_outside_the_root_are_refused(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="leaves"):
        inside(root, path)
    assert inside(root, "a/b") == (root / "a" / "b").resolve()
