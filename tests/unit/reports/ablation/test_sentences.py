"""What is said of an ablation."""

from dataclasses import replace

from hpsearch.reports.ablation.numbers import ablation_of
from hpsearch.reports.ablation.sentences import answer, caveats
from hpsearch.reports.ablation.tables import arm_rows
from hpsearch.reports.kit.cells import texts
from tests.support.ablations import grid, study


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
    assert "a true difference in valid/acc of 0.02 to 0.05 would have been found with 80 % power, at Holm" in said
    assert "at Holm's first step, p below 5 % / 2 (an" in said
