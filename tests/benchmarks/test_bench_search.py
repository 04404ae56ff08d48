"""The benchmark of searches: its accounting by hand, its loop against the driver."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from hpsearch.base.types import Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.driver import Driver
from hpsearch.search.extension import Ranges
from hpsearch.search.plan import Environment, Plan
from hpsearch.search.storage import MemoryStore, open_study
from hpsearch.tracking.record import Record
from tests.benchmarks import bench_search
from tests.benchmarks.bench_search import (
    METRIC,
    OBJECTIVE,
    Replay,
    Table,
    drawn,
    figure,
    generated,
    main,
    of_errors,
    parts,
    verdicts,
)
from tests.benchmarks.search_families import FAMILIES
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


def test_of_accuracies_the_top_are_those_within_one_standard_error_of_the_best():
    ends = [0.9, 0.9 - 0.99 * math.sqrt(0.09 / 6000), 0.9 - 1.01 * math.sqrt(0.09 / 6000), None, 0.5]
    rows = [{"config": {"a": 10.0**-i}, "valid_acc": [0.1, end]} for i, end in enumerate(ends)]
    errors = of_errors("small", rows)
    assert errors.top == {0, 1}
    assert errors.curves[0] == [0.9, pytest.approx(0.1)]


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


def judged(table, **epochs):
    named = {"keep": "keep 10 of 100"}
    figures = [figure(table, named.get(name, name), runs) for name, runs in epochs.items()]
    return [met for _, met in verdicts(figures)]


def test_verdicts_on_tables_compare_medians_tails_and_misses():
    gru = {"random": [2400], "keep": [400], "ASHA": [300]}
    assert judged("a_GRU", auto=[200], **gru) == [True, True, True]
    assert judged("a_GRU", auto=[201], **gru) == [True, False, True]
    assert judged("a_GRU", auto=[None] * 3 + [100] * 97, **gru) == [False, True, True]
    assert judged("a_GRU", auto=[100] * 89 + [331] * 11, **gru) == [True, True, False]
    first = "taskset_patch128_LSTM128_bs64"
    assert judged(first, auto=[288], random=[999], ASHA=[999]) == [True, True, True]
    assert judged(first, auto=[289], random=[999], ASHA=[999]) == [True, False, True]


def test_verdicts_on_families_compare_with_random_search_and_the_better_one():
    others = {"random": [1000] * 9 + [None], "ASHA": [500] * 8 + [None] * 2}
    assert judged("smooth", auto=[550] * 9 + [None], **others) == [True, True]
    assert judged("smooth", auto=[551] * 9 + [None], **others) == [True, False]
    assert judged("smooth", auto=[550] * 8 + [None] * 2, **others) == [False, True]
    assert judged("late", auto=[2000] * 17 + [None] * 3, random=[1000] * 18 + [None] * 2, ASHA=[1]) == [True, True]
    assert judged("late", auto=[2001] * 16 + [None] * 4, random=[1000] * 18 + [None] * 2, ASHA=[1]) == [False, False]


def quality(family, seed=7):
    curves = np.array([row["valid_loss"] for row in FAMILIES[family](np.random.default_rng(seed))])
    return curves, np.argsort(np.argsort(curves[:, 1])), np.argsort(curves[:, -1])


def test_families_are_what_they_say():
    for family, shape in {"smooth": (1000, 51), "noisy": (1000, 51), "middle": (265, 41), "late": (1000, 51)}.items():
        assert quality(family)[0].shape == shape
    curves, first, order = quality("crossing")
    assert -0.3 < spearmanr(curves[:, 1], curves[:, -1])[0] < 0
    curves, first, order = quality("smooth")
    assert spearmanr(curves[:, 1], curves[:, -1])[0] > 0.5
    curves, first, order = quality("middle")
    assert all(265 // 3 <= rank <= 2 * 265 // 3 for rank in first[order[:3]])
    assert curves[order[9], -1] - curves[order[0], -1] < 0.05
    curves, first, order = quality("late")
    assert np.ptp(curves[order[:50], :15]) == 0
    assert drawn("middle", 7).top == set(order_of(quality("middle")[0])[:3])
    assert drawn("late", 7).top != drawn("late", 8).top


def order_of(curves):
    return np.argsort(curves[:, -1]).tolist()


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


def test_several_trials_at_once_train_an_epoch_each_in_turn_and_a_free_slot_is_filled_at_once():
    whole = Table("small", generated(0, epochs=4), wanted=0)
    replay = Replay(whole, "random", 0, cap=60, width=3)
    assert replay.run() is None
    assert [epoch for _, epoch in replay.spent[:6]] == [1, 1, 1, 2, 2, 2]
    places = {number: place for place, (number, _) in reversed(list(enumerate(replay.spent)))}
    begins = sorted(places.values())
    ends = sorted({number: place for place, (number, _) in enumerate(replay.spent)}.values())
    assert all(0 < begin - end <= 5 for begin, end in zip(begins[3:], ends, strict=False))  # two others between, twice
