from dataclasses import replace

import pytest

from hpsearch.reports.diagnosis.study import SearchEvidence, StudyLabel, overused, study_diagnoses
from hpsearch.statistics.optimism import Optimism

SOUND = SearchEvidence(means=(0.95, 0.92, 0.90, 0.7), at_edge={}, few_near=None, optimism=None)


def test_a_sound_search_shows_nothing():
    assert study_diagnoses(SOUND) == {}
    assert study_diagnoses(replace(SOUND, means=(), at_edge={"optimizer.lr": "high"})) == {}


def test_a_best_value_on_the_edge():
    found = study_diagnoses(replace(SOUND, at_edge={"optimizer.lr": "high"}))
    assert found[StudyLabel.EDGE][0] == "the best learning rate lies at the high edge"


def test_few_points_near_the_best():
    found = study_diagnoses(replace(SOUND, few_near=(4, 20)))
    assert found[StudyLabel.FEW_NEAR][0] == "4 of 20 points lie near the best"


def test_a_validation_set_is_over_used_where_fresh_seeds_say_so():
    assert overused(replace(SOUND, measured=Optimism(0.02, 0.01, 0.03)))
    assert not overused(replace(SOUND, optimism=10.0, measured=Optimism(0.02, -0.01, 0.05)))


@pytest.mark.parametrize(("optimism", "said"), [(0.041, True), (0.039, False), (None, False)])
def test_a_lead_over_the_median_that_equal_points_would_have_too(optimism, said):
    text = overused(replace(SOUND, optimism=optimism))  # the lead is .95 - .91
    assert bool(text) is said and (not said or text.startswith("the best leads the median by 0.04; "))
