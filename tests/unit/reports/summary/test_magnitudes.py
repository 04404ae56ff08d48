"""A report of scores of any size: no number of zeros, none of a hundred digits, and nothing that fails."""

import re
from dataclasses import replace

import pytest

from hpsearch.reports.kit.canvas import log_axis, round_ticks
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.page import write_report
from hpsearch.reports.summary.sentences import answer, caveats
from tests.support import synthetic

SIZES = [5e-324, 1e-160, 1e-9, 1e20, 1e307]
BETWEEN = [1e-310, 1e-200, 1e-30, 1e145, 1e200]


def sized(size):
    """A search of three keys whose scores, curves and second objective are of one size."""
    table = synthetic.searched(40)
    trials, curves = table.trials.copy(), table.curves.copy()
    for name in ("score", "valid/acc", "valid/loss", "train/loss"):
        for frame in (trials, curves):
            if name in frame:
                frame[name] = frame[name].astype(float) * size
    objective = {"metric": "valid/acc", "direction": "minimize"}
    second = {"metric": "valid/loss", "direction": "minimize"}
    study = {**table.study, "objective": objective, "objectives": [objective, second]}
    return replace(table, trials=trials, curves=curves, steps=table.steps.iloc[:0], study=study)


@pytest.mark.parametrize("size", [*SIZES, *(pytest.param(size, marks=pytest.mark.long) for size in BETWEEN)])
@pytest.mark.filterwarnings("error")
def test_a_report_of_scores_of_any_size(tmp_path, size):
    table = sized(size)
    found = find(table, resamples=10)
    said = [answer(found.summary, found.importance), *caveats(found.summary, {}, found.importance)]
    write_report(table, tmp_path)
    written = (tmp_path / "README.md").read_text().partition("## Commands")[0]
    for text in (*said, written):
        assert not re.search(r"\d{12}", text), text
        assert not re.search(r"(?<![\d.e])0\.0{6,}", text), text
    mean = found.summary.best.mean
    assert f"{mean:.3g}" in said[0]
    assert len(found.summary.front.front) > 0


def test_what_matters_does_not_depend_on_the_size_of_the_scores():
    plain = find(sized(1.0), resamples=10).importance
    for size in (2.0**-40, 2.0**-600, 2.0**600):
        scaled = find(sized(size), resamples=10).importance
        assert plain.fanova.shares and scaled.fanova.shares == plain.fanova.shares
        assert scaled.surface.z == tuple(tuple(value * size for value in row) for row in plain.surface.z)


@pytest.mark.parametrize(
    ("low", "high"), [(1e-323, 5e-323), (1e-320, 1e300), (1e300, 1.7e308), (-1.7e308, 1.7e308), (5e-324, 5e-324)]
)
def test_ticks_of_any_size(low, high):
    ticks = round_ticks(False, low, high)
    assert ticks and all(low - 1e-9 * high <= tick <= high for tick in ticks)
    if low > 0:
        assert all(low <= tick <= high for tick in round_ticks(True, low, high))
        assert len(log_axis("x", [low, high])["tickvals"]) > 1
