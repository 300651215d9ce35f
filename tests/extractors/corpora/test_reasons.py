from __future__ import annotations

from extractors.corpora import Rejected
from extractors.corpora.reasons import causes, kind


def test_reasons_of_a_kind() -> None:
    assert kind("wav: missing: m/a.wav; there is m/A.WAV") == kind("wav: missing: b.wav") == "wav: missing"
    assert kind("12.5 ms long, at least 25 are needed") == "# ms long, at least # are needed"
    assert kind("label s1 of UTF-8") == "label s1 of UTF-8"


def test_the_commonest_causes_and_an_example_of_each() -> None:
    rows = [Rejected(f"u{n}", "audio", f"wav: missing: {n}.wav") for n in range(3)]
    rows += [Rejected("x", "label", "label is empty")] * 2 + [Rejected("y", "video", "avi: 1.5 s long")]
    rows += [Rejected("z", "label", "rare")]
    assert causes(rows) == (
        "audio: wav: missing (3 times), such as u0, wav: missing: 0.wav; label: label is empty (2 times), such as x; "
        "video: avi: # s long (once), such as y, avi: 1.5 s long"
    )
    assert causes([]) == ""
