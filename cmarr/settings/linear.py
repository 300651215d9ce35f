"""Settings of the linear reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from cmarr.settings.base import AnySystem

Strength = Annotated[float, Field(gt=0)]
Strengths = Annotated[tuple[Strength, ...], Field(min_length=1)]


def _listed(value: Any) -> Any:
    """A single number, as the name of a variant has it, as a list of one."""
    return (value,) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


class Linear(AnySystem):
    """Multinomial logistic regression on means over time, a model per condition."""

    c: Annotated[Strengths, BeforeValidator(_listed, json_schema_input_type=Strengths | Strength)] = Field(
        (1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0),
        description="values of C (or a single one), the inverse strength of the L2 penalty on the summed "
        "cross-entropy; each condition takes the one with the best score of the utterances that choose, the smaller of "
        "equal ones",
    )
    c_unchosen: Strength = Field(
        1e-3, description="C of every condition under `paper_last`, where no utterances choose"
    )
    class_weight: Literal["balanced", "none"] = Field(
        "balanced",
        description="of an utterance: inverse to the frequency of its class, since tables compare UAR, or 1",
    )
