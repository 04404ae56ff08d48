"""Which metrics a trial owes its objective, and what is said of those that it lacks."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Objective, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.wanted import NOTHING, WantedMetrics
from hpsearch.tracking.record import Record

TRIAL = TrialId(0, 0)
COMPLETE = TrialResult(TrialState.COMPLETE)
TWO = Objective("acc", others=(Objective("cost", "minimize"),))


@pytest.fixture
def known(tmp_path):
    """Makes a trial of reports, with facts that it has from its start."""
    record = Record(tmp_path)

    def make(*metrics, **facts):
        record.spec(TrialSpec("s", TRIAL, {}, {}, (), "key", str(tmp_path)), 0.0)
        record.message(TRIAL, Started(None, facts, 0.0))
        for epoch, each in enumerate(metrics, 1):
            record.message(TRIAL, Report(epoch, epoch, each))
        return record.trial(TRIAL)

    return make


@pytest.mark.parametrize(
    ("epoch", "metrics", "said"),
    [
        (1, {"acc": 1.0, "cost": 2.0}, ""),
        (1, {"loss": 1.0, "cost": 2.0}, "objective.metric = 'acc' is not in the first report (it has cost, loss)"),
        (1, {"acc": 1.0, "costs": 2.0}, "objective.others[0].metric = 'cost' is not in the first report, did you mean"),
        (0, {"loss": 1.0}, ""),
        (1, {}, ""),
    ],
)
def test_what_the_first_report_lacks_is_said(known, epoch, metrics, said):
    text = WantedMetrics(TWO).lacking(Report(epoch, epoch, metrics), known(metrics))
    assert text.startswith(said) and bool(text) == bool(said)


def test_an_objective_beside_the_first_may_be_a_fact_but_the_first_may_not(known):
    trial = known({"acc": 1.0}, cost=3)
    assert WantedMetrics(TWO).whole(COMPLETE, trial) is COMPLETE
    with pytest.raises(ConfigError, match=r"objective.metric = 'cost': no report has it \(reported: acc\)"):
        WantedMetrics(Objective("cost")).whole(COMPLETE, trial)


def test_a_limit_is_said_with_its_value_and_its_name(known):
    wanted = WantedMetrics(Objective("acc", limits={"cost": 5}))
    trial = known({"acc": 1.0, "costs": 2.0})
    said = wanted.lacking(trial.reports[0], trial)
    assert said.startswith(
        "objective.limits.cost = 5: 'cost' is not in the first report, did you mean 'costs'? (it has"
    )
    with pytest.raises(ConfigError, match=r"^objective\.limits\.cost = 5: no report has 'cost', did you mean"):
        wanted.whole(COMPLETE, trial)


def test_what_others_have_had_is_this_trials_own_fault(known):
    wanted = WantedMetrics(TWO)
    wanted.seen.update(("acc", "cost"))
    result = wanted.whole(COMPLETE, known({"acc": 1.0}))
    assert (result.state, result.retry) == (TrialState.FAILED, False)
    assert result.reason == result.failed_at == "objective.others[0].metric = 'cost': no report has it (reported: acc)"


def test_nothing_is_asked_of_a_trial_that_did_not_come_to_its_end(known):
    for state in (TrialState.PRUNED, TrialState.PAUSED, TrialState.FAILED, TrialState.INFEASIBLE):
        result = TrialResult(state)
        assert WantedMetrics(TWO).whole(result, known()) is result
    assert WantedMetrics(TWO).whole(COMPLETE, known()).reason == NOTHING
