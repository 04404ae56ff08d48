import math
import pickle

import numpy as np
import optuna
import pandas as pd
import pytest
from optuna.importance._fanova._tree import _FanovaTree
from sklearn.tree import DecisionTreeRegressor

from hpsearch.base.types import TrialTable
from hpsearch.reports.summary import importance as module
from hpsearch.reports.summary.fanova import boxes_of
from hpsearch.reports.summary.importance import FEWEST, MOST, begin_importance, importance
from hpsearch.reports.summary.numbers import summarize

SEED = np.random.default_rng(7)


def study(columns, scores, states=None, space=None, direction="maximize"):
    """One trial per point, with the hyperparameters given as columns."""
    n = len(scores)
    trials = pd.DataFrame({
        "point": range(n), "seed": 0, "fold": 0, "state": states or ["COMPLETE"] * n, "score": scores,
        "reason": ["diverged at step 3" if s == "INFEASIBLE" else "" for s in states or [""] * n],
        "started": 0.0, "ended": 1.0, "duration_sec": 1.0, **columns,
    })  # fmt: skip
    known = {"space": space or dict.fromkeys(columns, "interval(0, 1)"), "objective": {"metric": "score"}}
    known["objective"]["direction"] = direction
    curves = pd.DataFrame({"point": [], "seed": [], "fold": [], "epoch": []})
    steps = pd.DataFrame({"point": [], "seed": [], "fold": [], "step": [], "loss": []})
    return summarize(TrialTable("s", known, trials, curves, steps))


def uniform(n, keys, seed=0, low=0.0, high=1.0):
    rng = np.random.default_rng(seed)
    return {key: rng.uniform(low, high, n) for key in keys}


def shares(ranking):
    return {s.keys[0]: s.share for s in ranking.shares}


def test_a_sum_has_the_shares_of_its_variances_and_no_interaction():
    x = uniform(400, "ab")
    found = importance(study(x, x["a"] + 2 * x["b"]))
    assert shares(found.fanova) == pytest.approx({"b": 0.8, "a": 0.2}, abs=0.04)
    assert found.interaction.share < 0.02
    assert set(found.interaction.keys) == {"a", "b"}
    assert found.fit > 0.98


def test_a_product_of_centred_inputs_is_interaction_only():
    x = uniform(600, "ab", low=-1.0)
    found = importance(study(x, x["a"] * x["b"]))
    assert max(shares(found.fanova).values()) < 0.08
    assert found.interaction.share > 0.9


def test_the_interacting_pair_is_found_among_keys_without_an_effect():
    x = uniform(600, "abcd", low=-1.0)
    assert set(importance(study(x, x["b"] * x["d"])).interaction.keys) == {"b", "d"}


@pytest.mark.parametrize("n", [30, 200])
def test_the_shares_of_one_tree_are_those_of_optuna(n):
    rng = np.random.default_rng(n)
    x = rng.random((n, 3))
    tree = DecisionTreeRegressor(random_state=0).fit(x, x[:, 0] * x[:, 1] + rng.normal(size=n))
    ours, theirs = boxes_of(tree, 3), _FanovaTree(tree.tree_, np.array([[0.0, 1.0]] * 3))
    assert ours.variance() == pytest.approx(theirs.variance)
    for axis in range(3):
        assert ours.main(axis) == pytest.approx(theirs.get_marginal_variance(np.array([axis])))
    assert ours.joint(0, 2) == pytest.approx(theirs.get_marginal_variance(np.array([0, 2])))


def test_the_surface_is_the_mean_over_the_other_keys():
    rng = np.random.default_rng(0)
    x = rng.random((80, 3))
    tree = DecisionTreeRegressor(random_state=0).fit(x, rng.normal(size=80))
    at, others = np.array([0.05, 0.5, 1.0]), rng.random(20_000)
    surface = boxes_of(tree, 3).surface(0, 2, at, at)
    for i, b in enumerate(at):
        for j, a in enumerate(at):
            points = np.column_stack([np.full_like(others, a), others, np.full_like(others, b)])
            assert surface[i, j] == pytest.approx(tree.predict(points).mean(), abs=0.03)


def test_a_key_is_read_on_the_scale_on_which_it_is_searched():
    rng = np.random.default_rng(0)
    rate, other = 10 ** rng.uniform(-4, 0, 300), rng.random(300)
    space = {"lr": "tag(log, interval(1e-4, 1))", "other": "interval(0, 1)"}
    summary = study({"lr": rate, "other": other}, np.log10(rate) / 4 + 2 * other, space=space)
    assert shares(importance(summary).fanova) == pytest.approx({"other": 0.8, "lr": 0.2}, abs=0.05)


def test_categories_count_by_their_means():
    rng = np.random.default_rng(0)
    act, lr = rng.choice(["relu", "gelu", "tanh"], 200), rng.random(200)
    level = {"relu": 0.0, "gelu": 1.0, "tanh": 0.2}
    found = importance(study({"act": act, "lr": lr}, [level[a] for a in act]))
    assert shares(found.fanova)["act"] > 0.99
    assert shares(found.ped)["act"] > 0.9


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_ped_anova_is_that_of_optuna(direction):
    x = uniform(120, "abc")
    scores = x["a"] ** 2 + 0.3 * x["b"]
    theirs = optuna.create_study(direction=direction)
    for row, score in zip(zip(*x.values(), strict=True), scores, strict=True):
        spaces = {key: optuna.distributions.FloatDistribution(x[key].min(), x[key].max()) for key in x}
        params = dict(zip(x, row, strict=True))
        theirs.add_trial(optuna.create_trial(params=params, distributions=spaces, value=score))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(theirs, evaluator=evaluator)
    assert shares(importance(study(x, scores, direction=direction)).ped) == pytest.approx(expected)


def test_ped_anova_is_that_of_optuna_for_logarithms_few_values_and_conditions():
    rng = np.random.default_rng(3)
    lr, model = 10 ** rng.uniform(-4, 0, 90), rng.choice(["mlp", "lenet"], 90).tolist()
    batch = rng.choice([32, 64, 128], 90).tolist()
    width = [float(rng.uniform(1, 9)) if name == "lenet" else None for name in model]
    scores = np.log10(lr) + np.array([1.0 if name == "lenet" else 0.0 for name in model]) + rng.normal(size=90) / 9
    numbers = [value for value in width if value is not None]
    spaces = {
        "lr": optuna.distributions.FloatDistribution(lr.min(), lr.max(), log=True),
        "model": optuna.distributions.CategoricalDistribution(sorted(set(model))),
        "batch": optuna.distributions.CategoricalDistribution(sorted(set(batch))),
        "width": optuna.distributions.FloatDistribution(min(numbers), max(numbers)),
    }
    theirs = optuna.create_study(direction="maximize")
    for *row, score in zip(lr, model, batch, width, scores, strict=True):
        params = {key: value for key, value in zip(spaces, row, strict=True) if value is not None}
        known = {key: spaces[key] for key in params}
        theirs.add_trial(optuna.create_trial(params=params, distributions=known, value=score))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    expected = optuna.importance.get_param_importances(theirs, evaluator=evaluator)
    space = {"lr": "tag(log, interval(1e-4, 1))", "model": "choice(mlp, lenet)", "batch": "choice(32, 64, 128)"}
    space["model=lenet/width"] = "interval(1, 9)"
    columns = {"lr": lr, "model": model, "batch": batch, "width": width}
    found = importance(study(columns, scores, space=space), resamples=2)
    assert shares(found.ped) == pytest.approx(expected, rel=1e-9)


def test_a_conditional_key_is_left_out_of_fanova_and_kept_in_ped_anova():
    x = uniform(100, "a")
    model = ["lenet" if i % 2 else "mlp" for i in range(100)]
    kernel = [None if m == "mlp" else 3 + 2 * (i % 4 > 1) for i, m in enumerate(model)]
    space = {"a": "interval(0, 1)", "model": "choice(mlp, lenet)", "model=lenet/kernel": "choice(3, 5)"}
    found = importance(study({"a": x["a"], "model": model, "kernel": kernel}, x["a"], space=space))
    assert "under a condition" in found.fanova.left_out["kernel"]
    assert set(shares(found.fanova)) == {"a", "model"}
    assert set(shares(found.ped)) == {"a", "model", "kernel"}


def test_infeasible_points_count_only_as_not_among_the_best():
    x = uniform(120, "ab", seed=3)
    scores, states = x["b"].copy(), ["COMPLETE"] * 120
    lost = x["a"] > 0.5
    for i in np.flatnonzero(lost):
        scores[i], states[i] = math.nan, "INFEASIBLE"
    found = importance(study(x, scores, states))
    assert found.fanova.points == 120 - lost.sum()
    assert found.ped.points == 120
    assert shares(found.fanova)["a"] < 0.05
    kept = {key: values[~lost] for key, values in x.items()}
    assert shares(found.ped)["a"] > 5 * shares(importance(study(kept, kept["b"])).ped)["a"]


@pytest.mark.parametrize(("direction", "awful"), [("maximize", -9.0), ("minimize", 9.0)])
@pytest.mark.parametrize("state", ["INFEASIBLE", "PRUNED"])
def test_ped_anova_takes_points_without_a_result_as_the_worst(state, direction, awful):
    x = uniform(80, "ab")
    lost = x["a"] > 0.7
    penalized = importance(study(x, np.where(lost, awful, x["b"]), direction=direction))
    states = [state if away else "COMPLETE" for away in lost]
    told = importance(study(x, np.where(lost, math.nan, x["b"]), states, direction=direction))
    assert shares(told.ped) == pytest.approx(shares(penalized.ped))


def test_a_pruned_score_is_not_compared():
    x = uniform(60, "ab")
    scores, states = x["a"] + x["b"], ["COMPLETE"] * 60
    for i in range(0, 60, 3):
        scores[i], states[i] = 100.0, "PRUNED"
    found = importance(study(x, scores, states))
    assert (found.fanova.points, found.ped.points) == (40, 60)
    assert shares(found.fanova) == pytest.approx({"a": 0.5, "b": 0.5}, abs=0.25)


def test_too_few_points_are_refused_in_words():
    x = uniform(FEWEST - 1, "ab")
    found = importance(study(x, x["a"]))
    assert found.fanova.refused == "19 COMPLETE points: with fewer than 20 the shares would be chance"
    assert found.fanova.shares == found.ped.shares == ()
    assert found.interaction is None


def test_equal_scores_and_noise_are_refused_in_words():
    x = uniform(60, "abc")
    assert importance(study(x, [0.5] * 60)).fanova.refused == "all COMPLETE points have the same score"
    noise = importance(study(x, np.random.default_rng(5).normal(size=60)))
    assert "no better than their mean" in noise.fanova.refused
    assert noise.fit <= 0
    assert noise.surface is None


def test_one_hyperparameter_has_nothing_to_compare():
    assert importance(study(uniform(50, "a"), np.arange(50.0))) is None


def test_intervals_hold_the_estimate_and_shrink_with_points():
    width = []
    for n in (60, 600):
        x = uniform(n, "abc", seed=n)
        found = importance(study(x, x["a"] + x["b"] * x["c"]))
        for s in found.fanova.shares:
            assert 0 <= s.low <= s.share <= s.high <= 1
        width.append(sum(s.high - s.low for s in found.fanova.shares))
        assert sum(shares(found.ped).values()) == pytest.approx(1)
    assert width[1] < width[0] / 2


def test_the_same_study_gives_the_same_numbers():
    x = uniform(50, "ab")
    assert importance(study(x, x["a"])) == importance(study(x, x["a"]))


def test_what_is_handed_to_another_process_gives_the_same(monkeypatch):
    def begin(for_what, work, *given):
        assert for_what == "sklearn.tree"
        work, given = pickle.loads(pickle.dumps((work, given)))
        return lambda: work(*given)

    monkeypatch.setattr(module, "RESAMPLES", 5)
    monkeypatch.setattr(module, "begin", begin)
    drawn = uniform(30, "abc")
    summary = study(drawn, drawn["a"] + 0.1 * drawn["b"])
    assert begin_importance(summary)() == importance(summary, 5)


def test_beyond_the_limit_a_subset_stands_for_all():
    x = uniform(MOST["fANOVA"] + 50, "ab")
    found = importance(study(x, x["a"]), resamples=5)
    assert (found.fanova.points, found.fanova.of) == (1000, 1050)
    assert (found.ped.points, found.ped.of) == (500, 1050)
