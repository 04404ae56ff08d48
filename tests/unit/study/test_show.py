import math

import pytest

from hpsearch.cli import run
from hpsearch.config.groups import describe_groups
from hpsearch.reports.kit.still import drawn_as_svg
from hpsearch.reports.schedules import DASHES, Drawn, arms_figure, schedules_figure
from hpsearch.study.show import show_schedulers


def test_every_schedule_is_in_both_figures(tmp_path, capsys):
    assert run(["show", "scheduler", str(tmp_path / "out"), "scheduler.warmup_steps=30"]) == 0
    written = capsys.readouterr().out.split()
    assert [word for word in written if "schedulers." in word] == written[1::2]
    page, drawing = ((tmp_path / "out" / f"schedulers.{kind}").read_text() for kind in ("html", "svg"))
    for name in describe_groups()["scheduler"]:
        assert name in page and f">{name}" in drawing


def test_the_same_words_draw_the_same_svg(tmp_path):
    words = ("scheduler=one_cycle", "trainer.epochs=6", "optimizer=adam")
    first, second = (show_schedulers(tmp_path / name, words)[1].read_bytes() for name in "ab")
    assert first == second


def test_lines_are_the_rates_and_the_momentum():
    drawn = [Drawn("a", (0.5, 1.0, 0.25), (0.9, 0.8, 0.9), 2), Drawn("b", (1.0, 1.0, 9.0), None, 2)]
    figure = schedules_figure(drawn)
    assert [tuple(trace.y) for trace in figure.data] == [(0.5, 1.0, 0.25), (0.9, 0.8, 0.9), (1.0, 1.0, 9.0)]
    assert [tuple(trace.x) for trace in figure.data] == [(0.0, 0.5, 1.0)] * 3
    assert [each.text for each in figure.layout.annotations] == ["a", "b (to 9.0)"]
    assert math.isclose(figure.layout.yaxis.range[1], 1.15 * 5)
    assert ">b (to 9.0)<" in drawn_as_svg(figure.to_plotly_json())


@pytest.mark.parametrize("name", ["reduce_on_plateau", "halve_when_flat"])
@pytest.mark.parametrize("objective", ["valid_acc", "valid_loss"])
def test_schedules_that_follow_a_metric_are_seen_to_fall(name, objective, monkeypatch):
    drawn = []
    monkeypatch.setattr("hpsearch.reports.schedules.write_schedules", lambda *_: None)
    monkeypatch.setattr("hpsearch.reports.schedules.schedules_figure", drawn.extend)
    monkeypatch.setattr("hpsearch.study.show.describe_groups", lambda _: {"scheduler": {name: ""}})
    show_schedulers(overrides=(f"objective={objective}",))
    (shown,) = drawn
    assert shown.lr[: 5 * shown.steps_per_epoch] == (1.0,) * (5 * shown.steps_per_epoch)
    assert shown.lr[-1] < 1.0


def test_the_lowest_panel_of_each_column_carries_the_epochs():
    figure = schedules_figure([Drawn(name, (1.0, 0.5), None, 1) for name in "abcdefg"])
    axes = [figure.layout["xaxis" + (str(place) if place > 1 else "")] for place in range(1, 8)]
    assert [axis.showticklabels is not False for axis in axes] == [False] * 2 + [True] * 5


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show"], "WHAT is missing"),
        (["show", "schedular"], "nothing to show of 'schedular', did you mean 'scheduler'?"),
        (["show", "scheduler", "out", "optimizer.lr=-1"], "optimizer.lr = -1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.fixture
def titled(monkeypatch):
    """Return a function that gives title, names and schedules of what words draw."""
    found = []
    monkeypatch.setattr("hpsearch.reports.schedules.write_schedules", lambda *_: None)
    monkeypatch.setattr("hpsearch.reports.schedules.arms_figure", lambda drawn, title: found.append((title, drawn)))

    def show(*words):
        show_schedulers(overrides=words)
        title, drawn = found.pop()
        return title, {each.name: each for each in drawn}

    return show


def test_one_schedule_with_constants_of_ones_own(titled):
    words = ("scheduler=cosine", "scheduler.min_factor=0.1", "trainer.epochs=30")
    title, drawn = titled(*words)
    (only,) = drawn.values()
    assert title == "Learning-rate schedule, epochs of 20 steps"
    assert only.name == "scheduler=cosine scheduler.min_factor=0.1"
    assert only.lr == pytest.approx([0.1 + 0.45 * (1 + math.cos(math.pi * t / 600)) for t in range(600)])
    assert len(titled("scheduler=linear")[1]["scheduler=linear"].lr) == 200  # of the configuration's ten epochs
    assert len(titled("scheduler=linear", "trainer.steps=50")[1]["scheduler=linear"].lr) == 50


def test_the_arms_of_a_study_are_named_by_what_differs(titled):
    title, drawn = titled("+study=schedules")
    assert title == "Learning-rate schedules of schedules, epochs of 20 steps"
    assert [*drawn] == ["constant", "cosine", "linear", "exponential", "one_cycle"]
    assert {len(each.lr) for each in drawn.values()} == {300}
    assert drawn["one_cycle"].momentum is not None and drawn["linear"].lr[150] == pytest.approx(0.5)
    space = (
        "space.scheduler=choice(constant, exponential)",
        "space[scheduler=exponential].scheduler.gamma=choice(0.5,0.9)",
    )
    _, drawn = titled(*space, "space.optimizer.lr=tag(log, interval(0.1, 1))")
    assert [*drawn] == ["constant", "exponential, gamma=0.5", "exponential, gamma=0.9"]
    _, drawn = titled("scheduler=sequential", "space.scheduler.parts=choice([linear,cosine],[constant,step])")
    assert [*drawn] == ["parts=[linear, cosine]", "parts=[constant, step]"]


def test_an_optimizer_that_cycles_no_momentum_is_told_apart(titled):
    _, drawn = titled("scheduler=one_cycle", "space.optimizer=choice(momentum, nesterov)")
    assert [*drawn] == ["scheduler=one_cycle"]
    _, drawn = titled("optimizer=momentum_warmup", "space.optimizer.initial_momentum=choice(0.1, 0.5)")
    assert [*drawn] == ["optimizer.initial_momentum=0.1", "optimizer.initial_momentum=0.5"]


def test_a_study_without_a_schedule_in_its_space_has_one(titled):
    assert [*titled("+study=lr_sweep", "scheduler=step")[1]] == ["scheduler=step"]


def test_arms_share_a_panel_and_momenta_stand_below():
    drawn = [Drawn("a", (0.5, 1.0), (0.9, 0.8), 1), Drawn("b", (1.0, 2.0), None, 1)]
    figure = arms_figure(drawn, "title")
    assert [(trace.name, tuple(trace.y), trace.yaxis) for trace in figure.data] == [
        ("a", (0.5, 1.0), "y"),
        ("a", (0.9, 0.8), "y2"),
        ("b", (1.0, 2.0), "y"),
    ]
    assert [trace.showlegend for trace in figure.data] == [True, False, True]
    assert figure.data[0].line.dash == DASHES[0] and figure.data[2].line.dash == DASHES[1]
    assert figure.layout.title.text == "title" and figure.layout.yaxis.range[1] == pytest.approx(2.1)
    many = arms_figure([Drawn(str(place), (1.0,), None, 1) for place in range(9)], "title")
    assert len({trace.xaxis for trace in many.data}) == 9 and many.layout.title.text.startswith("title: rate")
