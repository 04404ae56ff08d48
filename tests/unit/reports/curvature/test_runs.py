import csv

import numpy as np
import pytest

from hpsearch.reports.curvature.numbers import judge
from hpsearch.reports.curvature.runs import RunCurvature, runs_figure, said_of, write_runs

LINE = {"distances": [-1.0, 0.0, 1.0], "losses": [2.0, 1.0, 2.0], "slope": 0.0}


def run(name, values, gradient=0.0, loss=1.0, krylov=False):
    """Return a run at a point of a quadratic whose Hessian has these eigenvalues; `krylov`: known by Lanczos only."""
    values = sorted(values)
    spectrum = {"eigenvalues": values}
    if krylov:
        spectrum = {"matrices": [[[0.5, 0.5], [0.5, 0.0]]]}
    found = judge({
        **{"parameters": len(values), "samples": 10, "precision": "float64", "products": 0, "loss": loss},
        **{"method": "lanczos" if krylov else "exact", "gradient_norm": gradient, "line": LINE, "elsewhere": []},
        **{"top": [(values[-1], 0.0)], "bottom": [(values[0], 0.0)], **spectrum},
    })
    return RunCurvature(name, "end.pt", 3, True, found)


RUNS = [
    run("0/0", [1.0, 2.0, 3.0, 4.0], loss=0.1),
    run("1/0", [-1.0, 2.0, 3.0, 4.0], loss=0.5),
    run("2/0", [-1.0, -2.0, 3.0, 4.0], loss=0.9, gradient=1.0),
]


def test_a_run_is_drawn_at_its_minimum_ratio_and_its_loss():
    figure = runs_figure(RUNS, "lr")
    marks = [(trace.name, tuple(trace.x), tuple(trace.y)) for trace in figure.data if trace.mode == "markers"]
    assert [mark for mark in marks if mark[1] != (1e-16,)] == [
        ("minimum", (1.0,), (0.1,)),
        ("saddle", (0.75,), (0.5,)),
        ("no critical point", (0.5,), (0.9,)),
        ("no critical point", (1.0,), (0.9,)),  # over the norm of the gradient
    ]
    assert [trace.showlegend for trace in figure.data if trace.mode == "markers"] == [True, False] * 3
    assert figure.layout.xaxis2.type == "log" and figure.layout.title.text.startswith("lr: minimum ratio")
    assert "norm of the gradient 1" in figure.data[-1].text[0]


def test_what_is_known_in_bounds_has_a_bar():
    each = run("0/0", [0.0, 1.0], krylov=True)
    low, high = each.found.positive.low, each.found.positive.high
    assert low < high
    figure = runs_figure([each], "lr")
    (bar,) = (trace for trace in figure.data if trace.mode == "lines")
    assert figure.layout.title.subtitle.text.endswith("the mark is their middle, no estimate.")
    assert tuple(bar.x) == (low, high, None) and bar.showlegend is False
    (known,) = (trace for trace in runs_figure(RUNS[:1], "lr").data if trace.mode == "lines")
    assert known.x[0] == known.x[1]


def test_the_sentence_counts_every_run_once():
    found = said_of(RUNS)
    assert found.startswith("3 runs: 1 at a minimum, 1 at a saddle and 1 at no critical point, where a gradient step")
    assert found.endswith("would gain more than 0.1 %.")
    assert said_of(RUNS[:1]) == "1 run: 1 at a minimum."


def test_files_hold_every_run(tmp_path):
    table, html, svg = write_runs(RUNS, "lr", tmp_path)
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    assert [(row["run"], row["kind"], float(row["minimum_ratio_low"])) for row in rows] == [
        ("0/0", "minimum", 1.0),
        ("1/0", "saddle", 0.75),
        ("2/0", "no critical point", 0.5),
    ]
    assert np.allclose([float(row["gradient_norm"]) for row in rows], [0, 0, 1])
    assert "minimum ratio" in html.read_text(encoding="utf-8") and "minimum ratio" in svg.read_text(encoding="utf-8")


@pytest.mark.parametrize("kinds", [0, 1, 2])
def test_one_run_alone_is_drawn(kinds):
    assert len(runs_figure(RUNS[kinds : kinds + 1], "lr").data) == 3
