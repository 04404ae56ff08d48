"""A clock that is set while processes run changes no duration, and the next run takes the time of day as it is."""

import os
import subprocess
import sys
import time

import pytest

from hpsearch.base import clock

TELL = "import time; time.time = lambda: {}; from hpsearch.base.clock import time_of_day; print(time_of_day())"


def test_reading_the_clock_leaves_the_environment_as_it_was():
    before = dict(os.environ)
    clock.time_of_day()
    clock.restart()
    assert dict(os.environ) == before and [*clock.told()] == [clock.VARIABLE]


@pytest.fixture(autouse=True)
def afterwards(monkeypatch):
    monkeypatch.setenv(clock.VARIABLE, "")
    monkeypatch.setattr(clock, "_known", None)


def test_it_is_the_time_of_day():
    assert abs(clock.time_of_day() - time.time()) < 1


@pytest.mark.parametrize("set_by", [-86_400.0, 86_400.0])
def test_a_clock_that_is_set_does_not_matter_until_it_is_read_anew(monkeypatch, set_by):
    before, real = clock.time_of_day(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + set_by)
    assert 0 <= clock.time_of_day() - before < 60
    clock.restart()
    assert 0 <= clock.time_of_day() - (before + set_by) < 60


def told(environment):
    done = subprocess.run([sys.executable, "-c", TELL.format(5.0)], env=environment, capture_output=True, check=True)
    return float(done.stdout)


def test_a_process_that_is_started_counts_on_from_the_same_reading_and_not_from_that_of_another_boot():
    before = clock.time_of_day()
    assert 0 <= told(os.environ | clock.told()) - before < 60
    assert told(os.environ | {clock.VARIABLE: f"another-boot {time.time()}"}) < 60
