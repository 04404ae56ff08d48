"""Which ranges are widened and how far, alone and in a search."""

import contextlib
from dataclasses import replace

import optuna
import pytest

from hpsearch.base.errors import ConfigError, SpaceError
from hpsearch.base.types import TrialResult, TrialState
from hpsearch.search.extension import Extension, Ranges, copied, present_study, widened
from hpsearch.search.space import Space
from hpsearch.tracking.events import read_study
from tests.support.driver import Killed, Setup
from tests.support.fake_launcher import trains


def test_a_best_point_at_an_edge_widens_the_range_and_keeps_every_point(tmp_path):
    space, random_at = {"lr": "tag(log, interval(1e-3, 1e-2))"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=40, extension=Extension(edges=True, after=10, times=1))
    setup.run(trains(lambda spec: [spec.params["lr"]]), slots=3)
    study = setup.study()
    rates = [t.params["lr"] for t in study.trials]
    assert [t.number for t in study.trials] == list(range(40))
    assert study.study_name == "s+1"
    assert max(rates[:10]) <= 1e-2 < max(rates) <= 1e-1
    assert {(t.distributions["lr"].low, t.distributions["lr"].high) for t in study.trials} == {(1e-3, 1e-1)}
    assert len({r.key for r in setup.records()}) == 40
    assert any("now searched from 0.001 to 0.1" in line for line in setup.observer.lines)


@pytest.mark.parametrize("moment", range(4, 30, 3))
def test_a_driver_killed_around_a_widening_goes_on_in_the_wider_range(tmp_path, moment):
    space, random_at = {"lr": "tag(log, interval(1e-3, 1e-2))"}, lambda n: optuna.samplers.RandomSampler(seed=n)

    def kill(poll):
        if poll == moment:
            raise Killed

    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=40, extension=Extension(edges=True, after=8, times=1))
    with contextlib.suppress(Killed):
        setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2, on_poll=kill)
    setup.run(trains(lambda spec: [spec.params["lr"]]), slots=2)
    records = setup.records()
    assert len({r.key for r in records}) == len(records) == 40
    assert {r.state for r in records} == {TrialState.COMPLETE}
    assert max(r.params["lr"] for r in records) > 1e-2


def one(expression, best, original=None, *, rules=("a.b",), allowed=lambda _: True, **options):
    """Return the new range where a best value widens it, else None."""
    space = Space.parse({"a.b": expression})
    ranges = Ranges(space, Space.parse({"a.b": original or expression}), allowed=allowed, ruled=lambda _: rules)
    found = Extension(after=1, **options).widenings(space, ranges, {"a.b": best})
    assert len(found) < 2
    return (found[0].side, found[0].new) if found else None


@pytest.mark.parametrize(
    ("expression", "best", "new"),
    [
        ("tag(log, interval(1e-3, 1e-1))", 1.1e-3, ("low", (1e-4, 1e-1))),
        ("tag(log, interval(1e-3, 1e-1))", 0.9e-1, ("high", (1e-3, 1.0))),
        ("tag(log, interval(1e-3, 1e-1))", 1e-2, None),
        ("tag(log, interval(1e-3, 1e-1))", 1e-3 * 100**0.11, None),  # the outer tenth, on its own scale
        ("tag(log, interval(1e-3, 1e-1))", 1e-3 * 100**0.09, ("low", (1e-4, 1e-1))),
        ("interval(2.0, 6.0)", 2.1, ("low", (0.0, 6.0))),
        ("interval(2.0, 6.0)", 5.9, ("high", (2.0, 8.0))),
        ("interval(1.0, 6.0)", 1.1, ("low", (0.0, 6.0))),  # not across zero
        ("interval(-1.0, 1.0)", -0.9, ("low", (-2.0, 1.0))),
        ("interval(0.0, 1.0)", 0.01, None),
        ("int(interval(10, 20))", 20, ("high", (10, 25))),
        ("tag(log, int(interval(4, 64)))", 4, ("low", (1, 64))),
        ("choice(1, 2, 3)", 3, None),
        ("range(0, 5)", 4, None),
    ],
)
def test_a_best_value_in_the_outer_tenth_widens_its_side(expression, best, new):
    found = one(expression, best)
    if new is None:
        assert found is None
    else:
        assert (found[0], found[1]) == (new[0], pytest.approx(new[1]))


def test_a_side_is_widened_so_often_and_no_further():
    log = "tag(log, interval(1e-2, 1e-1))"
    assert one("tag(log, interval(1e-3, 1e-1))", 1e-3, log) == ("low", pytest.approx((1e-4, 1e-1)))
    assert one("tag(log, interval(1e-4, 1e-1))", 1e-4, log) is None
    assert one("tag(log, interval(1e-3, 1e-1))", 1e-3, log, times=1) is None
    assert one("interval(0.0, 1.5)", 1.5, "interval(0.0, 1.0)") == ("high", (0.0, 2.0))
    assert one("interval(0.0, 2.0)", 2.0, "interval(0.0, 1.0)") is None
    assert one(log, 1e-2, times=0) is None
    assert one(log, 1e-2, edges=False) is None


def test_a_key_that_no_rule_limits_is_widened_only_where_the_user_asks():
    """Nobody knows that 1.35 is no share: a range of the user's own function is what the user said."""
    share = "interval(0.0, 0.9)"
    assert one(share, 0.9, rules=()) is None
    assert one(share, 0.9, rules=("a.c",)) is None
    assert one(share, 0.9, rules=(), edges=True) == ("high", (0.0, 1.35))
    assert one(share, 0.9, rules=(), limits={"a.b": (None, 0.99)}) == ("high", (0.0, 0.99))
    assert one(share, 0.9, rules=(), limits={"a.b": (None, 0.99)}, edges=False) is None


def test_limits_and_what_a_key_cannot_take_hold_it():
    log = "tag(log, interval(1e-2, 1e-1))"
    assert one(log, 1e-1, limits={"a.b": (None, 0.5)}) == ("high", (1e-2, 0.5))
    assert one(log, 1e-2, limits={"a.b": (1e-2, None)}) is None


BELOW_1, ABOVE_0, UP_TO_100 = (
    lambda params: params["a.b"] < 1,
    lambda params: params["a.b"] > 0,
    lambda params: params["a.b"] <= 100,
)


@pytest.mark.parametrize(
    ("expression", "best", "allowed", "new"),
    [
        ("interval(0.0, 0.9)", 0.9, BELOW_1, (0.0, 0.99)),
        ("interval(0.0, 0.6)", 0.6, BELOW_1, (0.0, 0.9)),
        ("interval(0.1, 0.9)", 0.1, ABOVE_0, (0.01, 0.9)),
        ("interval(2.0, 6.0)", 2.0, ABOVE_0, (0.2, 6.0)),
        ("interval(20.0, 80.0)", 80.0, UP_TO_100, (20.0, 100.0)),
        ("interval(20.0, 100.0)", 100.0, UP_TO_100, None),
        ("int(interval(20, 80))", 80, UP_TO_100, (20, 100)),
        ("int(interval(20, 80))", 80, lambda params: params["a.b"] < 100, (20, 99)),
        ("int(interval(20, 100))", 100, UP_TO_100, None),
        ("int(interval(8, 64))", 8, ABOVE_0, (1, 64)),
        ("tag(log, int(interval(8, 64)))", 64, UP_TO_100, (8, 100)),
        ("tag(log, interval(1e-2, 1e-1))", 1e-1, lambda params: params["a.b"] <= 0.25, (1e-2, 0.25)),
        ("tag(log, interval(1e-2, 1e-1))", 1e-1, lambda params: params["a.b"] < 0.5, (1e-2, 0.1 * 5**0.9)),
        ("tag(log, interval(1e-2, 1e-1))", 1e-2, lambda params: params["a.b"] >= 5e-3, (5e-3, 1e-1)),
        ("interval(0.0, 0.9)", 0.9, lambda params: params["a.b"] <= 0.9, None),
    ],
)
def test_a_step_beyond_what_the_key_can_take_goes_as_far_as_it_can(expression, best, allowed, new):
    """Up to a limit that it may have; where the limit itself is excluded a tenth of the way is left."""
    found = one(expression, best, allowed=allowed)
    assert found is None if new is None else found[1] == pytest.approx(new, rel=1e-9)
    assert one(expression, best, allowed=allowed, edges=False) is None


def test_an_end_goes_to_a_limit_that_is_excluded_once():
    assert one("interval(0.0, 0.9)", 0.9, "interval(0.0, 0.6)", allowed=BELOW_1) == ("high", (0.0, 0.96))
    assert one("interval(0.0, 0.96)", 0.96, "interval(0.0, 0.6)", allowed=BELOW_1, times=9) is None
    assert one("interval(0.0, 0.99)", 0.99, "interval(0.0, 0.9)", allowed=BELOW_1, times=9) is None


def test_only_what_is_active_is_widened_and_the_rest_stays():
    space = Space.parse({"kind": "choice(x, y)", "kind=x/a": "interval(0.0, 1.0)", "b": "int(interval(1, 9))"})
    assert not Extension(edges=True).widenings(space, Ranges(space), {"kind": "y", "b": 5})
    (widening,) = Extension(edges=True).widenings(space, Ranges(space), {"kind": "x", "a": 1.0, "b": 5})
    assert (widening.name, widening.key, widening.old, widening.best) == ("kind=x/a", "a", (0.0, 1.0), 1.0)
    wider = widened(space, [widening]).to_dict()
    assert wider == {**space.to_dict(), "kind=x/a": "interval(0.0, 1.5)"}


@pytest.mark.parametrize("edges", ["always", None, 1.5])
def test_edges_are_auto_true_or_false(edges):
    with pytest.raises(ConfigError, match=rf"extend\.edges = {edges!r}: must be auto, true or false"):
        Extension(edges=edges)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"a.b": 3}, r"extend\.limits\.a\.b = 3: must be \[lowest, highest\]"),
        ({"a.b": [2, 1]}, "the lowest must be below the highest"),
        ({"a.b": [None, "1"]}, r"extend\.limits\.a\.b"),
    ],
)
def test_limits_that_are_none_are_refused(limits, message):
    with pytest.raises(ConfigError, match=message):
        Extension(limits=limits)


def test_limits_must_be_of_a_searched_key_and_hold_its_range():
    space = Space.parse({"a.rate": "interval(0.0, 1.0)"})
    Extension(limits={"a.rate": (0.0, 1.0)}).check(space)
    with pytest.raises(SpaceError, match=r"extend\.limits names a\.rat, which is not searched, did you mean 'a\.rate'"):
        Extension(limits={"a.rat": (0.0, 1.0)}).check(space)
    for limits in ((0.1, None), (None, 0.9)):
        with pytest.raises(SpaceError, match=r"the range interval\(0\.0, 1\.0\) goes beyond them"):
            Extension(limits={"a.rate": limits}).check(space)


def test_a_copy_holds_every_point_as_it_was_and_is_the_present_study():
    storage = optuna.storages.InMemoryStorage()
    narrow, wide = Space.parse({"x": "interval(0.0, 1.0)"}), Space.parse({"x": "interval(0.0, 2.0)"})
    study = optuna.create_study(storage=storage, study_name="s", direction="maximize")
    study.set_user_attr("seconds", 3.0)
    done, running, lost = (study.ask(narrow.distributions()) for _ in range(3))
    done.report(0.5, step=1)
    study.tell(done, 0.7)
    study.tell(lost, state=optuna.trial.TrialState.FAIL)
    study.enqueue_trial({"x": 0.25})
    copy = copied(study, "s", wide)
    assert (copy.study_name, present_study(storage, "s"), copy.user_attrs["seconds"]) == ("s+1", "s+1", 3.0)
    for ours, theirs in zip(copy.trials, study.trials, strict=True):
        assert (ours.number, ours.state, ours.values, ours.params) == (
            theirs.number, theirs.state, theirs.values, theirs.params
        )  # fmt: skip
        assert (ours.intermediate_values, ours.datetime_start) == (theirs.intermediate_values, theirs.datetime_start)
    assert copy.trials[running.number].distributions == wide.distributions()
    assert copy.ask(wide.distributions()).params == {"x": 0.25}
    assert copied(copy, "s", wide).study_name == "s+2"


def test_a_narrower_copy_holds_what_lies_outside_as_failed_and_what_is_idle_there_as_it_was():
    wide = Space.parse({"kind": "choice(x, y)", "kind=x/a": "interval(0.0, 2.0)"})
    narrow = Space.parse({**wide.to_dict(), "kind=x/a": "interval(0.0, 1.0)"})
    study = optuna.create_study(study_name="s")
    for kind in ("x", "y"):
        study.enqueue_trial({"kind": kind, "kind=x/a": 1.5})
        study.tell(study.ask(wide.distributions()), 0.5)
    outside, idle = copied(study, "s", narrow).trials
    assert (outside.state, outside.values, outside.params["kind=x/a"]) == (optuna.trial.TrialState.FAIL, None, 1.5)
    assert (idle.state, idle.values, idle.distributions) == (
        optuna.trial.TrialState.COMPLETE, [0.5], narrow.distributions()
    )  # fmt: skip
    assert narrow.active(idle.params) == {"kind": "y"}


def test_a_widening_that_brought_only_failures_is_taken_back_and_stays_so(tmp_path):
    """A share of the user's own function: beyond 1 it raises."""
    space, random_at = {"p": "interval(0.0, 0.9)"}, lambda n: optuna.samplers.RandomSampler(seed=n)
    asked = Extension(edges=True, after=10, times=2)
    setup = Setup(tmp_path, space, random_at, seeds=(0,), points=80, extension=asked)

    def share(spec):
        p = spec.params["p"]
        yield from trains(lambda _: [p])(spec) if p < 0.9 else [TrialResult(TrialState.FAILED, "no share", retry=False)]

    setup.run(share, slots=2)
    records = setup.records()
    beyond = [record.id.point for record in records if record.params["p"] > 0.9]
    assert len(beyond) in range(3, 6) and max(beyond) < 40
    assert setup.study().user_attrs["space"] == space
    assert [line for line in setup.observer.lines if "beyond the old high end of p failed" in line] == [
        f"all {len(beyond)} points beyond the old high end of p failed: searched from 0 to 0.9 again"
    ]
    assert read_study(tmp_path)["space"] == space
    setup.plan = replace(setup.plan, points=100)
    setup.run(share, slots=2)
    assert [r.id.point for r in setup.records() if r.params["p"] > 0.9] == beyond


def test_a_study_that_was_not_copied_to_its_end_is_removed():
    storage = optuna.storages.InMemoryStorage()
    optuna.create_study(storage=storage, study_name="s")
    optuna.create_study(storage=storage, study_name="s+1")
    assert present_study(storage, "s") == "s"
    assert [each.study_name for each in optuna.get_all_study_summaries(storage)] == ["s"]
