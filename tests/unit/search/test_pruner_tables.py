"""Every pruner on tables of curves, both ways round: what it lets go on, by its definition, and what is said of it.

A table holds the curves of points by number, larger is better; a minimized objective sees their negatives.
"""

import contextlib
import math
import re
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace

import numpy as np
import optuna
import pytest
from optuna.pruners import (
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    PatientPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
    WilcoxonPruner,
)
from scipy.stats import wilcoxon

from hpsearch.base.types import Decision, Objective, Report, Started, TrialResult, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.pruners import TopKAfter
from tests.support.driver import Killed, Setup
from tests.support.fake_launcher import FakeLauncher

COMPLETE, PRUNED, FAILED = TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAILED
DIRECTIONS = ("maximize", "minimize")
PRUNERS = {
    "auto": lambda: AutoPruner(),
    "top_k_after": lambda: TopKAfter(epochs=1, k=2),
    "none": lambda: NopPruner(),
    "median": lambda: MedianPruner(n_startup_trials=2),
    "percentile": lambda: PercentilePruner(25.0, n_startup_trials=2),
    "patience": lambda: PatientPruner(None, patience=1),
    "successive_halving": lambda: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    "hyperband": lambda: HyperbandPruner(min_resource=1, max_resource=8, reduction_factor=3),
    "wilcoxon": lambda: WilcoxonPruner(p_threshold=0.2, n_startup_steps=2),
}


@dataclass(frozen=True)
class Curves:
    """What points score by epoch, how long they train by their configuration, and which fail at which epoch."""

    points: tuple[dict[int, float], ...]
    epochs: int | None
    fails: dict[int, int] = field(default_factory=dict)

    @property
    def exhaustive(self):
        """The best score at an end."""
        return max(curve[max(curve)] for point, curve in enumerate(self.points) if point not in self.fails)


def stepped(at, epochs=8):
    """A rate that falls at an epoch: equal to all others up to there, then better, and better for the later ones."""
    return {epoch: 0.1 * min(epoch, at) + (0.05 * epoch if epoch > at else 0.0) for epoch in range(1, epochs + 1)}


def rising(scale, epochs=6):
    return {epoch: scale * epoch / (1 + epoch) for epoch in range(1, epochs + 1)}


SCALES = (0.3, 0.9, 0.5, 0.7, 0.2, 0.8, 0.6, 0.4)
TABLES = {
    "equal prefixes": Curves(tuple(map(stepped, (1, 3, 5, 7, 2, 6, 4))), epochs=8),
    "late metric": Curves(tuple({e: v for e, v in rising(s).items() if e % 3 == 0} for s in SCALES), epochs=6),
    "one report": Curves(tuple({1: scale} for scale in SCALES), epochs=None),
    "failing after a pause": Curves(tuple(map(rising, SCALES)), epochs=6, fails={1: 2, 5: 2, 3: 2, 6: 4}),
}


def trial_of(table, objective, reached):
    """A script that reports a point's curve from where its trial was paused, with the metric where it has one."""

    def script(spec):
        curve = table.points[spec.params["i"]]
        yield Started(reached.get(spec.id), {}, 0.0)
        for epoch in range(reached.get(spec.id, 0) + 1, max(curve) + 1):
            if epoch == table.fails.get(spec.params["i"]):
                yield TrialResult(FAILED, "RuntimeError: boom", 'File "train.py", line 3', retry=True)
                return
            reached[spec.id] = epoch
            metrics = {"other": 0.0}
            if epoch in curve:
                value = curve[epoch] + spec.id.seed / 1000
                metrics["score"] = value if objective.maximize else -value
            yield Report(epoch, epoch, metrics, (), 0.0)
        yield TrialResult(COMPLETE)

    return script


class Late(FakeLauncher):
    """Point n reads that it is to pause n % 3 reports late."""

    def __init__(self, script, **options):
        super().__init__(script, **options)
        self.on_the_way = {}

    def decide(self, trial, decision):
        if decision is Decision.PAUSE:
            self.decisions.append((trial, decision))
            self.on_the_way[trial] = trial.point % 3
        else:
            super().decide(trial, decision)

    def _next(self, slot, spec, script):
        left = self.on_the_way.pop(spec.id, None)
        if left == 0:
            self.paused.add(spec.id)
        elif left is not None:
            self.on_the_way[spec.id] = left - 1
        events = super()._next(slot, spec, script)
        if slot not in self.running:
            self.on_the_way.pop(spec.id, None)
        return events


def search(folder, pruner, table, direction, seeds=(0,), kind=FakeLauncher, slots=1, kill_at=None):
    objective = Objective("score", direction)
    config = {"trainer": {"epochs": table.epochs} if table.epochs else {}}
    space = {"i": f"choice({','.join(str(i) for i in range(len(table.points)))})"}
    setup = Setup(folder, space, pruner=pruner, objective=objective, config=config, seeds=seeds)
    script = trial_of(table, objective, {})

    def kill(poll):
        if poll == kill_at:
            raise Killed

    if kill_at is not None:
        with contextlib.suppress(Killed):
            setup.run(script, kind, slots=slots, on_poll=kill)
    outcome = setup.run(script, kind, slots=slots)
    return setup, outcome


@pytest.mark.parametrize("kill_at", [None, 4, 9, 14, 19], ids=lambda at: f"killed at {at}" if at else "")
@pytest.mark.parametrize(("kind", "slots"), [(FakeLauncher, 1), (Late, 1), (Late, 3)], ids=["", "late", "late 3"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", ["auto", "top_k_after"])
def test_pauses_find_the_best_of_exhaustive_training_and_drop_only_what_was_worse(
    tmp_path, name, table, direction, kind, slots, kill_at
):
    setup, outcome = search(
        tmp_path, PRUNERS[name](), TABLES[table], direction, kind=kind, slots=slots, kill_at=kill_at
    )
    assert abs(outcome.best.mean) == pytest.approx(TABLES[table].exhaustive)
    assert TrialState.PAUSED not in outcome.counts
    for record in setup.records():
        if record.state is PRUNED:
            assert_true(record.reason, record.params["i"], TABLES[table].points)
    if table in ("equal prefixes", "one report"):
        assert set(outcome.counts) == {COMPLETE}


@pytest.mark.parametrize("lockstep", [False, True], ids=["", "lockstep"])
@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)], ids=["", "3 seeds"])
@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", [name for name in PRUNERS if name != "wilcoxon"])
def test_what_reports_once_is_complete_though_several_report_at_once(tmp_path, name, direction, seeds, lockstep):
    """Nobody knows in the first round that there is no second report."""
    kind = partial(FakeLauncher, lockstep=lockstep)
    _, outcome = search(tmp_path, PRUNERS[name](), TABLES["one report"], direction, seeds, kind, slots=4)
    assert outcome.counts == {COMPLETE: len(SCALES) * len(seeds)}


def assert_true(reason, point, curves):
    """Assert that every point named in a reason was better at its epoch."""
    epoch, named = re.fullmatch(r"worse after epoch (\d+) than points? ([\d, ]+)(?: and \d+ more)?", reason).groups()
    for other in map(int, named.split(",")):
        assert curves[other][int(epoch)] > curves[point][int(epoch)]


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", [name for name in PRUNERS if name not in ("auto", "top_k_after", "wilcoxon")])
def test_another_pruner_stops_where_its_definition_says(tmp_path, name, table, direction):
    setup, _ = search(tmp_path, PRUNERS[name](), TABLES[table], direction)
    stopped = {record.params["i"]: max(record.curve("score")) for record in setup.records() if record.state is PRUNED}
    assert stopped == by_definition(DEFINITIONS[name](), TABLES[table])
    complete = {record.params["i"] for record in setup.records() if record.state is COMPLETE}
    assert complete == set(range(len(TABLES[table].points))) - set(stopped) - set(TABLES[table].fails)


def by_definition(stops, table):
    """Return the epoch at which each point is stopped: one after the other, none at its last epoch."""
    stopped, seen, complete = {}, {}, {}
    for point, curve in enumerate(table.points):
        for epoch in sorted(curve):
            if epoch >= table.fails.get(point, math.inf):
                break
            seen.setdefault(point, {})[epoch] = curve[epoch]
            if epoch < max(curve) and stops(point, epoch, seen, complete):
                stopped[point] = epoch
                break
        else:
            complete[point] = curve
    return stopped


def below_percentile(percent):
    def stops(point, epoch, seen, complete):
        others = [curve[epoch] for curve in complete.values()]
        return len(complete) >= 2 and max(seen[point].values()) < np.percentile(others, percent)

    return stops


def without_improvement(point, epoch, seen, complete):
    values = list(seen[point].values())
    return len(values) > 2 and max(values[:-2]) > max(values[-2:])


class Halving:
    """Stops what is not among the best third, or the best, of those that came to a rung: epochs first, 3 first, ..."""

    def __init__(self, first=1):
        self.first = first
        self.rungs = []

    def __call__(self, point, epoch, seen, complete):
        score = seen[point][epoch]
        rung = sum(point in came for came in self.rungs)
        while epoch >= self.first * 3**rung:
            self.rungs += [{}] if rung == len(self.rungs) else []
            self.rungs[rung][point] = score
            better = sum(other > score for other in self.rungs[rung].values())
            if better >= max(1, len(self.rungs[rung]) // 3):
                return True
            rung += 1
        return False


class Brackets:
    """Halving apart in each bracket, the first from epoch 1, the second from epoch 3; Optuna draws them by number."""

    def __init__(self):
        self.pruner = HyperbandPruner(min_resource=1, max_resource=8, reduction_factor=3)
        self.study = optuna.create_study(study_name="s", pruner=self.pruner)
        self.pruner._try_initialization(self.study)
        self.brackets = [Halving(1), Halving(3)]

    def __call__(self, point, *seen):
        return self.brackets[self.pruner._get_bracket_id(self.study, SimpleNamespace(number=point))](point, *seen)


DEFINITIONS = {
    "none": lambda: lambda *_: False,
    "median": lambda: below_percentile(50),
    "percentile": lambda: below_percentile(75),
    "patience": lambda: without_improvement,
    "successive_halving": Halving,
    "hyperband": Brackets,
}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("table", TABLES)
def test_wilcoxon_stops_between_replicates_where_its_definition_says(tmp_path, table, direction):
    setup, _ = search(tmp_path, PRUNERS["wilcoxon"](), TABLES[table], direction, seeds=tuple(range(6)))
    trained = {}
    for spec in setup.launcher.submitted:
        trained.setdefault(spec.params["i"], set()).add(spec.id.seed)
    best = None
    for point, curve in enumerate(TABLES[table].points):
        if point in TABLES[table].fails:
            continue
        scores = [curve[max(curve)] + seed / 1000 for seed in range(6)]
        count = next((n for n in range(2, 7) if best and is_worse(scores[:n], best[:n])), 6)
        assert len(trained[point]) == count
        best = max(best or scores, scores) if count == 6 else best


def is_worse(scores, best):
    return wilcoxon(np.subtract(scores, best), alternative="less", zero_method="zsplit").pvalue < 0.2
