from __future__ import annotations

from pathlib import Path

from cmarr.picture import legend, notes_of, panels, save


def test_title_notes_and_origin_are_in_the_picture(tmp_path: Path) -> None:
    from PIL import Image

    figure, axes = panels(1, 2, 2)
    for panel in axes[0]:
        panel.plot([1, 2], label="line")
    legend(figure)
    save(
        figure, tmp_path / "a.png", "toy (synthetic), " + "protocol clean " * 20, ["face model", "face model", ""], "x"
    )
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.info["Description"] == "origin: x"
    assert figure.get_suptitle().startswith("toy (synthetic)")
    assert max(len(line) for line in figure.get_suptitle().splitlines()) <= 100
    assert figure.get_supxlabel() == "Note: face model."
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line"]


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        figure, axes = panels(1, 1, 2)
        axes[0, 0].plot([1, 2])
        save(figure, tmp_path / name, "title", ["note"], "synthetic")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_note_that_only_some_corpora_have_names_them() -> None:
    rows = [{"corpus": corpus, "notes": notes} for corpus, notes in (("a", "x"), ("b", "x"), ("b", ""), ("b", "y"))]
    assert notes_of(rows) == ["x", "y (b)"]
    assert notes_of(rows[:1]) == ["x"]
    assert notes_of([rows[0], {"corpus": "b", "notes": "x; z"}]) == ["x", "z (b)"]
