"""The additive model: exact where effects add up, silent on what is inactive."""

from itertools import product

import numpy as np
import pytest

from hpsearch.search import effects
from hpsearch.search.effects import main_effects
from hpsearch.search.space import Space

TABLE = {"a": "choice(x, y, z)", "b": "choice(1, 10, 100)", "c": "range(0, 5)", "a=x/d": "choice(true, false)"}


def score(point):
    extra = {True: 2.0, False: -1.0}.get(point.get("d"), 0.0)
    return (
        {"x": 0.0, "y": 3.0, "z": -1.0}[point["a"]] + {1: 0.0, 10: 5.0, 100: 1.0}[point["b"]] + 0.5 * point["c"] + extra
    )


def test_effects_that_add_up_are_found_from_a_part_of_the_combinations(monkeypatch):
    monkeypatch.setattr(effects, "RIDGE", 1e-9)
    space = Space.parse(TABLE)
    cells = list(space.cells())
    known, others = cells[::3], [cell for place, cell in enumerate(cells) if place % 3]
    found = main_effects(space, known, [score(space.active(cell)) for cell in known], others)
    assert found == pytest.approx([score(space.active(cell)) for cell in others], abs=1e-4)


def test_the_values_of_inactive_hyperparameters_do_not_matter():
    space = Space.parse(TABLE)
    cells = [cell for cell in space.cells() if space.active(cell)["a"] != "x"]
    scores = [score(space.active(cell)) for cell in cells]
    noisy = [{**cell, "a=x/d": value} for cell, value in zip(cells, ["true", "false"] * len(cells), strict=False)]
    assert np.array_equal(main_effects(space, cells, scores, cells), main_effects(space, noisy, scores, noisy))


def test_a_value_that_was_not_tried_lies_on_the_slope_of_the_others():
    space = Space.parse({"c": "range(0, 11)", "k": "choice(x, y)"})
    known = [{"c": c, "k": k} for c, k in product((0, 2, 4, 6, 8), "xy")]
    low, high = main_effects(
        space, known, [float(point["c"]) for point in known], [{"c": 1, "k": "x"}, {"c": 10, "k": "x"}]
    )
    assert low < 4 < 5 < high
