from __future__ import annotations

import json
import re

import pytest

from cmarr.workflow import Plan
from extractors.errors import UserError
from tests.cmarr.plans import BOTH, changed


def test_runs_are_corpus_system_fold_seed(plan: Plan) -> None:
    assert plan.study("table2") == [f"toy/baseline/fold{fold}/seed{seed}" for fold in (1, 2) for seed in (1, 2)]
    assert plan.files("models", ["a", "b"], "/x", "/y") == [
        f"results/models/{name}" for name in ("a/x", "a/y", "b/x", "b/y")
    ]
    assert plan.stores("toy") == [f"results/features/toy/{modality}.h5" for modality in ("text", "speech", "video")]


def test_variants_are_columns_of_table_2_each_once(plan: Plan) -> None:
    names = ["baseline-training.epochs-3", "baseline-size-tiny", "baseline-training.epochs-3-size-tiny"]
    more = changed(plan, variants=names, seeds=[4])
    assert more.columns == ["baseline", "baseline-training.epochs-3"]
    assert more.study("table2") == [f"toy/{name}/fold{fold}/seed4" for name in more.columns for fold in (1, 2)]
    assert "results/figures/learning/toy/baseline-training.epochs-3.png" in more.targets
    before, after = (json.loads(more.system(name, "toy")) for name in more.columns)
    assert after == before | {"training": before["training"] | {"epochs": 3}}
    with pytest.raises(SystemExit, match=r"^error: .*unknown key `epochs` under `systems.baseline`"):
        more.system("baseline-epochs-3", "toy")


def test_table_3_has_the_ablations_between_baseline_and_the_full_model(plan: Plan) -> None:
    ablations = ["cm_arr-ablation-no_spcl", "cm_arr-ablation-no_udcl-x_source-R"]
    both = changed(plan, systems=BOTH, studies={"ablations": ablations})
    wanted = ["baseline", *ablations, "cm_arr"]
    assert both.study("table3") == [f"toy/{s}/fold{k}/seed{n}" for s in wanted for k in (1, 2) for n in (1, 2)]


def test_fig_4_changes_one_setting_at_a_time_and_trains_nothing_twice(plan: Plan) -> None:
    values = {"alpha": [0.5, 1], "lambda_rec": [10.0], "beta": [0.1, 1]}
    both = changed(plan, systems=BOTH, seeds=[3, 1], studies=values)
    systems = ["cm_arr-alpha-0.5", "cm_arr", "cm_arr-beta-1"]
    assert both.study("fig4") == [f"toy/{system}/fold{fold}/seed3" for system in systems for fold in (1, 2)]
    assert set(both.study("table2")) & set(both.study("fig4")) == {"toy/cm_arr/fold1/seed3", "toy/cm_arr/fold2/seed3"}
    assert both.sweep_defaults == ["alpha=1.0", "lambda_rec=10.0", "beta=0.1"]
    one = changed(plan, systems=BOTH | {"cm_arr": {"alpha": 0.5}}, studies=values | {"sweep_folds": ["2"]})
    assert one.study("fig4") == [
        f"toy/{system}/fold2/seed1" for system in ("cm_arr", "cm_arr-alpha-1", "cm_arr-beta-1")
    ]
    assert one.sweep_defaults[0] == "alpha=0.5"


def test_fig_5_is_with_and_without_contrasts_on_the_last_fold(plan: Plan) -> None:
    both = changed(plan, systems=BOTH)
    assert both.study("fig5") == ["toy/cm_arr-alpha-0-beta-0/fold2/seed1", "toy/cm_arr/fold2/seed1"]
    assert changed(plan, systems=BOTH, studies={"tsne_fold": "1"}).study("fig5")[1] == "toy/cm_arr/fold1/seed1"


def test_targets_are_what_the_systems_allow(plan: Plan) -> None:
    few = {"table1.csv", "table2.csv", "recall.csv", "missing_rate.csv", "figures/conditions.png"}
    few |= {"protocols.csv"}
    own = {"figures/learning/toy/baseline.png", "figures/confusion/toy/baseline.png"}
    assert set(plan.targets) == {f"results/{path}" for path in few | own}
    more = {"table3.csv", "fig4.csv", "fig5.csv", "figures/learning/toy/cm_arr.png", "figures/confusion/toy/cm_arr.png"}
    assert set(changed(plan, systems=BOTH).targets) == {f"results/{path}" for path in few | more}
    assert "results/protocols.csv" not in changed(plan, studies={"protocols": []}).targets
    assert "results/table3.csv" not in changed(plan, systems={"cm_arr": None}).targets
    assert "results/fig4.csv" in changed(plan, systems={"cm_arr": None}).targets


@pytest.mark.parametrize(("study", "system"), [("table3", "baseline"), ("fig4", "cm_arr"), ("fig5", "cm_arr")])
def test_a_study_without_its_system_ends_with_one_line(plan: Plan, study: str, system: str) -> None:
    (other,) = set(BOTH) - {system}
    message = f"error: {study} needs {system}: add `{system}: {{}}` under `systems` in mine.yaml"
    with pytest.raises(SystemExit) as caught:
        changed(plan, systems={other: None}).study(study)
    assert caught.value.code == message


@pytest.mark.parametrize(("study", "key", "value"), [("fig4", "sweep_folds", ["1", "5"]), ("fig5", "tsne_fold", "5")])
def test_a_study_of_a_fold_that_is_not_there_ends_with_one_line(
    plan: Plan, study: str, key: str, value: object
) -> None:
    with pytest.raises(SystemExit, match=rf"^error: studies\.{key} in mine\.yaml: toy has no such fold; name 1, 2$"):
        changed(plan, systems=BOTH, studies={key: value}).study(study)


@pytest.mark.parametrize(
    ("protocol", "folds", "metric"),
    [
        ("clean", ["1", "2"], "mean_uar"),
        ("paper_last", ["1", "2"], "mean_uar"),
        ("mmin_clean", ["1", "2", "3", "4"], "pooled_uar"),
        ("mmin_script", ["1", "2", "3", "4"], "pooled_uar"),
    ],
)
def test_a_protocol_names_folds_and_what_is_highest_at_the_chosen_epoch(
    plan: Plan, protocol: str, folds: list[str], metric: str
) -> None:
    other = changed(plan, protocol=protocol)
    assert (other.folds("toy"), other.choice_metric("toy", protocol)) == (folds, metric)
    assert plan.folds("toy", protocol) == folds
    assert len(other.study("table2")) == 2 * len(folds)


def test_speakers_of_msp_improv_choose_the_epoch_by_macro_f1(plan: Plan) -> None:
    other = changed(plan, corpora={"m": {"type": "msp_improv", "root": "x"}})
    assert other.choice_metric("m", "mmin_clean") == "pooled_macro_f1"
    assert other.choice_metric("m", "clean") == "mean_uar"


def test_the_baseline_is_no_column_of_table_2_unless_it_is_alone_or_asked_for(plan: Plan) -> None:
    assert plan.columns == ["baseline"]
    assert changed(plan, systems=BOTH).columns == ["cm_arr"]
    assert changed(plan, systems=BOTH, variants=["baseline"]).columns == ["cm_arr", "baseline"]
    assert not changed(plan, systems=BOTH).compared
    assert changed(plan, systems=BOTH | {"mmin": None}).compared


def test_columns_are_in_the_order_of_the_paper_whatever_the_file_says(plan: Plan) -> None:
    named = dict.fromkeys(["cm_arr", "dicmor", "cif_mmin", "if_mmin", "mmin", "cra", "baseline"])
    assert changed(plan, systems=named).columns == ["cra", "mmin", "if_mmin", "cif_mmin", "dicmor", "cm_arr"]


def test_published_settings_are_those_of_the_type_of_the_corpus(plan: Plan) -> None:
    corpora = {"toy": plan.config.corpora["toy"].model_dump(), "m": {"type": "msp_improv", "root": "x"}}
    systems = {"mmin": {"teacher": {"epochs": 3}}}
    both = changed(plan, corpora=corpora, systems=systems, variants=["mmin-cycle_weight-2", "mmin-cycle_weight-7"])
    ours, theirs = (json.loads(both.system("mmin", corpus)) for corpus in ("toy", "m"))
    assert (ours["cycle_weight"], theirs["cycle_weight"]) == (2, 0.5)
    assert (ours["teacher"]["batch_size"], theirs["teacher"]["batch_size"]) == (128, 64)
    assert ours["teacher"]["epochs"] == theirs["teacher"]["epochs"] == 3
    assert both.columns == ["mmin", "mmin-cycle_weight-2", "mmin-cycle_weight-7"]  # 2 is not what is published for m
    assert json.loads(both.system("mmin-cycle_weight-2", "m"))["cycle_weight"] == 2


def test_the_comparison_of_protocols_has_every_system_under_both_with_the_first_seed(plan: Plan) -> None:
    both = changed(plan, systems=BOTH | {"mmin": None}, studies={"protocols": ["mmin_script", "clean"]}, seeds=[4, 1])
    names = {"mmin": 2, "cm_arr": 2, "mmin-protocol-mmin_script": 4, "cm_arr-protocol-mmin_script": 4}
    wanted = [f"toy/{name}/fold{k + 1}/seed4" for name, folds in names.items() for k in range(folds)]
    assert both.study("protocols") == wanted
    assert [both.protocol(name) for name in ("mmin", "mmin-protocol-mmin_script")] == ["clean", "mmin_script"]
    assert both.system("mmin-protocol-mmin_script", "toy") == both.system("mmin", "toy")
    assert all(re.fullmatch(both.constraints["protocol"], name) for name in ("clean", "mmin_script", "paper_last"))
    with pytest.raises(
        SystemExit, match=r"^error: .*: studies\.protocols: mmin-protocol-paper_last: .* training\.patience "
    ):
        changed(plan, systems={"mmin": {"training": {"patience": 3}}}).study("protocols")


def test_targets_as_released_are_those_of_iemocap_by_speaker(plan: Plan) -> None:
    asked = changed(plan, released_targets=True)
    assert asked.released_targets("toy", "mmin_script") == ["--released-targets"]
    assert asked.released_targets("toy", "clean") == []


def test_names_of_variants_match_and_their_code_is_that_of_the_system(plan: Plan) -> None:
    both = changed(plan, systems=BOTH)
    for name in ("cm_arr", "baseline-training.epochs-3", "cm_arr-alpha-0-beta-0.5-x_source-R"):
        assert re.fullmatch(both.constraints["system"], name)
    for name in ("cm_ar", "cm_arr-alpha", "mmin", "cm_arr/fold1", "cm_arr-alpha-0-"):
        assert not re.fullmatch(both.constraints["system"], name)
    code = both.system_code("cmarr.train", "cm_arr-alpha-0-beta-0.5")
    assert code == both.code("cmarr.train", "cmarr.systems.cm_arr") != both.system_code("cmarr.train", "baseline")


def test_the_runs_of_a_large_study_fit_on_a_command_line() -> None:
    """Linux takes 128 KiB in one argument, and a job's whole command is one argument of bash."""
    run = "msp_improv/cm_arr-ablation-no_udcl-x_source-R/fold12/seed3"
    assert len(f"{run} ") * 30 * 12 * 3 < 2**17


def test_jobs_get_complete_settings_as_json(plan: Plan) -> None:
    assert json.loads(plan.system("baseline", "toy"))["training"]["batch_size"] == 16
    assert json.loads(plan.encoder("text", "toy"))["model"] == "google-bert/bert-base-uncased"
    assert "\n" not in plan.features
    flags = [changed(plan, tensorboard=chosen).tensorboard for chosen in (False, True)]
    assert flags == [plan.tensorboard, "--tensorboard results/tensorboard"] == ["", flags[1]]


def test_draws_that_can_find_nothing_are_refused_before_anything_is_trained(plan: Plan) -> None:
    """15 secondary tests a rival: 80 rivals' least corrected p-value is 2 * 1200 / (draws + 1)."""
    variants = [f"mmin-training.epochs-{number}" for number in range(1001, 1080)]
    content = {"systems": BOTH | {"mmin": {}}, "variants": variants}
    assert changed(plan, **content, statistics={"draws": 48_000}).compared
    words = r"^configuration: statistics\.draws: 1200 corrected p-values of 47999 draws are never below 0\.05; 48000 is"
    with pytest.raises(UserError, match=words):
        changed(plan, **content, statistics={"draws": 47_999})
    assert changed(plan, systems=BOTH, statistics={"draws": 1000}).compared is False
