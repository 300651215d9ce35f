import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from cmarr.config import check_roots, parse, run_name, settings_of
from cmarr.settings import CmArr, System
from extractors.files import UserError
from extractors.settings import Iemocap, MspImprov, Table

ROOT = Path(__file__).resolve().parents[2]
CORPORA = {"iemocap": {"type": "iemocap", "root": "nowhere"}}


def of_type(kind: str, **values: object) -> dict[str, object]:
    return {"corpora": {"c": {"type": kind, "root": "x", **values}}}


@pytest.mark.parametrize("name", ["config.yaml", "workflow/demo.yaml", "workflow/mmin_features.yaml"])
def test_the_files_of_the_project_are_valid(name: str) -> None:
    config = parse(yaml.safe_load((ROOT / name).read_text()))
    chosen = [name for name in config.systems.chosen() if name not in ("majority", "linear")]
    assert chosen == ["cra", "mmin", "if_mmin", "cif_mmin", "dicmor", "cm_arr", "baseline"]


def test_a_system_of_ones_own_is_a_module_with_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "systems").mkdir()
    (tmp_path / "systems/mine.py").touch()

    class Mine(System):
        depth: int = 3

    monkeypatch.setattr("cmarr.config.__file__", str(tmp_path / "config.py"))
    monkeypatch.setitem(sys.modules, "cmarr.systems.mine", SimpleNamespace(SETTINGS=Mine))
    (tmp_path / "systems/half.py").touch()
    monkeypatch.setitem(sys.modules, "cmarr.systems.half", SimpleNamespace())
    (tmp_path / "systems/broken.py").touch()
    monkeypatch.setitem(sys.modules, "cmarr.systems.broken", None)
    config = parse(
        {"corpora": CORPORA, "systems": {"cm_arr": None, "mine": {"depth": 5}}, "variants": ["mine-depth-7"]}
    )
    assert list(config.systems.chosen()) == ["cm_arr", "mine"]
    assert settings_of(config, "mine").model_dump()["depth"] == 5
    assert settings_of(config, "mine-depth-7").model_dump()["depth"] == 7
    assert list(parse({"corpora": CORPORA, "systems": {"mine": None}}).systems.chosen()) == ["mine"]
    for wrong, line in (
        ({"mine": {"dpth": 1}}, "unknown key `dpth` under `systems.mine`: did you mean `depth`?"),
        ({"mine": {}, "minee": {}}, "unknown key `minee` under `systems`: did you mean `mine`?"),
        ({"../mine": {}}, "unknown key `../mine` under `systems`: "),
        ({"base": {}}, "unknown key `base` under `systems`: "),
        ({"half": {}}, "cmarr/systems/half.py: "),
        ({"broken": {}}, "cmarr/systems/broken.py: "),
    ):
        with pytest.raises(UserError) as caught:
            parse({"corpora": CORPORA, "systems": wrong})
        assert line in str(caught.value)


def test_no_system_is_imported_for_the_systems_of_the_project() -> None:
    code = (
        "import sys; from cmarr.config import kind_of; kind_of('mmin'), kind_of('cm_arr'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


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
        (of_type("iemocap", subset="all"), "unknown key `subset` under `corpora.c`: valid keys are root,"),
        (of_type("msp_improv", subste="all"), "unknown key `subste` under `corpora.c`: did you mean `subset`?"),
        (of_type("table", fille="x.csv"), "unknown key `fille` under `corpora.c`: did you mean `file`?"),
        (of_type("msp_improv", subset="one"), "configuration: corpora.c.subset: Input should be 'mmin' or 'all'"),
        (of_type("table", classes=["sad"]), "configuration: corpora.c.classes: "),
        (
            of_type("table", policy={"no_fase": "keep"}),
            "unknown key `no_fase` under `corpora.c.policy`: did you mean `no_face`?",
        ),
        (of_type("table", policy={"no_face": "zeros"}), "configuration: corpora.c.policy.no_face: Input should be"),
        (of_type("iemocp"), "corpora.c.type: `iemocp` is unknown; valid ones are iemocap, msp_improv, table"),
        ({"corpora": {"c": {"root": "x"}}}, "corpora.c.type is missing; valid ones are iemocap, msp_improv, table"),
        ({"corpora": {"c": {"type": "table"}}}, "configuration: corpora.c.root: is missing"),
        (
            {"corpora": {"c": 3}},
            "configuration: corpora.c: needs keys with values below it, such as `type: table` (got 3)",
        ),
        ({"encoders": {"text": {"zzzzzz": 1}}}, "unknown key `zzzzzz` under `encoders.text`: valid keys are prec"),
        ({"systems": {"cm_arr": {"size": "huge"}}}, "systems.cm_arr.size: "),
        ({"systems": {"mmin": {"cascade_layers": [8, 0]}}}, "systems.mmin.cascade_layers.1: "),
        ({"systems": {"cif_mmin": {"contrast_weights": [1, -1, 1]}}}, "systems.cif_mmin.contrast_weights.1: "),
        ({"seeds": []}, "seeds: "),
        ({"seeds": [-1]}, "0 or more and comes once"),
        ({"seeds": [1, 1]}, "0 or more and comes once"),
        ({"results": "my results"}, "results: "),
        ({"systems": {}}, "no system is chosen"),
        ({"corpora": {"../x": CORPORA["iemocap"]}}, "corpora.../x"),
        ({"protocol": "mmin"}, "configuration: protocol: Input should be 'clean', 'clean_session', "),
        (
            {"variants": ["cm_arr-bta-0.5"]},
            "variants: cm_arr-bta-0.5: unknown key `bta` under `systems.cm_arr`: did you mean `beta`?",
        ),
        (
            {"variants": ["cm_arr-training.epoch-5"]},
            "unknown key `epoch` under `systems.cm_arr.training`: did you mean `epochs`?",
        ),
        (
            {"variants": ["cm_arr-beta.x-5"]},
            "variants: cm_arr-beta.x-5: systems.cm_arr.beta: Input should be a valid n",
        ),
        (
            {"variants": ["cm_arr-beta-much"]},
            "variants: cm_arr-beta-much: systems.cm_arr.beta: Input should be a valid",
        ),
        ({"variants": ["cm_arr-width-63"]}, "variants: cm_arr-width-63: systems.cm_arr: width 63 must be"),
        ({"variants": ["cm_arr-beta"]}, "variants: cm_arr-beta: write <system>-<key>-<value>"),
        ({"variants": ["cm_ar-beta-1"]}, "`cm_ar` is not configured under `systems`; did you mean `cm_arr`?"),
        (
            {"systems": {"cm_arr": {}}, "variants": ["baseline-size-lite"]},
            "variants: baseline-size-lite: `baseline` is not configured under `systems`",
        ),
        (
            {"studies": {"ablations": ["cm_arr-ablation-no_udlc"]}},
            "studies.ablations: cm_arr-ablation-no_udlc: systems.cm_arr.ablation: Input should be 'none', 'no_udcl'",
        ),
        ({"studies": {"ablations": ["baseline-size-lite"]}}, "baseline-size-lite is no variant of cm_arr"),
        ({"variants": ["cm_arr-protocol-clean_session"]}, "has a protocol of its own; list it under studies.protocols"),
        ({"variants": ["cm_arr-protocol-claen"]}, "no protocol is called `claen`; did you mean `clean`?"),
        ({"studies": {"corpus": "iemocp"}}, "no corpus is called `iemocp`; did you mean `iemocap`?"),
        ({"studies": {"alpha": [1, -1]}}, "studies.alpha.1: "),
        ({"studies": {"beta": []}}, "studies.beta: "),
        ({"systems": {"majority": {"x": 1}}}, "unknown key `x` under `systems.majority`: there are none here"),
        ({"variants": ["linear-c-abc"]}, "variants: linear-c-abc: systems.linear.c.0: Input should be a valid number"),
        ({"studies": {"gamma": [1]}}, "unknown key `gamma` under `studies`: valid keys are corpus, ablations, alpha"),
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


def test_corpora_of_every_type_stand_side_by_side() -> None:
    policy = {"no_face": "reject", "shortest_seconds": 0.1}
    corpora = CORPORA | of_type("table", classes=["b", "a"], sessions=["x_1", "x_2"], policy=policy)["corpora"]
    config = parse({"corpora": corpora | {"m": {"type": "msp_improv", "root": "x"}}})
    assert [type(corpus) for corpus in config.corpora.values()] == [Iemocap, Table, MspImprov]
    table = config.corpora["c"]
    assert isinstance(table, Table)
    assert (table.classes, table.policy.no_face, table.policy.empty_transcript) == (("b", "a"), "reject", "reject")


def test_a_system_without_settings_has_the_defaults() -> None:
    config = parse({"corpora": CORPORA, "systems": {"cm_arr": None}})
    assert list(config.systems.chosen()) == ["cm_arr"]


def test_every_wrong_key_has_its_own_line() -> None:
    with pytest.raises(UserError) as caught:
        parse({"corpora": CORPORA, "protocl": "clean", "sedes": [1]})
    assert len(str(caught.value).splitlines()) == 2


def test_a_variant_changes_its_settings_and_no_others() -> None:
    config = parse({"corpora": CORPORA, "systems": {"cm_arr": {"size": "lite", "training": {"batch_size": 7}}}})
    configured = settings_of(config, "cm_arr")
    assert configured == config.systems.cm_arr
    changed = settings_of(config, "cm_arr-beta-0.5-flow_steps-4-training.epochs-50-log_sigma_limit-null")
    assert isinstance(changed, CmArr)
    assert (changed.beta, changed.flow_steps, changed.training.epochs, changed.log_sigma_limit) == (0.5, 4, 50, None)
    before, after = configured.model_dump(), changed.model_dump()
    assert {key for key in before if before[key] != after[key]} == {"beta", "flow_steps", "training", "log_sigma_limit"}
    assert after["training"] == before["training"] | {"epochs": 50}


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("cm_arr", "cm_arr"),
        ("cm_arr-alpha-1", "cm_arr"),
        ("cm_arr-alpha-1.0-training.epochs-100", "cm_arr"),
        ("cm_arr-lambda_rec-10-beta-0.50", "cm_arr-beta-0.5"),
        ("cm_arr-x_source-R-ablation-no_udcl", "cm_arr-ablation-no_udcl-x_source-R"),
        ("cm_arr-tau_learned-False", "cm_arr-tau_learned-false"),
        ("cm_arr-tau_learned-True", "cm_arr"),
        ("cm_arr-width-null", "cm_arr"),
        ("baseline-training.learning_rate-0.00001", "baseline-training.learning_rate-0.00001"),
    ],
)
def test_settings_that_are_as_configured_leave_the_name_of_a_run(name: str, run: str) -> None:
    config = parse({"corpora": CORPORA})
    assert run_name(config, name) == run
    assert settings_of(config, run).model_dump() == settings_of(config, name).model_dump()


def test_what_studies_need_of_a_system_is_not_asked_of_those_without_it() -> None:
    assert parse({"corpora": CORPORA, "systems": {"baseline": {}}}).studies.ablations[0].startswith("cm_arr-")


@pytest.mark.parametrize(("key", "value"), [("patience", 5), ("score_window", 3)])
def test_settings_that_need_scores_are_refused_under_a_protocol_without(key: str, value: int) -> None:
    content = {"corpora": CORPORA, "systems": {"mmin": {"teacher": {key: value}}}}
    assert settings_of(parse(content), "mmin").needing_scores() == [f"teacher.{key}"]
    for config, name in (
        (parse(content), "mmin-protocol-paper_last"),
        (parse(content | {"protocol": "paper_last"}), "mmin"),
    ):
        with pytest.raises(UserError, match=rf"{name}: under the protocol `paper_last` .* teacher\.{key} ") as caught:
            settings_of(config, name)
        assert "\n" not in str(caught.value)
    assert settings_of(parse({"corpora": CORPORA}), "mmin-protocol-paper_last").needing_scores() == []
