"""The benchmark of searches: its accounting by hand, its loop against the driver."""

import itertools
import json
import math

import pytest

from hpsearch.base.types import Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.driver import Driver
from hpsearch.search.extension import Ranges
from hpsearch.search.plan import Plan
from hpsearch.search.points import Environment
from hpsearch.search.storage import MemoryStore, open_study
from hpsearch.tracking.record import Record
from tests.benchmarks import bench_search
from tests.benchmarks.bench_search import METRIC, OBJECTIVE, Replay, Table, figure, generated, main, parts, verdicts
from tests.support.fake_launcher import FakeLauncher

pytestmark = pytest.mark.filterwarnings("ignore")


def table(curves):
    rows = [{"config": {"a": 10.0**-i, "b": 1.0 + i % 2}, "valid_loss": curve} for i, curve in enumerate(curves)]
    return Table("small", rows)


def test_a_point_is_the_nearest_row_in_normalized_logarithms():
    three = table([[1, 1]] * 3)
    assert three.row({"a": 0.99, "b": 1.1}) == 0
    assert three.row({"a": 0.05, "b": 1.9}) == 1
    assert three.row({"a": 0.011, "b": 1.1}) == 2


def test_the_top_are_the_lowest_last_values_and_a_diverged_row_is_not_among_them():
    curves = [[9.0, float(i)] for i in range(12)] + [[0.0, None]]
    assert table(curves).top == set(range(10))


def test_point_0_is_free_and_counting_stops_at_the_last_point_of_a_top_row():
    replay = Replay(table([[3.0, 2.0, 1.0]] * 12), "random", seed=0)
    replay.table.top = {replay.table.row(params) for params in asked_by("random", replay.table, 0, 2)[1:]}
    first = replay.table.row(asked_by("random", replay.table, 0, 1)[0])
    expected = 2 if first in replay.table.top else 4
    assert replay.run() == expected
    assert replay.spent == [(0, 1), (0, 2), (1, 1), (1, 2)][:expected]


def asked_by(strategy, small, seed, count):
    replay = Replay(small, strategy, seed)
    return [replay.study.ask(small.space.distributions()).params for _ in range(count)]


def test_going_on_pays_for_new_points_only():
    small = Table("small", generated(1, rows=60, keys=2, epochs=6))
    small.top = set()
    replay = Replay(small, "auto", 0, cap=120)
    assert replay.run() is None
    assert len(set(replay.spent)) == len(replay.spent)
    for number in {n for n, _ in replay.spent}:
        epochs = [epoch for n, epoch in replay.spent if n == number]
        assert epochs == list(range(1, len(epochs) + 1))


def test_a_diverged_row_costs_its_epochs_up_to_there_and_is_never_reached():
    replay = Replay(table([[3.0, 2.0, None, None]] * 12), "random", seed=0, cap=5)
    assert replay.run() is None
    assert replay.spent[:4] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert all(trial.constraints["infeasible"] == 1 for trial in replay.study.trials[:2])


def test_quantiles_count_a_run_that_failed_as_infinite():
    assert figure("t", "auto", [10, 30, 20]).median == 20
    assert math.isinf(figure("t", "auto", [10, None, None]).median)
    assert figure("t", "auto", [10, None]).missed == 0.5


def test_verdicts_compare_medians():
    runs = {"random": [2400], "keep 10 of 100": [400], "auto": [200]}
    figures = [figure(t, name, epochs) for t in ("one", "two") for name, epochs in runs.items()]
    assert all(met for _, met in verdicts(figures))
    slower = [figure(f.table, f.strategy, [201] if f.strategy == "auto" else runs[f.strategy]) for f in figures]
    assert [met for _, met in verdicts(slower)] == [False, True, False, True, True, False, True]


def curve_script(small, spent):
    last = {}

    def script(spec):
        curve = small.curves[small.row(spec.params)]
        start = last.get(spec.id, 0)
        yield Started(start or None, {}, 0.0)
        if not start:
            yield Report(0, 0, {METRIC: curve[0]})
        for epoch in range(start + 1, small.epochs + 1):
            if not math.isfinite(curve[epoch]):
                spent.append((spec.id.point, epoch))
                yield TrialResult(TrialState.INFEASIBLE, "diverged")
                return
            last[spec.id] = epoch
            spent.append((spec.id.point, epoch))
            yield Report(epoch, epoch, {METRIC: curve[epoch]})
        yield TrialResult(TrialState.COMPLETE)

    return script


class Quiet:
    def update(self, progress):
        pass

    def line(self, text):
        pass


@pytest.mark.parametrize("strategy", list(bench_search.STRATEGIES))
def test_the_loop_trains_what_the_driver_trains(tmp_path, strategy):
    small = Table("small", generated(2, rows=80, keys=3, epochs=10))
    small.top = set()
    sampler, pruner = parts(strategy, small.epochs, 5)
    store = MemoryStore().open(tmp_path)
    spent, clock = [], itertools.count()
    driver = Driver(
        study=open_study(store, "s", pruner, OBJECTIVE), make_sampler=lambda n: sampler, store=store, seed=5,
        plan=Plan(OBJECTIVE, (0,), epochs=150), record=Record(tmp_path), ranges=Ranges(small.space),
        launcher=FakeLauncher(curve_script(small, spent), slots=1, lockstep=True),
        environment=Environment(Quiet(), lambda: float(next(clock))),
        make_spec=lambda point, params, seed, fold: TrialSpec(
            "s", TrialId(point, seed, fold), {"trainer": {"epochs": 10}}, params, (), str(point), str(tmp_path)),
    )  # fmt: skip
    driver.resume()
    driver.run()
    replay = Replay(small, strategy, 5, cap=150)
    replay.run()
    assert len(spent) >= 140
    assert spent[:140] == replay.spent[:140]


def test_the_command_prints_and_writes_a_table(tmp_path, capsys):
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "one.json").write_text(json.dumps(generated(3, rows=40, keys=2, epochs=4)))
    main([str(tmp_path / "tables"), "--repeats", "2", "--workers", "1", "--out", str(tmp_path / "out")])
    assert "| one | auto |" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "out" / "bench_search.json").read_text())) == 6
