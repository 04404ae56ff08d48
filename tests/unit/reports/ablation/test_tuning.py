"""The search before an ablation."""

from dataclasses import replace

import pandas as pd
import pytest

from hpsearch.reports.ablation.measured import progress_rows, time_rows
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.ablation.tables import arm_rows, difference_rows
from hpsearch.reports.ablation.tuning import searches_of
from hpsearch.reports.kit.training import points_train
from tests.support import synthetic
from tests.support.ablations import NO_STEPS, grid, searched, study


@pytest.mark.parametrize("lost", [(32, 0.0), (128, 0.9)])
def test_an_arm_that_trained_nowhere_in_the_search_is_still_told(lost):
    scores = grid()
    tuning = searched(list(scores), trained=[cell for cell in scores if cell != lost])
    name = f"batch size {lost[0]}, momentum {lost[1]:g}"
    del scores[lost]
    found = ablation_of(study(scores, ablation={"nuisance": "retuned"}), tuning)
    assert [arm.name for arm in found.arms if not arm.finished] == [name] and len(found.arms) == 4
    assert caveats(found)[0].startswith(f"No trial of {name} finished (the search before found no setting")
    assert found.reference.name == "batch size 32, momentum 0" and "No answer" not in answer(found)
    assert [factor.values for factor in found.factors] == [(32, 128), (0.0, 0.9)]
    assert all(rows for _, rows in (arm_rows(found), difference_rows(found), progress_rows(found), time_rows(found)))


def test_stability_is_that_of_the_sweep():
    _, tuning = synthetic.momenta()
    known = points_train(tuning, ["data.batch_size", "optimizer.momentum"])
    tried = [each for tuned in searches_of(tuning) for each in tuned.tried]
    assert [each.stable for each in tried] == [known[point] for point in range(len(tried))]
    assert {(each.diverged, each.stable) for each in tried} == {(False, True), (False, False), (True, False)}


def test_out_of_memory_is_not_divergence():
    _, tuning = synthetic.momenta(batches=(16,), values=(0.0,))
    away = tuning.trials["state"] == "INFEASIBLE"
    tuning = replace(tuning, trials=tuning.trials.assign(reason=["out of memory" if each else "" for each in away]))
    (tuned,) = searches_of(tuning)
    lost = [each for each in tuned.tried if each.mean is None]
    assert lost and not any(each.diverged for each in lost)


def test_the_best_setting_of_each_arm_and_its_edge():
    table = study({(32, momentum): [0.5] for momentum in (0.0, 0.9)})
    rates = {(0.0, 0.1): 0.7, (0.0, 0.2): 0.9, (0.0, 0.4): 0.8, (0.9, 0.1): 0.9, (0.9, 0.2): 0.8, (0.9, 0.4): None}
    rows = [
        {**table.trials.iloc[0].to_dict(), "point": point, "optimizer.momentum": momentum, "optimizer.lr": rate,
         "score": score, "state": "INFEASIBLE" if score is None else "COMPLETE"}
        for point, ((momentum, rate), score) in enumerate(rates.items())
    ]  # fmt: skip
    space = {**table.study["space"], "optimizer.lr": "choice(0.1, 0.2, 0.4)"}
    tuning = replace(table, study={**table.study, "space": space}, trials=pd.DataFrame(rows), steps=NO_STEPS)
    first, second = searches_of(tuning)
    assert (first.params, first.mean, first.seeds, first.at_edge) == ({"optimizer.lr": 0.2}, 0.9, 1, {})
    assert (second.params, second.at_edge) == ({"optimizer.lr": 0.1}, {"optimizer.lr": "low"})
    assert [setting.mean for setting in second.tried[:2]] == [0.9, 0.8] and second.tried[2].diverged
    tuning.study["objective"] = {"metric": "valid/acc", "direction": "minimize"}
    assert [(s.params["optimizer.lr"], dict(s.at_edge)) for s in searches_of(tuning)] == [
        (0.1, {"optimizer.lr": "low"}),
        (0.2, {}),
    ]


def test_a_search_for_updates_takes_the_rate_that_reaches_the_target_first():
    """At .1 the target is reached after one epoch, at .2 after two; at .4 one seed never gets there."""
    table = study({(32, 0.0): [0.9, 0.9]})
    ends = {0.1: (0.8, 0.81, 0.82), 0.2: (0.5, 0.85, 0.95), 0.4: (0.9, 0.99, 0.99)}
    trials, curves = [], []
    for point, (rate, accuracies) in enumerate(ends.items()):
        trials.append(table.trials.assign(point=point, score=accuracies[-1], **{"optimizer.lr": rate}))
        curves += [
            {"point": point, "seed": seed, "fold": 0, "epoch": epoch, "step": 30 * epoch, "valid/acc": accuracy}
            for seed in (0, 1)
            for epoch, accuracy in enumerate([0.1] * 3 if (rate, seed) == (0.4, 1) else accuracies, 1)
        ]
    space = {**table.study["space"], "optimizer.lr": "choice(0.1, 0.2, 0.4)"}
    options = {"factors": ["data.batch_size"], "nuisance": "retuned", "target": 0.8}

    def chosen(**more):
        record = {**table.study, "space": space, "config": {"ablation": {**options, **more}}}
        tuning = replace(
            table,
            study=record,
            trials=pd.concat(trials, ignore_index=True),
            curves=pd.DataFrame(curves),
            steps=NO_STEPS,
        )
        (found,) = searches_of(tuning)
        return found.params["optimizer.lr"], found.mean

    assert chosen() == (0.4, pytest.approx(0.99))
    assert chosen(tune_for="score") == chosen()
    assert chosen(tune_for="updates") == (0.1, pytest.approx(0.82))
