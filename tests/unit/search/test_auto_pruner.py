"""The pruner for who names none: who waits, who goes on, and to which end."""

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.base.types import Decision, TrialState
from hpsearch.search.auto_pruner import AutoPruner
from hpsearch.search.candidates import Candidate

PAUSED, RUNNING, COMPLETE = TrialState.PAUSED, TrialState.RUNNING, TrialState.COMPLETE


def waiting(scores, epoch=1):
    return {n: Candidate(n, dict.fromkeys(range(1, epoch + 1), score), PAUSED) for n, score in enumerate(scores)}


def trained_alone(epochs, trial):
    """Run a search of one slot on curves `trial(n)`; return candidates and the order of epochs trained."""
    pruner, candidates, order = AutoPruner(epochs), {}, []
    for _ in range(65):
        while True:
            number = pruner.promote(candidates, asking=True)
            number = len(candidates) if number is None else number
            new = number not in candidates
            candidate = candidates.setdefault(number, Candidate(number))
            candidate.state = RUNNING
            for epoch in range(candidate.epoch + 1, epochs + 1):
                candidate.note(epoch, trial(number))
                order.append((number, epoch))
                if pruner.decide(number, candidates) is Decision.PAUSE:
                    candidate.state = PAUSED
                    break
            else:
                candidate.state = COMPLETE
            if new:
                break
    return candidates, order


def test_fewer_pass_every_further_stage():
    candidates, order = trained_alone(50, lambda n: (n * 37) % 65)
    reached = [sum(each.epoch >= epoch for each in candidates.values()) for epoch in (1, 2, 7, 26, 50)]
    assert reached[0] == 65
    assert reached == sorted(reached, reverse=True)
    assert 3 <= reached[1] <= 8 and 1 <= reached[4] <= 3
    assert len(set(order)) == len(order)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_single_epoch_never_waits(epochs):
    candidate = Candidate(0, {1: 0.5})
    assert AutoPruner(epochs).decide(0, {0: candidate}) is Decision.CONTINUE


def test_nothing_goes_on_before_there_are_enough():
    pruner = AutoPruner(50)
    assert pruner.promote(waiting(range(63)), asking=True) is None
    assert pruner.promote(waiting(range(64)), asking=True) == 63


@pytest.mark.parametrize(("epochs", "start", "going"), [(6, 8, 2), (12, 16, 3), (50, 64, 3), (200, 64, 3)])
def test_a_short_training_waits_for_fewer_points_and_lets_more_of_them_go_on(epochs, start, going):
    pruner, went_on = AutoPruner(epochs), []
    assert pruner.promote(waiting(range(start - 1)), asking=True) is None
    candidates = waiting(range(start))
    while (number := pruner.promote(candidates, asking=True)) is not None:
        candidates[number].state = RUNNING
        went_on.append(number)
    assert went_on == list(range(start - 1, start - 1 - going, -1))


def test_a_curve_that_has_passed_stays_when_it_comes_again():
    same = {1: 5.0, 2: 6.0, 3: 7.0}
    candidates = waiting([0.0] * 48)
    candidates[0] = Candidate(0, {**same, 4: 9.0}, RUNNING)
    candidates[1] = Candidate(1, dict(same), PAUSED)
    assert AutoPruner(50, start=48).promote(candidates, asking=True) != 1
    candidates[1].scores[3] = 7.5
    assert AutoPruner(50, start=48).promote(candidates, asking=True) == 1


def test_the_latest_stage_goes_first_and_only_while_it_leads():
    candidates = waiting(range(48))
    candidates[3] = Candidate(3, {1: 3.0, 2: 3.0, 3: 3.0}, PAUSED)
    assert AutoPruner(50, start=48).promote(candidates, asking=True) == 3
    for number in (5, 6):
        candidates[number] = Candidate(number, dict.fromkeys(range(1, 4), float(number)), COMPLETE)
    assert AutoPruner(50, start=48).promote(candidates, asking=True) == 47


def test_a_leader_does_not_keep_the_others_waiting_for_ever():
    def behind(number):
        candidates = waiting([0.0] * number)
        candidates[0] = Candidate(0, {1: 9.0, 25: 9.0}, RUNNING)
        candidates[1] = Candidate(1, {1: 8.0, 25: 8.0}, PAUSED)
        return AutoPruner(50, start=48).promote(candidates, asking=True)

    assert behind(48) != 1
    assert behind(72) == 1


def test_a_point_that_would_go_on_at_once_is_not_paused():
    candidates = waiting(range(48))
    candidates[47].state = RUNNING
    assert AutoPruner(50, start=48).decide(47, candidates) is Decision.CONTINUE
    candidates[47].scores[1] = 0.5
    assert AutoPruner(50, start=48).decide(47, candidates) is Decision.PAUSE


def test_at_the_end_at_least_one_goes_all_the_way_and_others_wait():
    pruner, candidates, path = AutoPruner(50), waiting([1.0, 3.0, 2.0]), []
    while (number := pruner.promote(candidates, asking=False)) is not None:
        stage = {1: 3, 3: 6, 6: 12, 12: 25, 25: 50}[candidates[number].epoch]
        for epoch in range(candidates[number].epoch + 1, stage + 1):
            candidates[number].note(epoch, 3.0)
        candidates[number].state = COMPLETE if stage == 50 else PAUSED
        path.append((number, stage))
    assert path[:5] == [(1, 3), (1, 6), (1, 12), (1, 25), (1, 50)]
    assert sum(stage == 50 for _, stage in path) >= 1
    assert len(set(path)) == len(path)


def test_at_the_end_the_next_best_replaces_one_that_diverged():
    candidates = waiting([1.0, 3.0, 2.0])
    candidates[1].state = TrialState.INFEASIBLE
    assert AutoPruner(50, start=48).promote(candidates, asking=False) == 2


def test_without_a_number_of_epochs_the_first_point_shows_it_and_the_others_wait_ever_later():
    pruner, candidates = AutoPruner(None), {n: Candidate(n, dict.fromkeys(range(1, 257), 0.5)) for n in range(4)}
    assert pruner.decide(0, candidates) is Decision.CONTINUE
    assert pruner.decide(1, candidates) is Decision.PAUSE
    candidates[0].state = TrialState.FAILED
    assert pruner.decide(1, candidates) is Decision.CONTINUE
    candidates[0].state = COMPLETE
    assert pruner.decide(1, candidates) is Decision.PAUSE


@pytest.mark.parametrize("options", [{"epochs": -1}, {"start": 0}, {"share": 1}, {"epochs": True}])
def test_bad_numbers_are_refused(options):
    with pytest.raises(ConfigError, match=r"pruner\."):
        AutoPruner(**options)


def test_who_trains_longer_is_compared_by_its_own_end(monkeypatch):
    monkeypatch.setattr("hpsearch.search.auto_pruner.hedged_share", lambda worth, least: 0.0)
    points = [(0.9, 20), (0.8, 20), (0.7, 20), (0.6, 20), (0.3, 40), (0.2, 40)]
    candidates = {n: Candidate(n, {1: score}, PAUSED, epochs) for n, (score, epochs) in enumerate(points)}
    pruner, chosen = AutoPruner(), []
    while (number := pruner.promote(candidates, asking=False)) is not None:
        chosen.append(number)
        candidates[number].note(points[number][1], points[number][0])
        candidates[number].state = COMPLETE
    assert sorted(chosen) == [0, 1, 2, 4, 5]
    assert pruner.decide(0, {0: Candidate(0, {1: 0.9}, RUNNING, epochs=2)}) is Decision.PAUSE
    assert pruner.decide(0, {0: Candidate(0, {1: 0.9, 2: 0.9}, RUNNING, epochs=8)}) is Decision.PAUSE
    assert pruner.decide(0, {0: Candidate(0, {1: 0.9, 2: 0.9}, RUNNING, epochs=2)}) is Decision.CONTINUE


def test_at_the_end_who_repeats_another_goes_on_after_it_and_who_was_worse_does_not():
    same = {1: 5.0, 2: 6.0}
    candidates = {n: Candidate(n, dict(same), PAUSED) for n in range(5)}
    candidates |= {n: Candidate(n, {1: 4.0, 2: 5.0 - n / 10}, PAUSED) for n in range(5, 10)}
    pruner, chosen = AutoPruner(4), []
    while (number := pruner.promote(candidates, asking=False)) is not None:
        chosen.append(number)
        candidates[number].state = COMPLETE
    assert chosen == [0, 5, 6, 1, 2, 3, 4]


def ends(race, hedged, epochs=50):
    """Candidates that came to their ends: chosen by rank, and whatever their rank."""
    points = [(score, False) for score in race] + [(score, True) for score in hedged]
    return {
        n: Candidate(n, {1: score, epochs: score}, COMPLETE, epochs, hedged=kind * epochs)
        for n, (score, kind) in enumerate(points)
    }


def worse_and_worse(points, epochs):
    """Return the candidates of a search in which every point is worse than all before it."""
    candidates, pruner = {}, AutoPruner(start=1)
    for number in range(points):
        candidates[number] = Candidate(number, epochs=epochs)
        for epoch in range(1, epochs + 1):
            candidates[number].note(epoch, -float(number))
            if epoch < epochs and pruner.decide(number, candidates) is Decision.PAUSE:
                candidates[number].state = PAUSED
                break
        else:
            candidates[number].state = COMPLETE
    return candidates


@pytest.mark.parametrize(("epochs", "starts"), [(16, (4, 8, 16)), (8, (2, 4, 8)), (4, (2, 4)), (3, (3,)), (2, (2,))])
def test_half_of_the_epochs_beyond_those_of_ten_trials_is_for_the_brackets_each_as_many(epochs, starts):
    candidates = worse_and_worse(30 * epochs, epochs)
    spent = {start: sum(each.epoch for each in candidates.values() if each.hedged == start) for start in (0, *starts)}
    assert sum(spent.values()) == sum(each.epoch for each in candidates.values())
    assert abs(2 * (sum(spent.values()) - spent[0]) - (sum(spent.values()) - 10 * epochs)) <= 2 * epochs
    assert max(spent[start] for start in starts) - min(spent[start] for start in starts) <= epochs
    assert [each.point for each in candidates.values() if each.epoch > 1 and not each.hedged] == [0]
    assert all(each.epoch >= each.hedged for each in candidates.values() if each.hedged)


@pytest.mark.parametrize(("hedged", "ahead", "chosen"), [(12, 0, 10), (12, 6, 4), (0, 0, 1)])
def test_half_of_a_bracket_may_go_on_from_its_start_by_their_ranks_among_all_that_came(hedged, ahead, chosen):
    candidates = {n: Candidate(n, {1: 0.0, 12: float(n)}, PAUSED, 50, hedged) for n in range(20)}
    candidates |= {n: Candidate(n, {1: 0.0, 12: 99.0 + n, 50: 0.0}, COMPLETE, 50) for n in range(20, 20 + ahead)}
    pruner, going = AutoPruner(start=1), []
    while (number := pruner.promote(candidates, asking=True)) is not None:
        candidates[number].state = RUNNING
        going.append(number)
    assert going == list(range(19, 19 - chosen, -1))


def test_a_hedged_point_waits_nowhere_before_its_bracket_begins_whatever_stopped_it():
    candidates = {n: Candidate(n, {1: 1.0, 3: 1.0}, RUNNING, 50) for n in range(4)}
    candidates[0] = Candidate(0, {1: 0.0, 3: 0.0}, RUNNING, 50, hedged=12)
    pruner = AutoPruner(start=1)
    assert pruner.decide(0, candidates) is Decision.CONTINUE
    candidates[0].state = PAUSED
    assert pruner.promote(candidates, asking=True) == 0
    candidates[1].note(12, 1.0)
    candidates[0].note(12, 0.0)
    assert pruner.decide(0, candidates) is Decision.PAUSE
    assert pruner.promote(candidates, asking=True) is None


@pytest.mark.parametrize(("epoch", "score", "waits"), [(24, 0.0, False), (25, 0.0, True), (25, -0.1, False)])
def test_a_hedged_point_that_repeats_another_up_to_half_of_its_epochs_waits_there(epoch, score, waits):
    flat = dict.fromkeys(range(1, epoch), 0.0)
    candidates = {0: Candidate(0, dict.fromkeys(range(1, 51), 0.0), COMPLETE, 50)}
    candidates[1] = Candidate(1, {**flat, epoch: score}, RUNNING, 50, hedged=50)
    assert (AutoPruner(start=1).decide(1, candidates) is Decision.PAUSE) is waits
    candidates[1].state = PAUSED
    assert (AutoPruner(start=1).promote(candidates, asking=True) is None) is waits
    assert AutoPruner(start=1).promote(candidates, asking=False) == 1


@pytest.mark.parametrize(("hedged_ends", "goes_on"), [([9.0] * 4, True), ([1.0] * 4, False)])
def test_where_ranks_were_worth_nothing_most_points_go_on_at_the_end(hedged_ends, goes_on):
    candidates = ends([5.0, 6.0, 7.0, 8.0], hedged_ends)
    candidates[8] = Candidate(8, {1: 0.1}, PAUSED, 50)
    assert (AutoPruner().promote(candidates, asking=False) == 8) is goes_on
