"""Where a search ends, and that the terminal, the README, the page and the record say why."""

import io
from unittest.mock import Mock

import pytest

from hpsearch import run_search, run_study
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective
from hpsearch.reports.summary import page as pages
from hpsearch.study.existing import list_studies, rebuild_report
from hpsearch.terminal.summary import show_study
from hpsearch.tracking.events import read_study

CELLS = {"a": "choice(1,2,3,4,5,6,7,8)", "b": "choice(1,2,3,4,5,6,7,8,9)"}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(a, b=1, seed=0):
    yield {"acc": -((a - 3) ** 2) - (b - 5) ** 2 + 0.001 * seed}


def search(space=CELLS, overrides=(), **given):
    words = ["launcher=inline", *overrides]
    return run_search(train, space=space, objective="acc", tracker="none", name="ends", overrides=words, **given)


def says(outcome, why, folder):
    """Assert that every place says why the search ended."""
    stream = io.StringIO()
    show_study(outcome, "again", stream)
    place = folder / "studies" / "ends"
    rebuild_report("ends")
    assert outcome.ended == why
    assert f"; {why}\n" in stream.getvalue()
    assert f"The search ended because {why}." in (place / "README.md").read_text().replace("\\", "")
    assert f" UTC: {why}</span>" in (place / "report.html").read_text().replace("&#39;", "'")
    assert read_study(place)["state"]["why"] == why


@pytest.mark.parametrize("sampler", ["grid", "brute_force"])
def test_every_combination_is_every_combination(folder, sampler):
    outcome = search(sampler=sampler)
    assert outcome.counts == {"COMPLETE": 72} and outcome.best.params == {"a": 3, "b": 5}
    says(outcome, f"all 72 cells of the {'grid' if sampler == 'grid' else 'space'} are done", folder)


def test_a_queue_ends_where_the_user_bounds_it_and_goes_on_from_there(folder):
    outcome = search(sampler="grid", points=60)
    assert outcome.counts == {"COMPLETE": 60}
    says(outcome, "budget.points = 60 is used up: 60 of 72 cells of the grid", folder)
    again = search(sampler="grid", points=60)
    assert again.already_complete and again.ended == outcome.ended
    assert search(sampler="grid").counts == {"COMPLETE": 72}


def test_a_list_ends_with_its_last_point(folder):
    points = [{"args.a": a, "args.b": b} for a in range(1, 9) for b in range(1, 9)]
    outcome = search(sampler="manual", overrides=[f"sampler.points={points}".replace("'", "").replace(" ", "")])
    assert outcome.counts == {"COMPLETE": 64}
    says(outcome, "all 64 points of the list are done", folder)


def test_a_sampler_without_an_end_asks_for_60_points(folder):
    outcome = search(sampler="random", pruner="none")
    says(outcome, "budget.points = 60 is used up: 60 of 72 points of the space", folder)


def test_an_end_by_evidence(folder):
    line = {"space": {"a": "range(0, 40)"}, "sampler": "grid", "pruner": "none", "overrides": ["launcher=inline"]}
    outcome = search(**line, seeds=3, patience=5)
    assert outcome.counts == {"COMPLETE": 27}  # 3 seeds of 0, 1, 2, 3 and five that are worse
    lead = "budget.patience = 5 is used up: none of the last 5 points improved acc"
    says(outcome, f"{lead} −16.0 (point 3) by more than 0.001, the median sd over a point's trials", folder)
    assert search(**line, seeds=3, patience=5).already_complete
    assert search(**line, seeds=3, patience=7).counts == {"COMPLETE": 33}


def test_patience_is_refused_where_nothing_says_what_an_improvement_is(folder):
    both = Objective("acc", others=(Objective("cost", "minimize"),))
    message = r"^budget\.patience = 3: of several objectives \(acc, cost\) none says alone"
    with pytest.raises(ConfigError, match=message):
        run_search(train, space=CELLS, objective=both, patience=3, tracker="none")
    for bad in ("0", "1.5", "long"):
        with pytest.raises(ConfigError, match=rf"budget\.patience = .*{bad}.*must be a whole number"):
            run_study(["+study=lr_sweep", f"budget.patience={bad}"])
    assert not (folder / "studies").exists()


def test_a_report_that_fails_leaves_a_study_that_has_ended_and_is_written_by_the_next_run(folder, monkeypatch):
    line = {"space": {"a": "range(0, 4)"}, "sampler": "grid", "overrides": ["launcher=inline"]}
    assert search(**line, points=2).counts == {"COMPLETE": 2}
    with monkeypatch.context() as patched:
        patched.setattr(pages, "render", Mock(side_effect=RuntimeError("a figure failed")))
        with pytest.raises(RuntimeError, match="a figure failed"):
            search(**line)
    assert [study.state for study in list_studies()] == ["COMPLETE"]
    page = folder / "studies" / "ends" / "report.html"
    assert "all 4 cells of the grid are done" not in page.read_text()
    again = search(**line)
    assert again.already_complete and again.ended == "all 4 cells of the grid are done"
    assert "all 4 cells of the grid are done" in page.read_text()
    written = page.stat().st_mtime_ns
    search(**line)
    assert page.stat().st_mtime_ns == written  # nothing new, so it is not written again
