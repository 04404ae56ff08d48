"""The simulated study: nothing is lost or trained twice, and a driver that costs nothing takes no time."""

from collections import Counter

import pytest

from hpsearch.base import platform
from hpsearch.base.types import TrialState
from hpsearch.progress.display import Silent
from hpsearch.tracking.events import read_trials
from tests.benchmarks.bench_search import Table, generated
from tests.benchmarks.simulated_study import NAME, Setting, compose_case, driver_in, replayed
from tests.benchmarks.simulated_workers import SIMULATION, Meter, Pace, SimulatedLauncher

pytestmark = pytest.mark.filterwarnings("ignore")
EPOCHS, EVERY, START = 8, 30.0, 2.0


def searched(folder, case, workers, points, monkeypatch):
    """Return the launcher, the meter and the records of a search whose driver costs nothing."""
    monkeypatch.setattr(platform, "sync_file", lambda file: None)
    rows = [row for row in generated(0, rows=60, epochs=EPOCHS) if None not in row["valid_loss"]]
    table, meter = Table("drawn", rows), Meter(cost=lambda: 0.0)
    launcher = SimulatedLauncher(workers, meter, Pace(EVERY, spread=0.0, start_sec=START), replayed(table), EPOCHS)
    composition = compose_case(Setting(case, workers), table)
    with driver_in(folder / NAME, composition, launcher, meter, Silent(), points=points) as driver:
        outcome = driver.run()
    assert not outcome.interrupted
    return launcher, meter, read_trials(folder / NAME), outcome


@pytest.mark.slow
def test_a_hundred_workers_train_every_trial_once_in_the_time_that_training_takes(tmp_path, monkeypatch):
    launcher, meter, trials, outcome = searched(tmp_path, "random", 100, 300, monkeypatch)
    assert [each.id.point for each in trials] == list(range(300))
    assert outcome.counts == Counter({TrialState.COMPLETE: 300}) == launcher.ended
    assert all([report.epoch for report in each.reports] == list(range(1, EPOCHS + 1)) for each in trials)
    assert all(each.attempts == 1 for each in trials)
    assert launcher.reports == 300 * EPOCHS
    assert [worker.trained for worker in launcher.workers] == [3] * 100
    assert meter.now() == meter.waited == pytest.approx(3 * (START + EPOCHS * EVERY))
    assert launcher.idle_sec() == pytest.approx(0.0)


@pytest.mark.slow
def test_stages_pause_and_go_on_and_every_epoch_is_on_record_once(tmp_path, monkeypatch):
    launcher, meter, trials, outcome = searched(tmp_path, "auto", 20, 120, monkeypatch)
    assert [each.id.point for each in trials] == list(range(120))
    assert sum(outcome.counts.values()) == 120
    assert launcher.ended[TrialState.PAUSED] > outcome.counts[TrialState.PRUNED] > 60
    assert outcome.counts[TrialState.COMPLETE] == launcher.ended[TrialState.COMPLETE] >= 3
    for each in trials:
        assert [report.epoch for report in each.reports] == list(range(1, len(each.reports) + 1))
    assert launcher.reports == sum(len(each.reports) for each in trials)
    assert meter.busy == 0.0


def test_a_meter_counts_a_part_within_a_part_once_and_charges_no_simulation():
    now = [0.0]

    def spend(sec):
        now[0] += sec

    meter = Meter(cost=lambda: now[0])
    spend(1)
    with meter.part("driver"):
        spend(2)
        with meter.part("sampler"):
            spend(4)
        with meter.part(SIMULATION):
            spend(8)
        spend(16)
    meter.charge("disk", 0.5)
    meter.waited += 100
    assert meter.now() == 2 + 4 + 16 + 0.5 + 100
    assert meter.spent == {"driver": 18, "sampler": 4, "disk": 0.5, SIMULATION: 9}
