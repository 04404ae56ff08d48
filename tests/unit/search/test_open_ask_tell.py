"""Points whose trials say as they run what is searched."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution, distribution_to_json
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler

from hpsearch.base.types import Given, Query, Report, Started, TrialResult, TrialState
from hpsearch.launch.base import Ended, Reported
from hpsearch.search.auto import AutoSampler
from hpsearch.search.samplers import Gp, Sobol
from hpsearch.search.suggested import open_space
from hpsearch.tracking.events import read_study
from tests.support.driver import COMPLETE, Killed, Setup
from tests.support.fake_launcher import FakeLauncher

KIND, N, X = CategoricalDistribution(["a", "b"]), IntDistribution(1, 3), FloatDistribution(0, 1)


class Asking(FakeLauncher):
    """Its scripts are generators that ask and are sent what they are given."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.asks, self.given, self.all_given = {}, {}, []

    def _next(self, slot, spec, script):
        if spec.id in self.asks and spec.id not in self.given:
            return []
        self.asks.pop(spec.id, None)
        item = script.send(self.given.pop(spec.id, None))
        if isinstance(item, Query):
            self.asks[spec.id] = item.name
        if isinstance(item, Query | Started | Report):
            return [Reported(spec.id, item)]
        del self.running[slot]
        return [Ended(spec.id, item)]

    def decide(self, trial, decision):
        if isinstance(decision, Given):
            self.given[trial] = decision
            self.all_given.append((trial.point, self.asks[trial], decision))
        else:
            super().decide(trial, decision)


def ask(spec, name, distribution):
    """What is known of a trial, or else what it is given."""
    if f"args.{name}" in spec.params:
        return spec.params[f"args.{name}"]
    given = yield Query(name, distribution_to_json(distribution))
    if given.error:
        raise ValueError(given.error)
    return given.value


def branches(spec):
    yield Started(None, {}, 0.0)
    score = 0.0
    if (yield from ask(spec, "kind", KIND)) == "a":
        score = yield from ask(spec, "x", X)
    else:
        for i in range((yield from ask(spec, "n", N))):
            score += yield from ask(spec, f"x{i}", X)
    yield Report(1, 1, {"valid/acc": score})
    score += yield from ask(spec, "late", X)
    yield Report(2, 2, {"valid/acc": score})
    yield COMPLETE


def finite(spec):
    yield Started(None, {}, 0.0)
    kind = yield from ask(spec, "kind", KIND)
    n = 0 if kind == "a" else (yield from ask(spec, "n", N))
    yield Report(1, 1, {"valid/acc": float(n)})
    yield COMPLETE


def setup(folder, **options):
    sampler = lambda n: RandomSampler(seed=n)  # noqa: E731
    return Setup(folder, open_space({}), sampler, **{"seeds": (0,), "points": 6, **options})


def values(launcher):
    return {(point, name): given.value for point, name, given in launcher.all_given}


def test_the_space_is_what_was_asked_for_and_a_trial_has_what_it_was_given(tmp_path):
    search = setup(tmp_path)
    outcome = search.run(branches, Asking)
    assert outcome.counts == {TrialState.COMPLETE: 6}
    given = values(search.launcher)
    for record in search.records():
        own = {f"args.{name}": value for (point, name), value in given.items() if point == record.id.point}
        assert record.params == own and record.key == f"{record.params}"
    names = dict.fromkeys(f"args.{name}" for _, name in given)
    assert list(read_study(tmp_path)["space"]) == list(names)
    assert outcome.best.params == search.records()[outcome.best.point].params


@pytest.mark.parametrize("poll", range(1, 16))
def test_a_kill_wherever_it_comes_changes_no_value_that_was_given(tmp_path, poll):
    def killed(n):
        if n == poll:
            raise Killed

    before, search = setup(tmp_path), setup(tmp_path)
    with pytest.raises(Killed):
        before.run(branches, lambda script: Asking(script, on_poll=killed))
    search.run(branches, Asking)
    was, now = values(before.launcher), values(search.launcher)
    assert not {key for key in was.keys() & now.keys() if was[key] != now[key]}
    for record in search.records():
        own = {f"args.{name}": value for (point, name), value in {**was, **now}.items() if point == record.id.point}
        assert record.params == own
    assert len(search.records()) == 6


def test_what_was_proposed_is_given_after_a_kill_too(tmp_path):
    def killed(n):
        if n == 12:
            raise Killed

    before, search = setup(tmp_path), setup(tmp_path)
    with pytest.raises(Killed):
        before.run(branches, lambda script: Asking(script, on_poll=killed))
    proposed = {trial.number: trial.user_attrs["proposed"] for trial in before.study().get_trials()}
    search.run(branches, Asking)
    for record in search.records():
        held = proposed.get(record.id.point, {})
        assert {key: record.params[key] for key in held.keys() & record.params.keys()} == {
            key: value for key, value in held.items() if key in record.params
        }


SAMPLERS = {
    "auto": lambda n: AutoSampler(startup=4, seed=n),
    "tpe": lambda n: TPESampler(n_startup_trials=4, multivariate=True, seed=n),
    "tpe in groups": lambda n: TPESampler(n_startup_trials=4, multivariate=True, group=True, seed=n),
    "gp": lambda n: Gp(n_startup_trials=4, seed=n),
    "nsga2": lambda n: NSGAIISampler(population_size=4, seed=n),
    "sobol": lambda n: Sobol(seed=0),
    "random": lambda n: RandomSampler(seed=n),
}


@pytest.mark.filterwarnings("ignore:.*is experimental")
@pytest.mark.parametrize(
    "name", [name if name != "gp" else pytest.param(name, marks=pytest.mark.long) for name in SAMPLERS]
)
def test_every_sampler_that_is_not_refused_proposes_points_of_branches_and_loops(tmp_path, name):
    search = setup(tmp_path, points=24)
    search.sampler = SAMPLERS[name]
    assert search.run(branches, Asking).counts == {TrialState.COMPLETE: 24}
    assert not [line for line in search.observer.lines if "failed" in line], "it proposed every point itself"
    points = [record.params for record in search.records()]
    assert len({str(params) for params in points}) == 24, "no point twice"
    assert {params["args.kind"] for params in points} == {"a", "b"}
    late = [point["args.kind"] for point in points[12:]]
    if name in ("auto", "tpe", "tpe in groups"):
        assert late.count("b") > 6, "the branch that is better is tried more often"


def test_every_seed_of_a_point_is_given_the_same(tmp_path):
    search = setup(tmp_path, seeds=(0, 1), points=3)
    search.run(branches, Asking)
    by_point = {}
    for record in search.records():
        by_point.setdefault(record.id.point, []).append(record.params)
    assert all(one == other for one, other in by_point.values()) and len(by_point) == 3


def test_it_ends_when_every_branch_was_trained_and_trains_none_twice(tmp_path):
    search = setup(tmp_path, points=None)
    outcome = search.run(finite, lambda script: Asking(script, slots=1))
    assert outcome.why == "the space is used up: 4 points"
    assert len({str(record.params) for record in search.records()}) == 4
    assert not setup(tmp_path, points=None).run(finite, Asking).counts.get(TrialState.RUNNING)


def test_points_to_try_first_are_given_as_far_as_they_go(tmp_path):
    first = [{"args.kind": "a", "args.x": 0.25}, {"args.kind": "b"}]
    search = setup(tmp_path, known=first, points=3)
    search.run(branches, Asking)
    one, other, _ = search.records()
    assert (one.params["args.kind"], one.params["args.x"], other.params["args.kind"]) == ("a", 0.25, "b")
    again = setup(tmp_path, known=first, points=4)
    again.run(branches, Asking)
    assert len(again.records()) == 4 and len(again.study().get_trials()) == 4


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (IntDistribution(0, 1), "trial.suggest: x: Cannot set different distribution kind to the same parameter name."),
        (FloatDistribution(0.1, 1, log=True), "trial.suggest: x: Cannot set different log configuration"),
    ],
)
def test_a_name_of_another_kind_is_refused_as_in_optuna(tmp_path, other, said):
    def script(spec):
        yield Started(None, {}, 0.0)
        given = yield Query("x", distribution_to_json(X if spec.id.point == 0 else other))
        yield TrialResult(TrialState.FAILED, given.error, failed_at=str(spec)) if given.error else COMPLETE

    search = setup(tmp_path, points=2)
    search.run(script, Asking)
    assert search.records()[1].reason.startswith(said)


def test_other_ends_of_a_range_are_what_is_suggested_now(tmp_path):
    def script(spec):
        yield Started(None, {}, 0.0)
        low = 10.0 * spec.id.point
        value = yield from ask(spec, "x", FloatDistribution(low, low + 1))
        assert low <= value <= low + 1
        yield Report(1, 1, {"valid/acc": value})
        yield COMPLETE

    search = setup(tmp_path, points=3)
    assert search.run(script, Asking).counts == {TrialState.COMPLETE: 3}
    assert read_study(tmp_path)["space"] == {"args.x": "interval(0.0, 21.0)"}
