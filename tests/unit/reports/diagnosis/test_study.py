from dataclasses import replace

import pytest

from hpsearch.reports.diagnosis.study import StudyLabel, overused, study_diagnoses
from hpsearch.reports.summary.numbers import summarize
from hpsearch.reports.summary.ranges import Near
from hpsearch.statistics.optimism import Optimism
from tests.support import synthetic


@pytest.fixture(scope="module")
def summary():
    return replace(summarize(synthetic.sweep()), at_edge={}, near=None, optimism=None)


def test_a_sound_search_shows_nothing(summary):
    assert study_diagnoses(summary) == {}
    assert study_diagnoses(replace(summary, best=None, at_edge={"optimizer.lr": "high"})) == {}


def test_a_best_value_on_the_edge(summary):
    found = study_diagnoses(replace(summary, at_edge={"optimizer.lr": "high"}))
    assert found[StudyLabel.EDGE][0] == "the best learning rate lies at the high edge"


@pytest.mark.parametrize(("near", "of", "few"), [(4, 20, True), (5, 20, False), (4, 19, False)])
def test_few_points_near_the_best(summary, near, of, few):
    found = study_diagnoses(replace(summary, near=Near(tuple(range(near)), of, 0.1, "a rule")))
    assert (StudyLabel.FEW_NEAR in found) is few


def test_a_validation_set_is_over_used_where_fresh_seeds_say_so(summary):
    assert overused(summary, Optimism(0.02, 0.01, 0.03))
    assert not overused(summary, Optimism(0.02, -0.01, 0.05))


def test_a_lead_that_equal_points_would_have_too(summary):
    assert overused(replace(summary, optimism=10.0), None)
    assert not overused(replace(summary, optimism=1e-6), None)
