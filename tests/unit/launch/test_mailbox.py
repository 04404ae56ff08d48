import threading

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


def test_wait_returns_with_the_last_answer():
    mailbox = Mailbox()
    waiter = threading.Thread(target=mailbox.wait, args=([A, B],))
    waiter.start()
    mailbox.put(A, Decision.CONTINUE)
    mailbox.put(B, Decision.STOP)
    waiter.join(30)
    assert not waiter.is_alive()


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
