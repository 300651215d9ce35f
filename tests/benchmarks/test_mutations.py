from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from benchmarks import mutations
from benchmarks.mutations import ROOT, Mutation


@pytest.mark.parametrize("mutation", mutations.mutations(), ids=str)
def test_every_line_still_exists_and_its_fault_is_code_that_a_test_file_looks_at(mutation: Mutation) -> None:
    text = (ROOT / mutation.source).read_text()
    broken = mutation.broken(text)
    assert ast.dump(ast.parse(broken)) != ast.dump(ast.parse(text))
    assert all((ROOT / file).is_file() for file in mutation.files)


def test_no_two_faults_have_the_same_name() -> None:
    names = [str(mutation) for mutation in mutations.mutations()]
    assert len(set(names)) == len(names)


def test_the_test_file_is_the_mirror_of_the_module_unless_others_are_named() -> None:
    assert Mutation("engine", "", "", "").files == [Path("tests/cmarr/test_engine.py")]
    assert Mutation("blocks/flow", "", "", "").files == [Path("tests/cmarr/blocks/test_flow.py")]
    other = Mutation("blocks/flow", "", "", "", tests=("test_engine.py", "systems/test_base.py"))
    assert other.files == [Path("tests/cmarr/test_engine.py"), Path("tests/cmarr/systems/test_base.py")]


def test_a_line_has_to_be_there_as_often_as_is_meant() -> None:
    assert Mutation("a", "", "x", "y", times=2).broken("x = x") == "y = y"
    for times in (1, 3):
        with pytest.raises(ValueError, match=r"`x` is there 2 times in cmarr/a\.py"):
            Mutation("a", "", "x", "y", times).broken("x = x")


def test_what_is_gone_unnoticed_or_fails_anyway_is_reported_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cmarr", "extractors", "benchmarks", "tests"):
        (tmp_path / name).mkdir()
    (tmp_path / "pyproject.toml").touch()
    passes = {"gone": [1], "seen": [1], "alive": [1, 2], "stops": [1], "anyway": []}
    """values of A with which a module's test passes"""
    for name in passes:
        (tmp_path / f"cmarr/{name}.py").write_text("A = 1")
    old = dict.fromkeys(passes, "1") | {"gone": "B", "stops": "="}
    listed = "".join(f'[[{name}]]\nname = "x"\nold = "{old[name]}"\nnew = "2"\n' for name in passes)
    (tmp_path / "list.toml").write_text(listed)

    def failed(copy: Path, tests: Iterable[Path | str], stop: bool = True) -> list[str]:
        found = []
        for name in (Path(str(test).split("::")[0]).stem.removeprefix("test_") for test in tests):
            values: dict[str, object] = {}
            try:
                exec((copy / f"cmarr/{name}.py").read_text(), values)
            except SyntaxError as error:
                raise RuntimeError("pytest ended with code 2") from error
            found += [f"tests/cmarr/test_{name}.py::test_a"] * (values["A"] not in passes[name])
        return found

    monkeypatch.setattr(mutations, "failed", failed)
    monkeypatch.setattr(mutations, "ROOT", tmp_path)
    monkeypatch.setattr(mutations, "LIST", tmp_path / "list.toml")
    monkeypatch.setattr(sys, "argv", ["mutations.py"])
    with pytest.raises(SystemExit) as end:
        mutations.main()
    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:5]] == list(passes)
    assert lines[1].split() == ["seen:", "x", "test_seen.py::test_a"]
    assert lines[5].startswith("5 lines, 1 broken and noticed; ")
    assert lines[6:] == [
        "gone: x: `B` is there 0 times in cmarr/gone.py, not 1",
        "alive: x: NOT NOTICED",
        "stops: x: pytest ended with code 2",
        "anyway: x: tests/cmarr/test_anyway.py::test_a fails without the fault, too",
    ]
