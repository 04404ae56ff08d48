"""Every rule that decides in which state something ends, as a table."""

import itertools
import math

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.outcome import (
    Failures,
    beyond_limits,
    diverged,
    failure,
    is_cut_short,
    mean_of,
    point_outcome,
    rank_key,
    state_after,
    trial_outcome,
    violation,
)
from hpsearch.base.types import Decision, Objective, TrialResult, TrialState

COMPLETE, PRUNED, INFEASIBLE, FAILED = (
    TrialState.COMPLETE,
    TrialState.PRUNED,
    TrialState.INFEASIBLE,
    TrialState.FAILED,
)
NAN = math.nan
ACC = Objective("valid/acc")
TWO = Objective("valid/acc", others=(Objective("latency", "minimize"),))


RETURN = "return from the function of a trial instead"


class Unsaid(Exception):
    """An error whose message cannot be made."""

    def __init__(self, raised):
        super().__init__()
        self.raised = raised

    def __str__(self):
        raise self.raised

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "state", "reason", "retry"),
    [
        (ValueError("no\nmore"), FAILED, "ValueError: no", True),
        (ValueError(), FAILED, "ValueError", True),
        (ConfigError("optimizer.lr = -1"), FAILED, "optimizer.lr = -1", False),
        (ConfigError(""), FAILED, "ConfigError", False),
        (RuntimeError(b"\xff\x1b"), FAILED, r"RuntimeError: b'\xff\x1b'", True),
        (RuntimeError("\ud800 alone"), FAILED, r"RuntimeError: \ud800 alone", True),
        (ExceptionGroup("two", [ValueError(), KeyError()]), FAILED, "ExceptionGroup: two (2 sub-exceptions)", True),
        (Unsaid(ValueError), FAILED, "Unsaid", True),
        (Unsaid(SystemExit), FAILED, "Unsaid", True),
        (SystemExit(Unsaid(ValueError)), FAILED, f"SystemExit: sys.exit(<Unsaid>): {RETURN}", True),
        (MemoryError(), INFEASIBLE, "out of memory: MemoryError", True),
        (MemoryError("of 3 GiB"), INFEASIBLE, "out of memory: of 3 GiB", True),
    ],
)
def test_an_attempt_that_an_error_ended(error, state, reason, retry):
    result = failure(error, 7.0)
    assert (result.state, result.reason, result.retry, result.time) == (state, reason, retry, 7.0)
    assert bool(result.traceback) == (state is FAILED)


def test_an_endless_message_is_cut():
    result = failure(RuntimeError("x" * 10**6), 0.0)
    assert len(result.reason) < 1_100 and len(result.traceback) < 100_100
    assert "characters are left out here" in result.reason and "characters are left out here" in result.traceback


def raised(kind):
    try:
        raise kind("no")
    except kind as error:
        return failure(error, 0.0)


def test_an_error_is_known_by_its_type_and_the_line_that_raised_it():
    try:
        [][0]
    except IndexError as error:
        here = failure(error, 0.0).failed_at
    assert here.startswith(f"IndexError at {__file__}:")
    assert raised(ValueError).failed_at == raised(ValueError).failed_at != here
    assert len({raised(ValueError).failed_at, raised(KeyError).failed_at}) == 2


def failed(at="", retry=True):
    return TrialResult(FAILED, "why", retry=retry, failed_at=at)


@pytest.mark.parametrize(
    ("attempts", "retries", "started"),
    [
        ([failed("A at 1")] * 9, 2, 2),
        ([failed("A at 1")] * 9, 0, 1),
        ([failed()] * 9, 2, 3),  # dead workers
        ([failed()] * 9, 5, 6),
        ([failed("A at 1"), failed("A at 2"), failed("B at 2"), failed("B at 2")], 9, 4),
        ([failed("A at 1"), failed(), failed("A at 1"), failed("A at 1")], 9, 4),
        ([failed("A at 1", retry=False)] * 9, 2, 1),
    ],
)
def test_an_attempt_that_fails_as_the_one_before_is_the_last(attempts, retries, started):
    facts = {"parameters": 3}
    for result in attempts:
        known = Failures.of(facts)
        facts |= known.and_one(result).facts
        if not known.allow_retry(result, retries):
            break
    assert (facts["failures"], facts["failed_at"]) == (started, result.failed_at)


@pytest.mark.parametrize(
    ("decision", "ended"),
    [
        (Decision.CONTINUE, None),
        (Decision.STOP, (PRUNED, "stopped after epoch 3")),
        (Decision.PAUSE, (TrialState.PAUSED, "paused after epoch 3")),
        (Decision.LEAVE, (TrialState.PAUSED, "paused after epoch 3")),
    ],
)
def test_an_attempt_that_a_decision_ended(decision, ended):
    assert state_after(decision, 3) == ended


@pytest.mark.parametrize(
    ("state", "cut", "curve", "ended", "score", "reason"),
    [
        (COMPLETE, False, {1: 0.2, 2: 0.3}, COMPLETE, 0.3, ""),
        (COMPLETE, True, {1: 0.2}, PRUNED, NAN, ""),
        (COMPLETE, True, {1: NAN}, PRUNED, NAN, ""),
        (COMPLETE, False, {1: 0.2, 2: NAN}, INFEASIBLE, NAN, "valid/acc is nan"),
        (COMPLETE, False, {1: NAN, 2: 0.2}, COMPLETE, 0.2, ""),
        (COMPLETE, False, {1: math.inf}, INFEASIBLE, NAN, "valid/acc is inf"),
        (COMPLETE, False, {}, INFEASIBLE, NAN, "valid/acc is nan"),
        (PRUNED, False, {1: 0.2}, PRUNED, NAN, ""),
        (TrialState.PAUSED, False, {1: 0.2}, TrialState.PAUSED, NAN, ""),
        (INFEASIBLE, False, {1: 0.2}, INFEASIBLE, NAN, ""),
        (INFEASIBLE, True, {1: 0.2}, INFEASIBLE, NAN, ""),
        (FAILED, False, {1: 0.2}, FAILED, NAN, ""),
        (FAILED, True, {1: 0.2}, FAILED, NAN, ""),
    ],
)
def test_a_trial_by_its_last_attempt_and_its_curve(state, cut, curve, ended, score, reason):
    result, found = trial_outcome(TrialResult(state), cut, ACC, [ACC.score(curve)])
    assert (result.state, result.reason) == (ended, reason)
    assert found == pytest.approx((score,), nan_ok=True)


@pytest.mark.parametrize(
    ("scores", "ended", "reason"),
    [
        ([0.9, 12.0], COMPLETE, ""),
        ([0.9, math.inf], INFEASIBLE, "not compared: latency is inf"),
        ([0.9, NAN], INFEASIBLE, "not compared: latency is nan"),
        ([NAN, -math.inf], INFEASIBLE, "valid/acc is nan, latency is -inf"),
    ],
)
def test_a_trial_without_a_finite_score_of_every_objective_is_infeasible(scores, ended, reason):
    result, found = trial_outcome(TrialResult(COMPLETE), False, TWO, scores)
    assert (result.state, result.reason) == (ended, reason)
    assert found == pytest.approx(scores if ended is COMPLETE else [NAN, NAN], nan_ok=True)
    stopped, _ = trial_outcome(TrialResult(COMPLETE), True, TWO, scores)
    assert (stopped.state, stopped.reason) == (PRUNED, "")


LIMITED = Objective("valid/acc", limits={"parameters": 1e5, "latency": 10})


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"parameters": 1e5, "latency": 10}, ""),
        ({"parameters": 100001, "latency": 9.0}, "not compared: parameters = 100001 is not at most 100000"),
        ({"latency": 11.5}, "not compared: latency = 11.5 is not at most 10"),
        (
            {"parameters": 2e5, "latency": NAN},
            "not compared: parameters = 200000 is not at most 100000, latency = nan is",
        ),
        ({"parameters": "many"}, ""),
        ({}, ""),
    ],
)
def test_a_trial_beyond_a_limit_is_infeasible_and_did_not_diverge(values, reason):
    result, scores = trial_outcome(TrialResult(COMPLETE), False, LIMITED, [0.9], values)
    assert result.state is (INFEASIBLE if reason else COMPLETE) and result.reason.startswith(reason)
    assert beyond_limits(LIMITED.limits, values) == result.reason
    assert scores == (0.9,) and not diverged(result.state, result.reason)
    stopped, _ = trial_outcome(TrialResult(PRUNED), False, LIMITED, [0.9], values)
    assert stopped.state is PRUNED


@pytest.mark.parametrize(
    ("limit", "value", "share"),
    [(10, 15, 0.5), (10, 5, -0.5), (10, 10, 0), (-2, -1, 0.5), (-2, -3, -0.5), (0, 3, 3), (10, NAN, 0)],
)
def test_a_violation_is_a_share_of_the_limit(limit, value, share):
    assert violation(limit, value) == pytest.approx(share)


def test_samplers_are_told_the_scores_of_a_point_that_is_only_beyond_a_limit():
    beyond = point_outcome([INFEASIBLE, COMPLETE], [[0.9], [0.7]], [0.1], violations={"latency": 0.5})
    assert (beyond.state, beyond.values, beyond.n) == (INFEASIBLE, (pytest.approx(0.8),), 0)
    assert math.isnan(beyond.mean)
    diverged = point_outcome([INFEASIBLE, INFEASIBLE], [[0.9], [NAN]], [0.1], violations={"latency": 0.5})
    assert diverged.values == (0.1,)


def test_samplers_are_told_which_constraint_a_point_breaks():
    def told(state, **violations):
        return point_outcome([state], [[0.9]], [0.1], violations=violations).constraints

    assert told(COMPLETE, a=-0.5, b=0.0) == {"infeasible": -1.0, "limits.a": -0.5, "limits.b": 0.0}
    assert told(INFEASIBLE, a=0.5, b=-1.0) == {"infeasible": -1.0, "limits.a": 0.5, "limits.b": -1.0}
    assert told(INFEASIBLE, a=0.0, b=-1.0) == {"infeasible": 1.0, "limits.a": 0.0, "limits.b": -1.0}


STATES = (COMPLETE, PRUNED, INFEASIBLE, FAILED)
REPLICATES = [states for n in (1, 2, 3) for states in itertools.product(STATES, repeat=n)]


@pytest.mark.parametrize("states", REPLICATES, ids=lambda states: "+".join(map(str, states)))
def test_a_point_is_what_the_worst_of_its_trials_is(states):
    if FAILED in states:
        wanted = FAILED
    elif INFEASIBLE in states:
        wanted = INFEASIBLE
    elif PRUNED in states:
        wanted = PRUNED
    else:
        wanted = COMPLETE
    scores = [[0.5 + i / 10] if state is COMPLETE else [NAN] for i, state in enumerate(states)]
    outcome = point_outcome(states, scores, [0.1])
    assert outcome.state is wanted
    assert outcome.constraints == {"infeasible": 1.0 if wanted is INFEASIBLE else -1.0}
    assert outcome.values == {
        COMPLETE: (pytest.approx(0.5 + (len(states) - 1) / 20),),
        INFEASIBLE: (0.1,),
    }.get(wanted)
    assert outcome.n == (len(states) if wanted is COMPLETE else 0)
    assert point_outcome(states, scores, [0.1], stopped=True) == point_outcome([PRUNED], [[NAN]], [0.1])
    assert is_cut_short(states, stopped=False) == (PRUNED in states)
    assert is_cut_short(states, stopped=True)


def test_mean_and_spread_of_a_complete_point():
    outcome = point_outcome([COMPLETE] * 3, [[0.2], [0.4], [0.9]], [0.0])
    assert (outcome.mean, outcome.sd, outcome.n) == (pytest.approx(0.5), pytest.approx(0.36056, abs=1e-5), 3)
    assert outcome.values == (outcome.mean,)
    alone = point_outcome([COMPLETE], [[0.2]], [0.0])
    assert (alone.mean, alone.n) == (0.2, 1) and math.isnan(alone.sd)
    assert math.isnan(point_outcome([INFEASIBLE], [[NAN]], [0.1]).mean)


@pytest.mark.parametrize(
    ("states", "scores", "wanted", "values"),
    [
        ([COMPLETE, COMPLETE], [[0.2, 10.0], [0.4, 30.0]], COMPLETE, (0.3, 20.0)),
        ([COMPLETE, COMPLETE], [[0.2, 10.0], [0.4, NAN]], INFEASIBLE, (0.1, 99.0)),
        ([COMPLETE, COMPLETE], [[0.2, math.inf], [0.4, -math.inf]], INFEASIBLE, (0.1, 99.0)),
        ([COMPLETE, INFEASIBLE], [[0.2, NAN], [NAN, NAN]], INFEASIBLE, (0.1, 99.0)),
        ([COMPLETE, PRUNED], [[0.2, NAN], [NAN, NAN]], PRUNED, None),
        ([COMPLETE, FAILED], [[0.2, NAN], [NAN, NAN]], FAILED, None),
    ],
)
def test_several_objectives(states, scores, wanted, values):
    outcome = point_outcome(states, scores, [0.1, 99.0])
    assert outcome.state is wanted
    assert outcome.values == (None if values is None else pytest.approx(values))
    assert outcome.constraints == {"infeasible": 1.0 if wanted is INFEASIBLE else -1.0}


def test_scores_too_large_to_add_have_a_mean_and_an_infinite_spread():
    outcome = point_outcome([COMPLETE] * 2, [[1.7e308], [1.5e308]], [0.0])
    assert outcome.mean == pytest.approx(1.6e308) and math.isfinite(outcome.sd)
    assert point_outcome([COMPLETE] * 2, [[1.7e308], [-1.7e308]], [0.0]).sd == math.inf


@pytest.mark.parametrize("values", list(itertools.permutations([0.1, 0.2, 0.7])))
def test_a_mean_does_not_depend_on_the_order_of_its_values(values):
    assert mean_of(values) == mean_of((0.1, 0.2, 0.7))


LOSS = Objective("valid/loss", "minimize", others=(Objective("speed"),))


@pytest.mark.parametrize(
    ("objective", "better", "worse"),
    [
        (ACC, ((0.9,), 0.1, 5), ((0.8,), 0.0, 0)),
        (ACC, ((0.9,), 0.1, 5), ((0.9,), 0.2, 0)),
        (ACC, ((0.9,), None, 0), ((0.9,), NAN, 5)),
        (ACC, ((0.9,), 0.1, 0), ((0.9,), 0.1, 5)),
        (TWO, ((0.9, 7.0), 0.1, 5), ((0.8, 1.0), 0.0, 0)),
        (TWO, ((0.9, 7.0), 0.1, 5), ((0.9, 8.0), 0.0, 0)),  # a point that another beats is never the best
        (LOSS, ((0.1, 7.0), 0.1, 5), ((0.2, 9.0), 0.0, 0)),
        (LOSS, ((0.1, 9.0), 0.1, 5), ((0.1, 7.0), 0.0, 0)),
    ],
)
def test_the_order_of_complete_points(objective, better, worse):
    assert rank_key(objective, *better) < rank_key(objective, *worse)


@pytest.mark.parametrize(
    ("states", "raised", "values", "constraint"),
    [
        ([COMPLETE, FAILED], True, (0.1,), 1.0),
        ([COMPLETE, FAILED], False, None, -1.0),
        ([FAILED], True, (0.1,), 1.0),
        ([INFEASIBLE, FAILED], True, (0.1,), 1.0),
    ],
)
def test_a_failed_point_is_told_as_infeasible_where_its_own_code_raised(states, raised, values, constraint):
    outcome = point_outcome(states, [[0.5]] * len(states), [0.1], raised=raised)
    assert (outcome.state, outcome.values, outcome.constraints) == (FAILED, values, {"infeasible": constraint})
    assert (outcome.n, math.isnan(outcome.mean)) == (0, True)
