"""Settings of the majority class; there are none."""

from __future__ import annotations

from cmarr.settings.base import AnySystem


class Majority(AnySystem):
    """The shares of the classes among the training utterances, whatever is seen."""
