"""What is said of an ablation."""

from dataclasses import replace

import pytest

from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer, caveats, first_step, over_what
from hpsearch.reports.ablation.tables import arm_rows, difference_aid, ranking_aid, ranking_rows
from hpsearch.reports.kit.cells import texts
from tests.support.ablations import cost, grid, study


def test_the_answer_begins_with_a_capital_letter_and_a_key_is_left_as_it_is():
    table = study(grid())
    assert answer(ablation_of(table)).startswith("Batch size 32, momentum 0.9 has the highest mean valid/acc")
    keys = {"data.batch_size": "model.width", "optimizer.momentum": "model.depth"}
    record = {**table.study, "space": {keys[key]: value for key, value in table.study["space"].items()}}
    record["config"] = {**record["config"], "ablation": {"factors": list(keys.values())}}
    found = ablation_of(replace(table, study=record, trials=table.trials.rename(columns=keys)))
    assert answer(found).startswith("model.width = 32, model.depth = 0.9 has the highest mean valid/acc")


def test_a_reference_that_never_ran_is_no_lack_of_trials():
    found = ablation_of(study(grid(), ablation={"reference": {"data.batch_size": 64}}))
    assert found.reference is None and answer(found).endswith("Nothing is compared, for the reference has no trial.")
    assert not any("reference" in row for row in texts(arm_rows(found)[1]))


def test_one_seed_claims_no_interval_and_says_why():
    found = ablation_of(study(grid(seeds=1)))
    assert "no interval is claimed" in answer(found)
    assert all(each.p is None and each.difference.shown is None for each in found.differences)
    assert any("One seed per arm" in line for line in caveats(found))


def test_what_would_have_been_seen_is_told_from_the_least_to_the_most():
    found = ablation_of(study(grid()))
    first, second, *_ = found.differences
    unseen = [replace(each, detectable=size, verdict="may be equal") for each, size in ((first, 0.05), (second, 0.02))]
    (said,) = [line for line in caveats(replace(found, differences=unseen)) if line.startswith("What may be equal")]
    assert "a true difference in valid/acc of 0.02 to 0.05 would have been found with 80 % power at Holm" in said
    assert "at Holm's first step (p below 5 % / 2), as far" in said


RIVALS = {
    "one is far above": ({(32, 0.0): 0.0, (32, 0.9): 0.1, (128, 0.0): 0.0}, "; every other arm is worse. "),
    "two are alike": (
        {(32, 0.0): 0.0, (32, 0.9): 0.1, (128, 0.0): 0.1},
        ". May be as good: batch size 128, momentum 0. Against",
    ),
    "the reference is one of them": (
        {(32, 0.0): 0.1, (32, 0.9): 0.1, (128, 0.0): 0.0},
        ". May be as good: batch size 32, momentum 0. Against",
    ),
    "five are alike": (
        {(b, m): 0.1 for b in (32, 128, 512) for m in (0.0, 0.9)},
        ". May be as good: 5 of the 5 others (see the ranking). ",
    ),
}


@pytest.mark.parametrize("name", RIVALS)
def test_the_arms_that_may_be_as_good_are_named_with_the_best(name):
    levels, said = RIVALS[name]
    jitter = (-0.01, 0.004, 0.006, -0.002, 0.002)
    turned = {cell: [jitter[(seed + place) % 5] for seed in range(5)] for place, cell in enumerate(levels)}
    scores = {cell: [0.8 + level + each for each in turned[cell]] for cell, level in levels.items()}
    scores[32, 0.9] = [each + 0.001 for each in scores[32, 0.9]]  # so that it has the best mean
    for direction, which in (("maximize", "highest"), ("minimize", "lowest")):
        sign = 1 if direction == "maximize" else -1
        table = study({cell: [sign * each for each in values] for cell, values in scores.items()})
        table.study["objective"] = {"metric": "valid/other", "direction": direction}
        found = answer(ablation_of(table))
        assert found.startswith(f"Batch size 32, momentum 0.9 has the {which} mean valid/other, ") and said in found


def test_within_a_margin_arms_are_as_good():
    scores = {(32, 0.0): [0.800, 0.801, 0.802, 0.8], (32, 0.9): [0.802, 0.803, 0.803, 0.801]}
    table = study(scores)
    assert "; the other arm is worse. " in answer(ablation_of(table))
    table.study["objective"] = {**table.study["objective"], "margin": 0.02}
    found = ablation_of(table)
    assert ". As good within the margin: batch size 32, momentum 0. " in answer(found)
    assert "A difference below 0.02 counts as none" in ranking_aid(found)
    assert [row[2].text for row in ranking_rows(found)[1]] == ["the best mean", "as good within the margin"]


def test_an_arm_that_scatters_too_much_is_not_called_the_best_without_a_word():
    steady = {(b, m): [0.8, 0.801, 0.802, 0.8 + 0.001 * (m > 0)] for b in (32, 128, 512) for m in (0.0, 0.9)}
    found = ablation_of(study({**steady, (32, 0.9): [0.99, 0.4, 0.98, 0.97]}))
    assert "; it scatters too much over the seeds to be ranked. " in answer(found)


SAMPLES = {
    "known": ({"data.valid_size": 1200}, {}, "over seeds, on these 1200 validation samples"),
    "unknown": ({}, {}, "over seeds, on these validation samples"),
    "a split for each": (
        {"data.valid_size": 50},
        {"split_seed": "per_seed"},
        "each with validation samples of its own",
    ),
    "folds": ({"fold": [0, 1]}, {}, "over seeds and folds, on these samples"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_differences_are_over_seeds_on_these_samples(name):
    columns, data, said = SAMPLES[name]
    table = study({(32, 0.0): [0.8, 0.9], (32, 0.9): [0.7, 0.9]})
    columns = {key: value * 2 if isinstance(value, list) else value for key, value in columns.items()}
    table.study["config"]["data"] = data
    table = replace(table, trials=table.trials.assign(**columns))
    assert said in over_what(table)
    found = ablation_of(table)
    assert said in difference_aid(found) and any(said in line for line in caveats(found))


def test_the_level_at_which_a_difference_is_found_is_named():
    arms = {(32, m): [0.8, 0.9, 0.85 + m / 100] for m in (0.0, 0.5, 0.9)}
    assert first_step(ablation_of(study(arms)).differences) == "at Holm's first step (p below 5 % / 2)"
    del arms[32, 0.9]
    assert first_step(ablation_of(study(arms)).differences) == "at 5 %"


def test_an_ablation_tuned_for_updates_says_how_many_each_arm_needed():
    found = ablation_of(study(grid(), ablation={"target": 0.9}))
    nuisance = replace(found.nuisance, tuned_for="updates")
    needed = [cost(updates) for updates in ([100, 120, 110], [50, None, None], [80, 90, None], [70, 60, 65])]
    said = answer(replace(found, nuisance=nuisance, costs=tuple(needed)))
    assert said == (
        "Updates to valid/acc 0.9, median over the seeds: "
        f"{found.arms[0].name} 110; {found.arms[1].name} not reached by half of the seeds (1 of 3 seeds); "
        f"{found.arms[2].name} 90 (2 of 3 seeds); {found.arms[3].name} 65."
    )
    assert answer(replace(found, costs=tuple(needed))).startswith("Batch size 32")
