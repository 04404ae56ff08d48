"""The paragraph that answers the questions of an assignment, on tables made by hand."""

from dataclasses import replace

import pytest

from hpsearch.reports.ablation.answers import answers_of
from hpsearch.reports.ablation.answers.accuracy import _than
from hpsearch.reports.ablation.answers.speed import _ratio
from hpsearch.reports.ablation.answers.texts import Item, joined, signed, valued
from hpsearch.reports.ablation.contrasts import Contrast
from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.write import readme
from hpsearch.statistics.intervals import estimate
from tests.support.ablations import grid, searched, study
from tests.unit.reports.ablation.test_finals import LARGE, SMALL, table


def told(made):
    return {each.topic: each.text for each in answers_of(ablation_of(made))}


def test_a_value_stands_with_its_interval_or_says_why_there_is_none():
    assert valued(estimate([0.95, 0.96, 0.94])) == "0.950 (0.925 to 0.975)"
    assert signed(estimate([0.03, 0.03, 0.04]), "higher") == "+0.033 (+0.019 to +0.048, higher)"
    assert valued(estimate([0.9])) == "0.900 (n = 1)" and valued(estimate([0.9] * 3)) == "0.900 (the same over 3 seeds)"


def test_of_many_arms_no_picked_one_is_given_an_interval():
    items = [Item(i, f"arm {i}", f"{i} (with interval)", str(i), "may be equal" if i else "") for i in range(6)]
    assert joined(items) == "from 0 at arm 0 to 5 at arm 5 (6 arms in the tables, 5 may be equal)"
    assert joined(items[:2]) == "0 (with interval) at arm 0; 1 (with interval) at arm 1"


def test_every_question_is_answered_with_its_numbers():
    found = told(table(ablation={"target": 0.75}))
    small, large = "batch size 32, momentum 0", "batch size 128, momentum 0"
    assert found["Final weights"].startswith("Of the final weights, in evaluation mode (no dropout, no augmentation)")
    assert "training 0.950 (0.925 to 0.975), validation 0.911 (" in found["Final weights"]
    assert f"+0.033 (+0.019 to +0.048, higher) at {large}" in found["Test"]
    assert found["Generalization"].startswith("Training minus test acc is +0.059 (")
    assert "At equal training accuracy (0.94 in evaluation mode" in found["Equal training"]
    assert (
        f"Epochs to valid/acc 0.75, median over the seeds: 2 at {small}; 1 (0.63 times, 0.23 to 1.7, may be"
        in found["Speed"]
    )
    assert (
        found["Fastest"].count(";") == 3 and f"Least seconds of training to valid/acc 0.75: {large}" in found["Fastest"]
    )
    assert f"1 s an epoch and 3 s in all at {small}" in found["Time"]
    assert "Parameters" not in found  # all have as many


def test_of_two_factors_the_analysis_of_variance_says_which_matter():
    made = study(grid(seeds=6, rng=1))
    found = {each.name: each for each in ablation_of(made).effects.each}
    text = told(made)["Effects"]
    for name, kind in (("batch size", "effect"), ("momentum", "effect"), ("batch size × momentum", "interaction")):
        own = found[name]
        shown = "is shown" if own.p_holm <= 0.05 else "is not shown"
        assert f"an {kind} of {name} {shown} (F(1, 5) = {own.f:.3g}, p = {own.p_holm:.2g}, " in text
    assert "momentum is shown" in text and "× momentum is not shown" in text
    assert "Effects" not in told(table())  # of one


def test_of_many_arms_those_that_miss_the_target_are_counted_once():
    scores = {(b, m): [0.9, 0.91, 0.92] for b in (16, 32, 64) for m in (0.0, 0.9)}
    low = [(16, 0.0), (64, 0.9)]
    found = told(study(scores | {key: [0.5, 0.5, 0.6] for key in low}, ablation={"target": 0.85}))
    assert "; not reached by half of the seeds at 2 of 6 arms. " in found["Speed"]
    assert found["Fastest"].count("Not every seed gets there in batch size 16, momentum 0; batch size 64, m") == 1


def test_the_seconds_of_arms_that_were_not_made_in_rounds_are_not_compared():
    made = table(ablation={"target": 0.75})
    trials = made.trials.assign(started=made.trials["point"] * 10.0 + made.trials["seed"])
    assert "whether others are as fast is not said" in told(replace(made, trials=trials))["Fastest"]


@pytest.mark.parametrize(
    ("large", "said"),
    [(4906, "equal within 2 %"), (4907, "1.02 times apart"), (9620, "2 times apart, so that arms may differ")],
)
def test_numbers_of_parameters_are_compared_where_they_differ(large, said):
    made = table()
    sizes = {0: 4810, 1: large}
    text = told(replace(made, trials=made.trials.assign(parameters=made.trials["point"].map(sizes))))["Parameters"]
    assert f"4,810 at batch size 32, momentum 0; {large:,} at batch size 128, momentum 0" in text and said in text


def test_a_momentum_whose_rate_was_held_is_not_told_from_its_effective_rate():
    config = {"ablation": {"nuisance": "held"}}
    made = study(grid(seeds=3))
    made = replace(
        made, study={**made.study, "config": {**made.study["config"], "nuisance": {"optimizer.lr": "choice(0.1)"}}}
    )
    text = told(made)["Momentum and rate"]
    assert (
        "an effective rate lr / (1 − m) of 0.1 at batch size 32, momentum 0; 1 at batch size 32, momentum 0.9" in text
    )
    assert config


def test_the_effective_rate_is_that_of_the_rate_that_was_tuned():
    cells = [(32, 0.0), (32, 0.9)]
    tuning = searched(cells, cells)
    tuning = replace(tuning, trials=tuning.trials.assign(score=0.75 + tuning.trials["optimizer.lr"]))  # .2 is the best
    made = study({cell: [0.9, 0.91, 0.92] for cell in cells}, ablation={"nuisance": "retuned"})
    text = {each.topic: each.text for each in answers_of(ablation_of(made, tuning))}["Momentum and rate"]
    zero, most = "batch size 32, momentum 0", "batch size 32, momentum 0.9"
    assert f"The learning rate that was tuned is 0.2 at {zero}; 0.2 at {most}." in text
    assert f"As effective rate lr / (1 − m), m the momentum, that is 0.2 at {zero}; 2 at {most}." in text
    assert f"At one learning rate, 0.2, over 1 seed of the search, valid/acc is 0.950 (n = 1) at {zero}; " in text
    assert "has a top with an interval, at any arm" in text


def test_the_paragraph_is_one_and_stands_in_the_readme():
    found = ablation_of(table())
    text = readme(found, [], [])
    paragraph = text.split("## Answers")[1].split("\n\n")[2]
    assert paragraph.startswith("**Validation.** Batch size 128, momentum 0 has the highest mean valid/acc")
    assert all(f"**{each.topic}.**" in paragraph for each in answers_of(found))


def test_an_ablation_of_which_nothing_is_finished_answers_nothing():
    nothing = {cell: [None, None] for cell in (SMALL, LARGE)}
    assert "Validation" not in told(study(nothing))


@pytest.mark.parametrize(("sign", "ratio", "gap"), [(1, "more", "larger"), (-1, "less", "smaller")])
def test_what_is_above_the_reference_is_more_and_larger(sign, ratio, gap):
    shown = Contrast("b", estimate([0.70 * sign, 0.69 * sign, 0.71 * sign]), 0.01)
    assert _ratio(shown)[1] == ratio and _than(ablation_of(table()), [shown], "b") == gap


def test_a_seed_that_misses_is_counted_where_the_others_get_there():
    scores = {SMALL: [0.9, 0.92, 0.5], LARGE: [0.93, 0.95, 0.95]}
    assert "(not reached in 1 of 3)" in told(table(scores, ablation={"target": 0.75}))["Speed"]
    made = table({SMALL: [0.9, 0.92, 0.91], LARGE: [0.93, None, 0.95]})
    assert "reached by 2 of 3 seeds" in told(made)["Equal training"]
