from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from cmarr.settings import Features, System, Training, merged


class Toy(System):
    PUBLISHED: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "": {"training": {"epochs": 60, "beta1": 0.5}, "teacher": {"epochs": 20}},
        "msp_improv": {"training": {"learning_rate": 0.5}, "weight": 2.0},
    }
    teacher: Training = Training()
    weight: float = 4.0


def test_published_values_stand_where_none_is_given() -> None:
    toy = Toy()
    assert (toy.training.epochs, toy.training.beta1, toy.teacher.epochs, toy.weight) == (60, 0.5, 20, 4)
    assert toy.training.learning_rate == Training().learning_rate
    some = Toy.model_validate({"training": {"epochs": 3}})
    assert (some.training.epochs, some.training.beta1, some.teacher.epochs) == (3, 0.5, 20)
    assert some.given() == {"training": {"epochs": 3}}


def test_those_of_a_type_of_corpus_stand_above_them_and_below_what_is_given() -> None:
    toy = Toy.model_validate({"weight": 4.0, "training": {"epochs": 7}})
    theirs = toy.resolved("msp_improv")
    assert (theirs.training.learning_rate, theirs.training.epochs, theirs.training.beta1) == (0.5, 7, 0.5)
    assert theirs.weight == 4  # given, though it is the default
    assert Toy().resolved("msp_improv").weight == 2
    assert toy.resolved("iemocap").model_dump() == toy.model_dump()


def test_complete_settings_as_json_come_back_as_they_were() -> None:
    theirs = Toy().resolved("msp_improv")
    assert Toy.model_validate_json(theirs.model_dump_json()).model_dump() == theirs.model_dump()


def test_a_wrong_key_is_still_an_error() -> None:
    with pytest.raises(ValidationError, match="extra"):
        Toy.model_validate({"wieght": 1})
    with pytest.raises(ValidationError):
        Toy.model_validate(3)


def test_merged_is_nested_and_leaves_its_arguments_alone() -> None:
    below, above = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}, "e": 6}
    assert merged(below, above) == {"a": {"b": 5, "c": 2}, "d": 3, "e": 6}
    assert (below, above) == ({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 5}, "e": 6})
    assert merged({"a": {"b": 1}}, {"a": None}) == {"a": None}


def test_modalities_to_standardise_are_named() -> None:
    assert Features().standardize == ("text", "speech", "video")
    with pytest.raises(ValidationError):
        Features.model_validate({"standardize": ["speach"]})
