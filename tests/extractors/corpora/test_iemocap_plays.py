from __future__ import annotations

import pytest

from extractors.corpora.iemocap_plays import play
from extractors.corpora.iemocap_release import dialogues


def test_the_release_has_seven_scenes_in_every_session() -> None:
    found = {name: play(name) for name in dialogues()}
    assert sum(scene is not None for scene in found.values()) == 71
    for session in "12345":
        assert len({scene for name, scene in found.items() if scene and name[4] == session}) == 7
    assert len(set(found.values()) - {None}) == 7


@pytest.mark.parametrize(
    ("dialogue", "scene"),
    [
        ("Ses05M_script01_1b", "script01_1"), ("Ses01F_script03_2", "script03_2"), ("Ses03M_impro05a", None),
        ("Ses06F_script01_1", None), ("Ses01F_script01_1_F000", None), ("script01_1", None), ("S01A-5", None),
    ],
)  # fmt: skip
def test_only_names_of_plays_are_plays(dialogue: str, scene: str | None) -> None:
    assert play(dialogue) == scene
