from __future__ import annotations

from pathlib import Path

from extractors.corpora.paths import missing


def test_files_that_are_no_files(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    (root / "a.wav").mkdir(parents=True)
    (root / "loop").symlink_to("loop")
    (tmp_path / "b").touch()
    (root / "b").symlink_to("../b")
    (root / "c").touch()
    found = [missing(root, root / name) for name in ("a.wav", "loop", "nothing", "b", "c")]
    odd = "no file but a folder, a device or a broken link"
    assert found == [odd, odd, "missing", "a link that leaves the corpus folder", ""]
