"""Schedules in the smallest runs, as values of a search."""

import pytest

from hpsearch import load_trials, run_study
from hpsearch.base.types import TrialState
from hpsearch.config.groups import describe_groups
from hpsearch.progress.display import Silent

ALL = describe_groups()["scheduler"]
WORDS = ("+study=search", "study.name=smallest", "sampler=grid", "pruner=none", "storage=memory", "model=softmax")
PLACE = ("launcher=inline", "tracker=none", "trainer.epochs=1", "trainer.device=cpu", "data.train_size=100")


@pytest.mark.parametrize(
    ("names", "batch_sizes"),
    [
        (["one_cycle", "sequential", "linear_cosine"], [100, 34]),
        pytest.param(ALL, [100, 50, 34, 10], marks=pytest.mark.long),
    ],
    ids=["some", "all"],
)
def test_schedules_are_searched_in_runs_of_one_two_three_and_ten_steps(tmp_path, monkeypatch, names, batch_sizes):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("hpsearch.study.search.write_search_report", lambda _table, folder: folder / "report.html")
    space = [f"space.scheduler=choice({','.join(names)})", f"space.data.batch_size=choice({str(batch_sizes)[1:-1]})"]
    outcome = run_study([*WORDS, *PLACE, *space], observer=Silent())
    assert outcome.counts == {TrialState.COMPLETE: len(batch_sizes) * len(names)}
    trials = load_trials("smallest")
    assert trials.lr.notna().all() and (trials.lr >= 0).all() and set(trials.scheduler) == set(names)
