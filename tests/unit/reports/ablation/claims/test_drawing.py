"""The claims of an ablation in figures, and the marks of what broke in a search."""

import json
import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import pairwise

import pytest

from hpsearch.reports.ablation.figures import ablation_figures
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.kit import theme
from hpsearch.reports.kit.still import still
from tests.support import synthetic

NAMES = ["claim-rates", "claim-best-rates", "claim-updates", "claim-times", "claim-epochs"]


def figures(**changes):
    table, tuning = synthetic.momenta(**changes)
    return {name: figure for name, _, _, figure in ablation_figures(ablation_of(table, tuning))}


@pytest.fixture(scope="module")
def drawn():
    return figures()


def named(figure, name, axis=None):
    return [t for t in figure.data if t.name == name and axis in (None, t.yaxis)]


def test_every_claim_is_drawn(drawn):
    assert [name for name in drawn if name.startswith("claim")] == NAMES


@pytest.mark.parametrize("name", [*NAMES, "tuning-optimizer-lr"])
def test_each_can_be_read_without_it_without_colour_and_in_the_dark(drawn, name):
    figure = drawn[name]
    assert len(figure.layout.meta["alt"]) > 40
    json.loads(figure.to_json(), parse_constant=pytest.fail)
    used = set(re.findall(r'"(#[0-9a-fA-F]{6}|rgba\([^)]*\))"', figure.to_json())) - {"rgba(0,0,0,0)"}
    assert used <= set(theme.dark_partners())
    looks = {}
    for trace in figure.data:
        if trace.showlegend is not False and "lines" in trace.mode:
            looks.setdefault((trace.line.dash, trace.marker.symbol), set()).add(trace.line.color)
    assert name.startswith("tuning") or all(len(colours) == 1 for colours in looks.values())


@pytest.mark.parametrize("name", [*NAMES, "tuning-optimizer-lr"])
def test_each_name_stands_in_the_legend_once_and_in_the_still(drawn, name):
    shown = [trace.name for trace in drawn[name].data if trace.showlegend is not False]
    assert len(shown) == len(set(shown))
    texts = [each.text for each in ET.fromstring(still(drawn[name])).iter("{http://www.w3.org/2000/svg}text")]
    assert set(shown) <= set(texts)


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_legend_of_a_still_stays_in_the_picture(seeds):
    svg = ET.fromstring(still(figures(seeds=seeds)["claim-rates"]))
    width = float(svg.get("viewBox").split()[2])
    places = {
        each.text: each
        for each in svg.iter("{http://www.w3.org/2000/svg}text")
        if each.text in ("diverged", "momentum 0")
    }
    for text, element in places.items():
        x = float(element.get("x") or re.search(r"translate\(([\d.]+)", element.get("transform"))[1])
        assert 0 < x < width - 4 * len(text)


def test_rates_show_scores_the_best_and_what_broke(drawn):
    figure = drawn["claim-rates"]
    lines = named(figure, "momentum 0")
    assert len(lines) == 4  # batch sizes
    assert list(lines[0].y) == pytest.approx([0.95, 0.965, 0.97, 0.965, 0.1], abs=1e-3)
    assert [t.x[0] for t in named(figure, "best rate")] == pytest.approx([0.1] * 12, rel=0.1)
    bars = named(figure, "95 % interval of the best rate")
    assert all(bar.x[0] < ring.x[0] < bar.x[1] for bar, ring in zip(bars, named(figure, "best rate"), strict=True))
    assert list(named(figure, "not trained")[0].x) == pytest.approx([1.0])
    assert list(named(figure, "diverged")[0].x) == pytest.approx([10**0.5, 10, 10**1.5, 100])
    headings = [note.text for note in figure.layout.annotations]
    assert headings == [f"batch size {size}" for size in (16, 64, 256, 1024)]


def test_panes_do_not_overlap(drawn):
    for name in ("claim-rates", "claim-updates", "claim-times"):
        axes = [axis for key, axis in drawn[name].layout.to_plotly_json().items() if key.startswith("yaxis")]
        domains = sorted(axis["domain"] for axis in axes)
        assert domains[0][0] == pytest.approx(0) and domains[-1][1] <= 1
        assert all(below[1] < above[0] for below, above in pairwise(domains))


def test_updates_show_the_curve_its_corner_and_perfect_scaling():
    figure = figures(batches=(8, 32, 128, 512, 1024))["claim-updates"]
    (perfect, *_), (median, *_), (corner, *_) = (
        named(figure, name) for name in ("perfect scaling", "median", "critical batch size")
    )
    assert [x * y for x, y in zip(perfect.x, perfect.y, strict=True)] == pytest.approx([8 * median.y[0]] * 5)
    curve = named(figure, "fitted curve")[0]
    place = min(range(len(curve.x)), key=lambda i: abs(math.log(curve.x[i] / corner.x[0])))
    assert curve.y[place] == pytest.approx(corner.y[0], rel=0.05)


def test_the_slope_of_the_best_rates_is_drawn(drawn):
    figure = drawn["claim-best-rates"]
    (whole, *_), (fit, *_) = (named(figure, name) for name in ("in proportion", "momentum 0: power 0.00"))
    points = named(figure, "momentum 0")[0]
    assert all(up > 0 and down > 0 for up, down in zip(points.error_y.array, points.error_y.arrayminus, strict=True))
    assert whole.y[-1] / whole.y[0] == pytest.approx(64) and fit.y[-1] / fit.y[0] == pytest.approx(1, abs=0.02)


def test_times_and_epochs_hold_what_the_claims_say(drawn):
    epoch, update = named(drawn["claim-times"], "momentum 0")
    assert list(epoch.y) == pytest.approx([0.52, 0.145, 0.05125, 0.0278125])
    assert list(update.y) == pytest.approx([e * b / 1024 for e, b in zip(epoch.y, (16, 64, 256, 1024), strict=True)])
    marks = named(drawn["claim-epochs"], "trials, the larger the more")[0]
    assert sum(((size - 6) / 3) ** 2 for size in marks.marker.size) == pytest.approx(36)


@pytest.mark.parametrize("sizes", [(16, 64), (16, 64, 256)])
def test_a_tick_names_each_of_a_few_batch_sizes(sizes):
    table, tuning = synthetic.momenta(batches=sizes)
    drawn = {name: figure for name, _, _, figure in ablation_figures(ablation_of(table, tuning))}
    assert list(drawn["claim-times"].layout.xaxis.tickvals) == list(sizes)


def test_without_a_target_or_two_momenta_their_figures_are_left_out():
    assert "claim-rates" not in figures(values=(0.9,))
    table, tuning = synthetic.momenta()
    table.study["config"]["ablation"] = {**table.study["config"]["ablation"], "target": None}
    assert "claim-updates" not in {name for name, *_ in ablation_figures(ablation_of(table, tuning))}


def test_names_of_groups_are_escaped():
    table, tuning = synthetic.momenta()
    hostile = {16: "<b>one</b>", 64: "<b>one</b>", 256: "two", 1024: "two"}
    sizes = {16: 16, 64: 64, 256: 16, 1024: 64}
    for each in (table, tuning):
        each.trials["model"] = each.trials["data.batch_size"].map(hostile)
        each.trials["data.batch_size"] = each.trials["data.batch_size"].map(sizes)
        each.study["space"]["model"] = "choice(one, two)"
        each.study["config"]["ablation"]["factors"].append("model") if each is table else None
    found = ablation_of(table, tuning)
    drawn = {name: figure for name, _, _, figure in ablation_figures(found)}
    for name in ("claim-rates", "claim-times"):
        shown = drawn[name].to_json().replace(drawn[name].layout.meta["alt"], "")
        assert "<b>one" not in shown
        assert "&lt;b&gt;one" in shown


def test_the_search_marks_what_did_not_learn_and_what_diverged_apart():
    figure = figures()["tuning-optimizer-lr"]
    (flat,), (away,) = named(figure, "not trained"), named(figure, "diverged")
    assert flat.marker.symbol == "square-open" and away.marker.symbol == "x"
    assert len(flat.x) == 12 and set(flat.y) == {0.1}
    assert len(away.x) == 12 * 9 - sum(len(t.x) for t in figure.data if t.mode == "lines+markers")
    assert max(away.y) < min(flat.y)


def test_a_search_without_training_losses_marks_nothing_flat():
    table, tuning = synthetic.momenta()
    known = replace(tuning, steps=tuning.steps.iloc[:0])
    drawn = {name: figure for name, _, _, figure in ablation_figures(ablation_of(table, known))}
    assert named(drawn["tuning-optimizer-lr"], "not trained") == []
