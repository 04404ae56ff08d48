import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hpsearch.reports.kit.setup import fixed_settings, headline, settings_of, took
from hpsearch.reports.summary.association import Association
from hpsearch.reports.summary.importance import Importance, Ranking, Share
from hpsearch.reports.summary.numbers import find, summarize
from hpsearch.reports.summary.sentences import answer, caveats
from tests.support import synthetic
from tests.support.scores import scored, with_states


def test_the_main_job_in_one_sentence():
    assert answer(summarize(synthetic.sweep())) == (
        "A learning rate of 0.0464 has the highest valid/acc: 0.977 ± 0.003 (mean ± sd of n = 3 seeds, 95 % t interval "
        "0.969–0.984); 0.0215 to 0.464 may be as good; training is too slow up to 0.00215, every seed trains from "
        "0.00464 to 1 and 3 of 3 seeds fail at 2.15 (half of the seeds at about 1.47, 95 % interval 0.969 to 2.22)."
    )


def test_one_seed_claims_no_interval_and_says_why():
    text = answer(summarize(synthetic.sweep(seeds=1)))
    assert "(n = 1 seed, so no spread and no interval can be given)" in text
    assert "±" not in text


def test_several_hyperparameters_are_all_named():
    text = answer(summarize(synthetic.mixed()))
    assert re.match(
        r"Of 60 points, 38 trained to the end, learning rate [\d.]+, weight decay [\d.e-]+, batch size \d+, model = ",
        text,
    )
    assert " has the highest valid/acc: 0." in text
    assert "optimizer.nesterov = true" in text or "optimizer.nesterov = false" in text


def test_any_key_can_be_searched():
    table = synthetic.sweep(seeds=2, epochs=2)
    trials = table.trials.rename(columns={"optimizer.lr": "model.act"})
    trials["model.act"] = [f"act{i}" for i in trials.point]
    renamed = replace(table, trials=trials, study={**table.study, "space": {"model.act": "choice(a, b)"}})
    assert re.match(r"model.act = act\d+ has the highest valid/acc: ", answer(summarize(renamed)))


def test_the_whole_range_and_a_single_value():
    assert "every seed trains over the whole range tried, 0.1 to 0.4" in answer(
        summarize(synthetic.sweep([0.1, 0.2, 0.4]))
    )
    assert "only at 0.4" in answer(summarize(synthetic.sweep([0.001, 0.002, 0.4], epochs=10)))


@pytest.mark.parametrize(
    ("states", "sentence"),
    [
        ({}, None),
        (
            {(0, 0): ("RUNNING", ""), (1, 1): ("WAITING", "")},
            "No answer yet: no point has all of its 2 replicates COMPLETE (trials: 2 COMPLETE, 1 RUNNING, 1 WAITING).",
        ),
        (
            {(p, s): ("INFEASIBLE", "diverged at step 2") for p in (0, 1) for s in (0, 1)},
            "No answer: every trial is INFEASIBLE (4 trials: diverged at step 2); 2 of 2 seeds fail at 0.01.",
        ),
        (
            {(p, s): ("INFEASIBLE", f"loss inf at step {max(p, 0) + 1}") for p in (0, 1) for s in (0, 1)}
            | {(0, 0): ("INFEASIBLE", "not compared: latency is inf")}
            | {(0, 1): ("INFEASIBLE", "not compared: latency is inf")},
            "No answer: every trial is INFEASIBLE (4 trials, 2 of them: not compared: latency is inf); "
            "2 of 2 seeds fail at 0.02.",
        ),
    ],
)
def test_without_a_complete_point_it_says_so(states, sentence):
    summary = summarize(with_states(scored([[0.5, 0.6], [0.7, 0.8]]), states))
    assert answer(summary) == sentence if sentence else "has the highest" in answer(summary)


def test_an_empty_study():
    assert answer(summarize(synthetic.empty())) == "No answer yet: no trial has started."


def lines(table):
    return "\n".join(caveats(summarize(table), fixed_settings(table)))


def test_caveats_name_what_was_fixed_and_not_what_was_searched():
    text = lines(synthetic.sweep())
    assert "Fixed, not searched: data Digits, model Mlp, optimizer SGD, optimizer.momentum 0.9" in text
    assert "optimizer.lr" not in text
    assert "trainer.epochs 30" in text


def test_caveats_name_selection_seeds_and_rivals():
    text = lines(synthetic.sweep())
    assert "The best of 13 points, 11 trained to the end, was picked by the same valid/acc" in text
    assert re.search(r"looks better than it is, by about 0\.00\d+ on average, which its interval allows for\.", text)
    assert "over 3 seeds" in text
    named = "learning rate 0.1; learning rate 0.215; learning rate 0.464; learning rate 0.0215"
    assert "May be as good as the best (Tukey's comparison of all 11 points over the seeds they share" in text
    assert set(named.split("; ")) == set(re.search(r"family error 5 %\): (.*)\.\n", text)[1].split("; "))


def test_caveats_of_one_seed_edges_and_lost_trials():
    assert "repeat with study.seeds=3" in lines(synthetic.sweep(seeds=1))
    assert "learning rate lies at the high edge" in lines(scored([[0.1], [0.2], [0.9]]))
    text = lines(synthetic.troubled())
    assert "1 trial FAILED" in text
    assert "1 trial stopped early" in text
    assert "1 trial still to finish" in lines(with_states(scored([[0.5], [0.6]]), {(0, 0): ("RUNNING", "")}))


def test_it_is_told_which_weights_the_scores_are_of():
    table = synthetic.sweep()
    assert "averaged" not in lines(table)
    trials = table.trials.copy()
    trials["weights"] = "averaged (EMA of 1 epoch)"
    said = "Scores and validation losses are of averaged weights (EMA of 1 epoch); training losses are of those"
    assert said in lines(replace(table, trials=trials))
    trials.loc[trials.index[:2], "weights"] = "averaged (SWA)"
    trials.loc[trials.index[2], "weights"] = None
    said = f"In {len(trials) - 1} of {len(trials)} trials scores and validation losses are of averaged weights, each as"
    assert said in lines(replace(table, trials=trials))


def test_points_of_which_some_seeds_train_are_named():
    table = scored([[0.5, 0.6, 0.5], [0.7, 0.8, 0.7], [0.1, 0.1, 0.1]])
    states = {(1, 2): ("INFEASIBLE", "diverged at step 3"), **{(2, s): ("INFEASIBLE", "diverged") for s in range(3)}}
    share = "the share that trains is 9 to 99 % (95 % Clopper-Pearson interval)."
    named = f"learning rate 0.02: 2 of 3 seeds train (0.750 ± 0.071), 1 diverges; {share}"
    said = f"Some seeds train and others do not, so that no mean is ranked: {named}"
    assert said in lines(with_states(table, states))
    assert "Some seeds" not in lines(table)


def test_versions_of_the_code_are_told_and_other_functions_are_none():
    table = scored([[0.5], [0.6], [0.7]])
    assert "versions" not in lines(table)
    codes = {name: {"targets": [name[0]], "modules": {}} for name in ("a1", "a2", "b1")}
    for digests, count in ((["a1", "a1", "a1"], 1), (["a1", "b1", "b1"], 1), (["a1", "a2", "b1"], 2)):
        known = replace(table, trials=table.trials.assign(code=digests), study={**table.study, "codes": codes})
        assert ("by 2 versions of the code" in lines(known)) == (count == 2)
    lost = with_states(scored([[0.5], [0.6], [0.7]]), {(1, 0): ("FAILED", "x")})
    known = replace(lost, trials=lost.trials.assign(code=["a1", "a2", "a1"]), study={**lost.study, "codes": codes})
    assert "versions" not in lines(known)


def test_a_searched_group_hides_its_own_settings():
    fixed = fixed_settings(synthetic.mixed())
    assert "model" not in fixed
    assert "model.hidden" not in fixed
    assert fixed["optimizer"] == "SGD"


def test_a_list_of_which_an_element_is_searched_is_not_fixed():
    table = scored([[0.1], [0.2]])
    study = {
        **table.study,
        "config": {"model": {"hidden": [8, 8], "act": "relu"}},
        "space": {"model.hidden[0]": "choice(8, 16)"},
    }
    assert fixed_settings(replace(table, study=study)) == {"model.act": "relu"}


def test_settings_name_targets():
    nested = {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1, "inner": {"a": 1}}
    assert settings_of("optimizer", nested) == {"optimizer": "SGD", "optimizer.lr": 0.1, "optimizer.inner.a": 1}


def found(first, pair):
    """Importances with the learning rate first and the pair beside it."""
    lr = Share("learning rate", ("optimizer.lr",), first, first - 0.1, first + 0.1)
    both = Share("learning rate with model", ("optimizer.lr", "model"), pair, 0.0, pair)
    return Importance(Ranking("fANOVA", (lr,), 40, 40), Ranking("PED-ANOVA", (lr,), 40, 40), both)


def test_a_search_says_front_pruning_where_it_fails_and_what_matters():
    text = answer(summarize(synthetic.searched(90)), found(0.57, 0.1))
    assert re.search(
        r"; training fails above a learning rate of [\d.]+, roughly \(permutation p = 0\.001\)\. "
        r"The Pareto front of valid/acc and ",
        text,
    )
    assert re.search(
        r"parameters holds \d of \d+ points\. Pruning stopped \d+ of \d+ trials early and saved \d+ % of", text
    )
    assert text.endswith(
        "What matters most is the learning rate: 57 % (95 % interval 47–67 %) of the variance over the ranges tried."
    )


def test_two_keys_that_matter_only_together_are_named_together():
    text = answer(summarize(synthetic.mixed()), found(0.1, 0.8))
    assert "What matters most is learning rate with model together: 80 % (95 % interval 0–80 %)" in text


def test_the_terminals_answer_begins_the_reports():
    summary = summarize(synthetic.searched())
    assert answer(summary, found(0.5, 0.1)).startswith(answer(summary))


def test_refused_importances_say_why():
    refused = Ranking("fANOVA", refused="12 COMPLETE points: with fewer than 20 the shares would be chance")
    lines = caveats(summarize(synthetic.mixed(15)), {}, Importance(refused, replace(refused, method="PED-ANOVA")))
    assert "Nothing is said of which hyperparameter matters: 12 COMPLETE points" in " ".join(lines)


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (
            Association("learning rate", -0.81, True, 12, 0.004),
            "How much each hyperparameter matters is not said (12 COMPLETE points: with fewer than 20 the shares would "
            "be chance), but the score goes with learning rate: rank correlation -0.81 over 12 points, Holm-adjusted "
            "permutation p = 0.004.",
        ),
        (
            Association("model", 0.4, False, 12, 0.3),
            "Nothing is said of which hyperparameter matters: 12 COMPLETE points: with fewer than 20 the shares would "
            "be chance, and none goes with the score more than chance would have it (the most model: correlation ratio "
            "of the ranks 0.40 over 12 points, Holm-adjusted permutation p = 0.3).",
        ),
    ],
)
def test_of_few_points_it_says_what_goes_with_the_score_where_something_does(told, sentence):
    refused = Ranking("fANOVA", refused="12 COMPLETE points: with fewer than 20 the shares would be chance")
    found = Importance(refused, replace(refused, method="PED-ANOVA"), association=told)
    assert sentence in caveats(summarize(synthetic.mixed(15)), {}, found)


def test_extensions_and_an_edge_that_was_reached_again():
    table = scored([[0.1], [0.2], [0.9]])
    extension = {
        "name": "optimizer.lr",
        "key": "optimizer.lr",
        "side": "high",
        "old": [0.01, 0.02],
        "new": [0.01, 0.2],
        "best": 0.02,
        "failed": 0,
    }
    text = lines(replace(table, study={**table.study, "extensions": [extension]}))
    assert "lies at the high edge of the values tried, which was extended once already: extend" in text
    assert "extended from 0.01–0.02 to 0.01–0.2, because the best value by then, 0.02, lay at its high edge" in text
    back = extension | {"old": extension["new"], "new": extension["old"], "failed": 3}
    text = lines(replace(table, study={**table.study, "extensions": [extension, back]}))
    assert "which was extended once already" in text
    assert "The range of learning rate ends at 0.02 again: all 3 points beyond failed." in text


def test_few_points_near_the_best_are_a_finding():
    table = synthetic.mixed(60)
    trials = table.trials.copy()
    trials.loc[trials["state"] == "COMPLETE", "score"] = [
        0.5 + 0.001 * i for i in range((trials["state"] == "COMPLETE").sum())
    ]
    trials.loc[trials["state"].eq("COMPLETE").idxmax(), "score"] = 0.99
    assert "lie near the best" not in lines(replace(table, trials=trials))  # one seed may be lucky
    twice = pd.concat([trials, trials.assign(seed=1, score=trials["score"] + 0.002)])
    text = lines(replace(table, trials=twice))
    assert re.search(r"Only 1 of 38 points lie near the best \(within 0\.0014: the typical sd between replicates", text)


def test_what_it_took_adds_up_trials_and_spans_them_all():
    table = synthetic.sweep()
    rows = table.trials.head(3).assign(started=[0.0, 10.0, 20.0], ended=[10.0, 70.0, 50.0])
    rows = rows.assign(duration_sec=rows["ended"] - rows["started"], device="a chip")
    later = rows.assign(started=rows["started"] + 100, ended=[*(rows["ended"] + 100)[:2], float("nan")])
    one, two = (replace(table, trials=trials) for trials in (rows, later))
    assert took({"": one}) == (
        "3 trials, 1 min 40 s added up; 1 min 10 s from the first one's start to the last one's end, on a chip."
    )
    assert took({"the search": one, "the arms": two}) == (
        "3 trials of the search, 1 min 40 s added up; 2 trials of the arms, 1 min 10 s added up; 2 min 50 s from the "
        "first one's start to the last one's end, on a chip."
    )
    assert took({"": synthetic.empty()}) == "Nothing has been trained yet."


def test_a_factor_of_an_ablation_has_no_edge_to_extend_but_what_is_retuned_has():
    table = scored([[0.1], [0.2], [0.9]])
    compared = {**table.study, "config": {"ablation": {"factors": ["optimizer.lr"]}}}
    assert "edge" in lines(table) and "edge" not in lines(replace(table, study=compared))
    retuned = {**table.study, "config": {"ablation": {"factors": ["optimizer.momentum"]}}, "sampler": "Grid"}
    assert "edge" in lines(replace(table, study=retuned))
    assert "edge" not in lines(replace(table, study={**retuned, "sampler": "Manual"}))  # the arms at what was found


def test_of_many_arms_none_is_asked_to_be_searched_more_closely():
    table = synthetic.mixed()
    factors = ["optimizer.lr", "optimizer.weight_decay", "data.batch_size", "model", "optimizer.nesterov"]
    factors = [*factors, "model.kernel_size"]
    summary = summarize(replace(table, study={**table.study, "config": {"ablation": {"factors": factors}}}))
    assert summarize(table).near is not None and summary.near is None and not summary.at_edge


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({}, "The study has not ended: 1 trial still to finish."),
        ({"state": "PAUSED", "why": ""}, "The study has not ended: 1 trial still to finish."),
        (
            {"state": "COMPLETE", "why": "budget.epochs = 9 is used up: 9 epochs, 2 points"},
            "1 trial did not come to an end; with more budget the same command goes on with them.",
        ),
    ],
)
def test_what_waits_is_no_sign_that_a_study_has_not_ended(state, sentence):
    table = with_states(scored([[0.5], [0.6]]), {(1, 0): ("PAUSED", "paused after epoch 1")})
    assert caveats(summarize(replace(table, study={**table.study, "state": state})), {})[0] == sentence


@pytest.mark.parametrize(("steps", "said"), [(500, "trainer.steps 500"), (None, "trainer.epochs 30")])
def test_the_length_of_a_trial_is_said_in_what_it_is_given(steps, said):
    table = synthetic.sweep(seeds=1)
    trainer = {**table.study["config"]["trainer"], "steps": steps}
    table = replace(table, study={**table.study, "config": {**table.study["config"], "trainer": trainer}})
    held = headline(fixed_settings(table))
    assert held.endswith(f", {said}") and held.count("trainer.") == 1


def test_nothing_matters_where_a_forest_predicts_nothing():
    table = synthetic.mixed(60)
    trials = table.trials.copy()
    trials.loc[trials["state"] == "COMPLETE", "score"] = np.random.default_rng(3).normal(
        size=int((trials["state"] == "COMPLETE").sum())
    )
    found = find(replace(table, trials=trials), 5)
    assert "What matters most" not in answer(found.summary, found.importance)
    told = [line for line in caveats(found.summary, {}, found.importance) if "hyperparameter matters" in line]
    assert told and "no better than their mean does" in told[0] and "none goes with the score" in told[0]
