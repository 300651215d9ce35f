from pathlib import Path

import pytest
import yaml

from cmarr.config import check_roots, parse
from extractors.files import UserError

ROOT = Path(__file__).resolve().parents[2]
CORPORA = {"iemocap": {"type": "iemocap", "root": "nowhere"}}


@pytest.mark.parametrize("name", ["config.yaml", "workflow/demo.yaml"])
def test_the_files_of_the_project_are_valid(name: str) -> None:
    config = parse(yaml.safe_load((ROOT / name).read_text()))
    assert set(config.systems.chosen()) == {"cm_arr", "baseline"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"protocl": "clean"}, "unknown key `protocl` at the top level: did you mean `protocol`?"),
        ({"systems": {"cm_ar": {}}}, "unknown key `cm_ar` under `systems`: did you mean `cm_arr`?"),
        ({"systems": {"cm_arr": {"siez": "lite"}}}, "unknown key `siez` under `systems.cm_arr`: did you mean `size`?"),
        (
            {"systems": {"cm_arr": {"training": {"epoch": 3}}}},
            "unknown key `epoch` under `systems.cm_arr.training`: did you mean `epochs`?",
        ),
        (
            {"corpora": {"iemocap": {"type": "iemocap", "root": "x", "rot": "y"}}},
            "unknown key `rot` under `corpora.iemocap`: did you mean `root`?",
        ),
        ({"encoders": {"text": {"zzzzzz": 1}}}, "unknown key `zzzzzz` under `encoders.text`: valid keys are model,"),
        ({"systems": {"cm_arr": {"size": "huge"}}}, "systems.cm_arr.size: "),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [-1]}, "0 or more and comes once"),
        ({"seeds": [1, 1]}, "0 or more and comes once"),
        ({"results": "my results"}, "results: "),
        ({"systems": {}}, "no system is chosen"),
        ({"corpora": {"../x": CORPORA["iemocap"]}}, "corpora.../x"),
    ],
)
def test_a_wrong_key_is_named_with_its_place(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse({"corpora": CORPORA} | change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_corpus_names_folder_key_and_demo() -> None:
    with pytest.raises(UserError, match=r"folder nowhere.*corpora\.iemocap\.root in mine\.yaml.*make demo"):
        check_roots(parse({"corpora": CORPORA}), "mine.yaml")


def test_a_system_without_settings_has_the_defaults() -> None:
    config = parse({"corpora": CORPORA, "systems": {"cm_arr": None}})
    assert list(config.systems.chosen()) == ["cm_arr"]


def test_every_wrong_key_has_its_own_line() -> None:
    with pytest.raises(UserError) as caught:
        parse({"corpora": CORPORA, "protocl": "clean", "sedes": [1]})
    assert len(str(caught.value).splitlines()) == 2
