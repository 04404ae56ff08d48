from hpsearch.base.types import Decision, Given, TrialId
from hpsearch.launch.mailbox import Mailbox

A, B = TrialId(0, 0), TrialId(1, 0)


def test_nothing_said_means_continue():
    assert Mailbox().take([A, B]) == (Decision.CONTINUE, Decision.CONTINUE)


def test_newest_decision_is_taken_once():
    mailbox = Mailbox()
    mailbox.put(A, Decision.PAUSE)
    mailbox.put(A, Decision.STOP)
    assert mailbox.take([A, B]) == (Decision.STOP, Decision.CONTINUE)
    assert mailbox.take([A, B]) == (Decision.CONTINUE, Decision.CONTINUE)


def test_continue_does_not_undo_what_was_not_read():
    mailbox = Mailbox()
    mailbox.put(A, Decision.STOP)
    mailbox.put(A, Decision.CONTINUE)
    assert mailbox.take([A]) == (Decision.STOP,)


def test_complete_when_every_trial_was_answered():
    mailbox = Mailbox()
    mailbox.put(A, Decision.CONTINUE)
    assert not mailbox.complete([A, B])
    mailbox.put(B, Decision.CONTINUE)
    assert mailbox.complete([A, B])


def test_what_an_attempt_before_did_not_read_is_forgotten():
    mailbox = Mailbox()
    for trial in (A, B):
        mailbox.put(trial, Decision.STOP)
    mailbox.put(A, Given(0.5))
    mailbox.forget([A])
    assert not mailbox.answered(A) and mailbox.take([A, B]) == (Decision.CONTINUE, Decision.STOP)


def test_what_was_asked_for_is_given_and_a_pause_waits_for_the_next_report():
    mailbox = Mailbox()
    mailbox.put(A, Decision.PAUSE)
    assert not mailbox.answered(A)
    mailbox.put(A, Given(0.5))
    assert mailbox.answered(A) and mailbox.answer(A) == Given(0.5)
    assert not mailbox.answered(A) and mailbox.take([A]) == (Decision.PAUSE,)


def test_a_stop_ends_it_where_it_asks():
    mailbox = Mailbox()
    mailbox.put(A, Given(0.5))
    mailbox.put(A, Decision.STOP)
    assert mailbox.answer(A) is Decision.STOP
