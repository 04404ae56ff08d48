"""Every place that names a best point names the same one."""

import math

import pytest

from hpsearch import load_trials, run_search
from hpsearch.base.types import Objective
from hpsearch.reports.kit.points import results_of
from hpsearch.reports.summary.numbers import find
from hpsearch.reports.summary.tables import front_table, point_table, trial_table
from hpsearch.study.existing import list_studies, rebuild_report
from hpsearch.study.tables import table_of

LATENCY = Objective("acc", others=(Objective("latency", "minimize"),))
INF, NAN = math.inf, math.nan

SCORES = {
    "a second objective without a value": (
        LATENCY,
        {0: (0.1, 1), 1: (0.2, 2), 2: (0.8, INF), 3: (0.9, NAN)},
        1,
        {0, 1},
    ),
    "a second objective of minus infinity": (
        LATENCY,
        {0: (0.1, 1), 1: (0.9, -INF), 2: (0.3, 4), 3: (0.2, 3)},
        2,
        {0, 2, 3},
    ),
    "a tie that the second objective breaks": (LATENCY, {0: (0.9, 5), 1: (0.9, 2), 2: (0.9, 7), 3: (0.1, 3)}, 1, {1}),
    "a whole tie": (LATENCY, {0: (0.3, 5), 1: (0.9, 2), 2: (0.9, 2), 3: (0.9, 2)}, 1, {1, 2, 3}),
    "no value at all": (LATENCY, {0: (0.1, INF), 1: (0.2, NAN), 2: (0.3, INF), 3: (0.4, INF)}, None, set()),
    "a tie of one objective": (
        Objective("acc", "minimize"),
        {0: (0.3, 1), 1: (0.1, 1), 2: (0.1, 1), 3: (0.2, 1)},
        1,
        None,
    ),
}

INLINE = ["launcher=inline"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", SCORES)
def test_best_list_answer_front_pages_and_replay_agree(folder, name):
    objective, scores, best, front = SCORES[name]

    def train(x):
        yield {"acc": scores[x][0], "latency": float(scores[x][1])}

    options = {"space": {"x": "choice(0, 1, 2, 3)"}, "sampler": "grid", "tracker": "none", "name": "agree"}
    options["overrides"] = INLINE
    outcome = run_search(train, objective=objective, **options)
    found = find(table_of("agree"))
    summary = found.summary
    assert outcome.exit_code == 0 and [study.state for study in list_studies()] == ["COMPLETE"]
    named = [outcome.best, list_studies()[0].best, summary.best]
    assert [None if each is None else each.point for each in named] == [best] * 3
    assert (outcome.replay_command is None) == (best is None)
    if best is None:
        assert outcome.answer.startswith("No answer: every trial is INFEASIBLE (4 trials, 3 of them: not compared:")
    else:
        assert f"x = {best} has the " in outcome.answer
        assert f"'agree/{best}/0'" in outcome.replay_command
        marked = [table for table in (point_table(summary), trial_table(found.table, summary))]
        assert [[row.cells[0].text for row in table.rows if row.best] for table in marked] == [[str(best)]] * 2
    if front is not None:
        assert set(summary.front.front) == front
        shown = front_table(found.table, summary)
        assert {int(row.cells[0].text) for row in shown.rows} == front if front else shown is None
        assert best is None or summary.front.front[0] == best
    trials = load_trials("agree")
    finite = [math.isfinite(scores[x][0]) and math.isfinite(scores[x][1]) for x in trials["args.x"]]
    assert [state == "COMPLETE" for state in trials["state"]] == finite
    assert trials["score"].notna().tolist() == finite
    before = (folder / "studies" / "agree" / "README.md").read_text()
    rebuild_report("agree")
    assert (folder / "studies" / "agree" / "README.md").read_text() == before


def test_of_equal_means_the_steadier_point_is_best_whatever_the_order_of_its_scores():
    scores = {0: (0.1, 0.2, 0.7), 1: (0.7, 0.2, 0.1), 2: (0.3, 0.4, 0.3)}
    assert len({sum(values) for values in scores.values()}) > 1  # a sum in the order of the seeds would part them

    def train(x, seed):
        yield {"acc": scores[x][seed]}

    options = {"space": {"x": "choice(0, 1, 2)"}, "sampler": "grid", "tracker": "none", "name": "steady", "seeds": 3}
    options["overrides"] = INLINE
    outcome = run_search(train, objective="acc", **options)
    results = results_of(table_of("steady"))
    assert outcome.best.point == list_studies()[0].best.point == results.best.point == 2
    assert outcome.best.mean == results.best.mean


def test_a_chosen_none_is_a_value_like_any_other(folder):
    def train(act, kind, depth):
        yield {"acc": {None: 0.9, 3: 0.5, "x": 0.1}[act] + (0.01 if kind == "a" else 0.001 * depth)}

    space = {"act": [3, None, "x"], "kind": ["a", "b"], "kind=b/depth": "choice(1, 2)"}
    options = {"sampler": "grid", "tracker": "none", "name": "none", "overrides": INLINE}
    outcome = run_search(train, space=space, objective="acc", **options)
    results = find(table_of("none")).summary
    assert outcome.best.params == {"act": None, "kind": "a", "depth": None}
    assert results.best.params == {"args.act": None, "args.kind": "a"}
    assert "Of 9 points act = none, kind = a has the" in outcome.answer
    best = next(row for row in point_table(results).rows if row.best)
    assert [cell.text for cell in best.cells[1:4]] == ["none", "a", ""]
    assert "act = none" in (folder / "studies" / "none" / "report.html").read_text()


def test_a_point_that_a_pruner_stopped_between_its_seeds_is_pruned_on_every_page():
    def train(x, seed):
        yield {"acc": [0.9, 0.1, 0.2, 0.3][x] + seed / 100}

    options = {
        "space": {"x": "choice(0, 1, 2, 3)"},
        "sampler": "grid",
        "tracker": "none",
        "name": "between",
        "seeds": 6,
    }
    overrides = [*INLINE, "pruner.n_startup_steps=2", "pruner.p_threshold=0.2"]
    outcome = run_search(train, objective="acc", pruner="wilcoxon", overrides=overrides, **options)
    results = results_of(table_of("between"))
    assert outcome.best.point == results.best.point == 0
    assert [p.state for p in results.points] == ["COMPLETE", "PRUNED", "PRUNED", "PRUNED"]
    assert [p.mean is None for p in results.points] == [False, True, True, True]
    assert all(p.partial is not None and p.n < 6 for p in results.points[1:])
