"""Plans that differ from that of the fixture `plan`."""

from __future__ import annotations

from pathlib import Path

from cmarr.workflow import Plan

ROOT = Path(__file__).resolve().parents[2]


def changed(plan: Plan, **content: object) -> Plan:
    return Plan(plan.config.model_dump(exclude_unset=True) | content, ROOT, "mine.yaml")


BOTH = {"cm_arr": {"size": "tiny"}, "baseline": {"size": "tiny"}}
