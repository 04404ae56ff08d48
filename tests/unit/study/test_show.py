import math

import pytest

from hpsearch.cli import run
from hpsearch.config.groups import describe_groups
from hpsearch.reports.kit.still import still
from hpsearch.reports.schedules import Drawn, schedules_figure
from hpsearch.study.show import show_schedulers


def test_every_schedule_is_in_both_figures(tmp_path, capsys):
    assert run(["show", "scheduler", str(tmp_path / "out"), "scheduler.warmup_steps=30"]) == 0
    written = capsys.readouterr().out.split()
    assert [word for word in written if "schedulers." in word] == written[1::2]
    page, drawing = ((tmp_path / "out" / f"schedulers.{kind}").read_text() for kind in ("html", "svg"))
    for name in describe_groups()["scheduler"]:
        assert name in page and f">{name}" in drawing


def test_the_same_words_draw_the_same_svg(tmp_path):
    words = ("trainer.epochs=6", "optimizer=adam")
    first, second = (show_schedulers(tmp_path / name, words)[1].read_bytes() for name in "ab")
    assert first == second


def test_lines_are_the_rates_and_the_momentum():
    drawn = [Drawn("a", (0.5, 1.0, 0.25), (0.9, 0.8, 0.9), 2), Drawn("b", (1.0, 1.0, 9.0), None, 2)]
    figure = schedules_figure(drawn)
    assert [tuple(trace.y) for trace in figure.data] == [(0.5, 1.0, 0.25), (0.9, 0.8, 0.9), (1.0, 1.0, 9.0)]
    assert [tuple(trace.x) for trace in figure.data] == [(0.0, 0.5, 1.0)] * 3
    assert [each.text for each in figure.layout.annotations] == ["a", "b (to 9.0)"]
    assert math.isclose(figure.layout.yaxis.range[1], 1.15 * 5)
    assert ">b (to 9.0)<" in still(figure)


@pytest.mark.parametrize("name", ["reduce_on_plateau", "halve_when_flat"])
@pytest.mark.parametrize("objective", ["valid_acc", "valid_loss"])
def test_schedules_that_follow_a_metric_are_seen_to_fall(name, objective, monkeypatch):
    drawn = []
    monkeypatch.setattr("hpsearch.reports.schedules.write_schedules", lambda found, _: drawn.extend(found))
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
        (["show"], "scheduler is missing"),
        (["show", "schedular"], "nothing to show of 'schedular', did you mean 'scheduler'?"),
        (["show", "scheduler", "out", "optimizer.lr=-1"], "optimizer.lr = -1"),
    ],
)
def test_what_cannot_be_shown_is_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
