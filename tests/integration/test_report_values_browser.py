"""What a page shows in a real browser is what was measured: every drawn number and every label, read back."""

import itertools

import numpy as np
import pytest

from hpsearch.base.columns import metric_column
from hpsearch.reports.comparison.page import write_comparison
from hpsearch.reports.kit.space import searched
from hpsearch.reports.summary.page import write_report
from tests.support import odd
from tests.support.browser import NEEDED, chromium, errors, keep, load, wait

FIGURE = """
    const listed = (v) => ArrayBuffer.isView(v) || Array.isArray(v);
    const plain = (values) => values && Array.from(values, (v) => (listed(v) ? Array.from(v) : v));
    return [...document.querySelectorAll('.figure')].map((f) => ({
        name: f.id,
        traces: f._fullData.map((t) => ({
            name: t.name, mode: t.mode, visible: t.visible, x: plain(t.x), y: plain(t.y),
            customdata: plain(t.customdata), template: t.hovertemplate,
        })),
        seen: [...f.querySelectorAll('.legendtext')].map((t) => t.textContent),
        ticks: Object.entries(f._fullLayout).filter(([k]) => /^[xy]axis/.test(k)).map(([, a]) => a.ticktext || []),
    }));
"""  # fmt: skip
ROWS = """
    const table = document.getElementById(arguments[0]);
    const headings = [...table.tHead.rows[0].cells].map((c) => c.textContent.trim());
    return [...table.tBodies[0].rows].map((row) => ({
        best: row.className === 'best', ...Object.fromEntries(headings.map((h, i) => [h, row.cells[i].textContent])),
    }));
"""

METRICS = "return [...document.querySelectorAll('#curves-controls option')].map((o) => o.text)"
CHOOSE = """
    const select = document.querySelector('#curves-controls select');
    select.value = [...select.options].findIndex((o) => o.text === arguments[0]);
    select.dispatchEvent(new Event('change'));
"""
TEXTS = "return [...document.querySelectorAll(arguments[0])].map((v) => v.textContent)"

pytestmark = NEEDED


@pytest.fixture(scope="module")
def chrome(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


def opened(chrome, path, name):
    load(chrome, path)
    assert errors(chrome) == []
    keep(chrome, f"values-{name}")
    found = chrome.execute_script(FIGURE)
    for figure in found:
        told = [text for text in figure["seen"] if text]
        assert len(set(told)) == len(told), (figure["name"], told)
        for ticks in figure["ticks"]:
            assert len(set(ticks)) == len(ticks), (figure["name"], ticks)
    return {figure["name"]: figure for figure in found}


@pytest.mark.parametrize(
    "name", [name if name == "gaps" else pytest.param(name, marks=pytest.mark.long) for name in odd.STUDIES]
)
def test_what_is_drawn_is_what_was_measured(chrome, tmp_path, name):
    table = odd.STUDIES[name]()
    figures = opened(chrome, write_report(table, tmp_path), name)
    marks = 0
    for metric in chrome.execute_script(METRICS):
        chrome.execute_script(CHOOSE, metric)
        wait(chrome, f"return document.getElementById('curves').layout.yaxis.title.text.trim() === {metric!r}")
        curves = next(each for each in chrome.execute_script(FIGURE) if each["name"] == "curves")
        if " per step" not in metric:
            shown = [trace for trace in curves["traces"] if trace["visible"] is True]
            marks += check_curves(table, metric_column(metric), shown)
    assert bool(marks) == (name in ("gaps", "both", "one"))
    check_scores(table, figures)
    check_table(chrome, table)


def check_curves(table, metric, traces):
    """Check every value of every trial, the gaps, the extremes; return how many marks there are for what was lost."""
    known = {
        trial: rows.set_index("epoch")[metric].sort_index() for trial, rows in table.curves.groupby(["point", "seed"])
    }
    drawn = {trial: {} for trial in known}
    for trace in traces:
        if not trace["customdata"] or trace["template"] is None:
            continue
        smoothed = "smoothed" in trace["template"]
        previous = None
        for x, y, who in zip(trace["x"], trace["y"], trace["customdata"], strict=True):
            if x is None or y is None:
                previous = None
                continue
            trial = (int(who[0]), int(who[1]))
            value = who[2] if smoothed else y
            assert value == known[trial][x], (metric, trial, x)
            if not smoothed:
                drawn[trial][x] = y
            if previous is not None and "lines" in trace["mode"]:
                assert not known[trial].loc[previous:x].isna().any(), (metric, trial, previous, x)
            previous = x
    for trial, values in known.items():
        finite = values.dropna()
        if len(finite):
            assert {finite.min(), finite.max(), finite.iloc[0], finite.iloc[-1]} <= set(drawn[trial].values()), trial
        if len(finite) <= 100:
            assert drawn[trial] == finite.to_dict(), trial
    marks = [x for trace in traces if trace["name"] == "not measured" for x in trace["x"]]
    assert len(marks) == sum(stretches(values) for values in known.values())
    return len(marks)


def stretches(values):
    """How many runs of missing values a trial has, of a metric that it measured more than once."""
    if values.notna().sum() < 2:
        return 0
    runs = [(key, len(list(group))) for key, group in itertools.groupby(values.isna().tolist())]
    return sum(missing and not (place == 0 and length == 1) and not (place == len(runs) - 1 and length == 1)
               for place, (missing, length) in enumerate(runs))  # fmt: skip


def check_scores(table, figures):
    whole = table.trials.groupby("point")["state"].agg(lambda states: set(states) == {"COMPLETE"})
    scores = table.trials.groupby("point")["score"].mean()[whole]
    (complete,) = [t for t in figures["history"]["traces"] if t["name"] == "complete"]
    assert dict(zip(complete["x"], complete["y"], strict=True)) == pytest.approx(scores.to_dict(), rel=1e-12)
    for axis in searched(table):
        if axis.numeric and len(searched(table)) == 1 and len(axis.values) > 1:
            means = table.trials.groupby(axis.key)["score"].mean()
            (line,) = [t for t in figures["score"]["traces"] if t["name"] == "mean over seeds"]
            assert dict(zip(line["x"], line["y"], strict=True)) == pytest.approx(means.to_dict(), rel=1e-12)


def check_table(chrome, table):
    """Check that each value in the tables can be read as no other, and that tiles and sentences say the same."""
    rows = chrome.execute_script(ROWS, "points")
    for axis in searched(table):
        texts = {int(row["point"]): row[axis.name] for row in rows}
        told = {axis.write(value): value for value in axis.values}
        assert len(told) == len(axis.values)
        for point, text in texts.items():
            value = table.trials.loc[table.trials["point"] == point, axis.key].iloc[0]
            if axis.numeric and text:
                read = float(text.replace("−", "-"))
                assert min(axis.values, key=lambda other: abs(other - read)) == value, (point, text)
            elif text:
                assert told[text] is None or told[text] == value or str(told[text]) == str(value), (point, text)
        best = next((row[axis.name] for row in rows if row["best"]), None)
        if len(searched(table)) == 1 and best is not None:
            (answer,) = chrome.execute_script(TEXTS, ".answer")
            assert f"{axis.name} of {best} has" in answer or f"{axis.name} = {best} has" in answer, (best, answer)
            assert best in chrome.execute_script(TEXTS, ".tiles .value")


def test_two_studies_under_default_names_are_told_apart(chrome, tmp_path):
    figures = opened(chrome, write_comparison(odd.default_names(), ("One.", "Other."), tmp_path), "default-names")
    for name in ("overlay", "curves"):
        assert {"trainer.epochs 30", "trainer.epochs 25"} <= set(figures[name]["seen"]), figures[name]["seen"]
    assert ["trainer.epochs 30", "trainer.epochs 25"] in figures["best"]["ticks"]
    tiles = chrome.execute_script(TEXTS, ".tiles .label")
    assert tiles[:2] == ["Best valid/acc of trainer.epochs 30", "Best valid/acc of trainer.epochs 25"]
    lines = [
        t for t in figures["curves"]["traces"] if t["visible"] is True and t["mode"] == "lines" and t["customdata"]
    ]
    for table, line in zip(odd.default_names(), lines, strict=True):
        best = int(table.trials.groupby("point")["score"].mean().idxmax())
        means = table.curves[table.curves["point"] == best].pivot(index="epoch", columns="seed", values="valid/acc")
        whole = means[means.notna().all(axis=1)].mean(axis=1)
        drawn = {x: y for x, y in zip(line["x"], line["y"], strict=True) if y is not None}
        assert drawn == pytest.approx(whole.to_dict(), rel=1e-9)
        assert np.isfinite(list(drawn.values())).all()
