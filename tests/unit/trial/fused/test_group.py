"""What becomes of a member does not depend on the others, nor on when they come and go, nor on which loop goes on."""

import math

import pytest

from hpsearch.base.types import Decision, Report, TrialState
from tests.support.fused import DIGITS, alone, assert_same, assert_same_reports, make, together

NET = (*DIGITS, "model=mlp", "optimizer=momentum", "regularizer=l2")
OPTIONS = ("model.hidden=[8]", "model.norm=batch", "model.dropout=0.2", "trainer.epochs=4", "trainer.checkpoint_sec=0")
RATES = {"a": 0.05, "b": 0.02, "c": 0.1, "d": 0.01}
SEEDS = {name: seed for seed, name in enumerate(RATES)}


def member(folder, name, *more):
    """Return one of four members, each of a rate and a seed of its own."""
    words = [*NET, *OPTIONS, f"optimizer.lr={RATES[name]}", *more]
    return make(words, folder / f"{name}{len(list(folder.iterdir()))}", SEEDS[name])


def members(folder, names):
    return [member(folder, name) for name in names]


@pytest.fixture(scope="module")
def twins(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    return {name: alone(member(folder, name)) for name in RATES}


@pytest.mark.parametrize("names", ["a", "abc", "cab", "dcba", "aa"])
def test_neither_slot_nor_number_matters(tmp_path, twins, names):
    for name, found in zip(names, together(members(tmp_path, names)), strict=True):
        assert_same(found, twins[name])


def test_a_member_that_turns_nan_is_infeasible_and_the_others_do_not_notice(tmp_path, twins):
    jobs = members(tmp_path, "abc")
    jobs[1].table.lr[8] = math.nan
    found = together(jobs)
    assert found[1].result.state is TrialState.INFEASIBLE
    assert found[1].result.reason == "diverged at step 10: loss nan"
    assert_same(found[0], twins["a"])
    assert_same(found[2], twins["c"])


def ending(names, epoch, decision):
    """Decide so on members (by their places) after an epoch."""
    return lambda k, message: (
        decision if k in names and isinstance(message, Report) and message.epoch == epoch else Decision.CONTINUE
    )


def test_members_leave_and_others_take_their_places(tmp_path, twins):
    """The second one is stopped after an epoch, and the slot is refilled; another joins while an epoch is trained."""
    found = together(members(tmp_path, "abcd"), ending([1], 1, Decision.STOP), after={2: (1, 1), 3: (0, 2)})
    assert found[1].result.state is TrialState.PRUNED
    assert found[0].result.facts["fused_widths"] == "2*2 2*3"
    for place, name in ((0, "a"), (2, "c"), (3, "d")):
        assert_same(found[place], twins[name])


def test_one_that_joins_within_an_epoch_enters_where_the_next_begins(tmp_path, twins):
    jobs = [member(tmp_path, "a", "trainer.eval_every=0.5"), member(tmp_path, "b")]
    found = together(jobs, after={1: (0, 0.5)})
    assert found[0].result.facts["fused_widths"] == "1*1 3*2"
    assert_same(found[1], twins["b"])


PLACES = {"fused, then plain": (True, False), "plain, then fused": (False, True), "fused twice": (True, True)}


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("how", [Decision.PAUSE, None])
def test_a_paused_or_killed_trial_goes_on(tmp_path, twins, places, how):
    """Beside other members before and after; who goes on plain does what the plain loop does."""
    before, after = PLACES[places]
    jobs = [member(tmp_path, name) for name in "abc"]
    at = 2 if how is Decision.PAUSE else 3  # a killed trial goes on from the state before its last report
    if before:
        first = together(jobs, ending([0], at, how))
        assert_same(first[1], twins["b"])
        assert_same(first[2], twins["c"])
        first = first[0]
    else:
        first = alone(jobs[0], lambda message: ending([0], at, how)(0, message))
    assert (first.result.state if how else first.result) is (TrialState.PAUSED if how else None)
    again = make([*NET, *OPTIONS, f"optimizer.lr={RATES['a']}"], first.folder, SEEDS["a"])
    late = [member(tmp_path, name) for name in "db"]
    second = together([late[0], again, late[1]])[1] if after else alone(again)
    assert second.messages[0].epoch == 2
    assert second.reports[:3] == first.reports[:3]
    assert_same_reports(second.reports, twins["a"].reports, 1e-9, 1e-6)
    assert_same(second, twins["a"])
