"""What a loop sets in its process is its own: a later one finds nothing of it."""

import builtins
import gc
import signal
import sys

import pytest

from hpsearch.trial.surroundings import Surroundings

resource = pytest.importorskip("resource")
FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
FEW = min(100, FILES[0] - 1)


def heard(number, frame):
    raise AssertionError(f"signal {number} reached another loop")


def remove_input():
    del builtins.input


SETS = {
    "handler": (
        lambda: signal.signal(signal.SIGUSR1, heard),
        lambda: signal.getsignal(signal.SIGUSR1),
        heard,
    ),
    "alarm": (lambda: signal.alarm(99000), lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 98000, True),
    "profiler's timer": (
        lambda: signal.setitimer(signal.ITIMER_PROF, 1000, 5),
        lambda: signal.getitimer(signal.ITIMER_PROF)[1] == 5,
        True,
    ),
    "blocked signals": (
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}),
        lambda: signal.SIGUSR2 in signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        True,
    ),
    "soft limit": (
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FEW, FILES[1])),
        lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        FEW,
    ),
    "name replaced": (lambda: setattr(builtins, "len", heard), lambda: builtins.len, heard),
    "name removed": (remove_input, lambda: hasattr(builtins, "input"), False),
    "name added": (lambda: setattr(builtins, "of_a_test", heard), lambda: hasattr(builtins, "of_a_test"), True),
    "recursion": (lambda: sys.setrecursionlimit(4321), sys.getrecursionlimit, 4321),
    "collector": (gc.disable, gc.isenabled, False),
}


@pytest.mark.parametrize("name", SETS)
def test_what_a_loop_sets_it_finds_again_and_no_other(name):
    do, read, inside = SETS[name]
    before = read()

    def loop():
        do()
        yield read()
        yield read()

    one, other = loop(), iter(read, object())
    its, others = Surroundings(0), Surroundings(1)
    assert its.run(next, one) == inside != before
    assert read() == others.run(next, other) == before
    assert its.run(next, one) == inside
    assert read() == before


def test_a_timer_set_outside_runs_on_inside():
    def uses_time():
        while signal.getitimer(signal.ITIMER_VIRTUAL)[0] > 999.95:
            pass

    signal.setitimer(signal.ITIMER_VIRTUAL, 1000)
    try:
        Surroundings(0).run(uses_time)
        assert 0 < signal.getitimer(signal.ITIMER_VIRTUAL)[0] <= 999.95
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
