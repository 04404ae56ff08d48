"""A README with its figures beside it, written over an earlier one."""

from pathlib import Path

from hpsearch.reports.kit.readme import replace_readme


def test_figures_that_only_the_readme_before_showed_are_removed(tmp_path: Path) -> None:
    replace_readme(tmp_path, "![a](score.svg) ![\\[b\\]](curves.svg)", {"score.svg": "old", "curves.svg": "old"})
    for name in ("layers-gradient.svg", "mine.svg"):
        (tmp_path / name).write_text("of another command")
    replace_readme(tmp_path, "![a](score.svg) ![b](curves-acc.svg)", {"score.svg": "new", "curves-acc.svg": "new"})
    assert {path.name: path.read_text() for path in tmp_path.glob("*.svg")} == {
        "score.svg": "new",
        "curves-acc.svg": "new",
        "layers-gradient.svg": "of another command",
        "mine.svg": "of another command",
    }


def test_what_a_readme_shows_from_elsewhere_stays(tmp_path: Path) -> None:
    folder, outside = tmp_path / "study", tmp_path / "logo.svg"
    outside.write_text("a logo")
    replace_readme(folder, "![logo](../logo.svg)", {})
    replace_readme(folder, "nothing", {})
    assert outside.exists()
