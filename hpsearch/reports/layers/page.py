"""The page of a trial's layers: what they show, heat maps over training, the last numbers as a table."""

import math
from collections.abc import Mapping
from pathlib import Path

from hpsearch.base import words
from hpsearch.base.files import replace_text
from hpsearch.reports.kit.cells import NONE, Cell
from hpsearch.reports.kit.layer_map import layer_map
from hpsearch.reports.kit.layer_rules import Rows, faults_text
from hpsearch.reports.kit.layers import QUANTITIES, LayerCourse, layer_courses, reading_aid
from hpsearch.reports.kit.page import panel, render_page
from hpsearch.reports.kit.still import still, views
from hpsearch.reports.kit.tables import Table, as_table


def write_layers(rows: Rows, unit: float, run: str, folder: Path) -> tuple[str, list[Path]]:
    """Write what the layers of a trial did: a page, and a still picture of each quantity.

    Args:
        rows: of its ``layers.json``; something in them is finite.
        unit: a loss of ordinary size, see `hpsearch.reports.kit.layers.Watched`.
        run: name of the trial.
        folder: where to write.

    Returns:
        What the layers show, in a sentence, and the paths of ``layers.html`` and of ``layers-QUANTITY.svg``.
    """
    courses = layer_courses([rows])
    said = faults_text([rows], [unit])
    figure = layer_map(courses, f"Heat map of the layers of {run} by epoch.")
    aid = f"One row per layer, the one nearest the inputs on top. {reading_aid(courses)}"
    text = render_page(
        "layers/page.html.j2",
        run=run,
        said=said,
        panel=panel("layers", "Layers over training", aid, figure),
        table=last_table(courses),
    )
    paths = [replace_text(folder / "layers.html", text)]
    drawn = zip(courses, views(figure), strict=True)
    paths += [replace_text(folder / f"layers-{key}.svg", still(shown)) for key, (_, shown) in drawn]
    return said, paths


def last_table(courses: Mapping[str, LayerCourse]) -> Table:
    """Return one row per layer and activation, from the inputs on: each quantity at the last look.

    Args:
        courses: of one trial.
    """
    names = list(dict.fromkeys(name for course in courses.values() for name in course.layers))
    rows = []
    for name in names:
        cells = [Cell(name)]
        for course in courses.values():
            known = name in course.layers
            value = float(course.values[course.layers.index(name), -1]) if known else math.nan
            cells.append(_cell(value, QUANTITIES[course.quantity].log))
        rows.append(tuple(cells))
    return as_table(("layer", *(QUANTITIES[key].title for key in courses)), rows)


def _cell(value: float, log: bool) -> Cell:
    if not math.isfinite(value):
        return NONE
    return Cell(words.number(float(f"{value:.3g}")) if log else f"{100 * value:.0f} %", value)
