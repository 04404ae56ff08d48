"""What the fuzzers rest on: time is limited, whatever runs."""

import signal
import subprocess
import sys

import pytest

from tests.faults.fuzz import harness
from tests.faults.fuzz.harness import Fault, limited_time


def test_a_loop_of_python_ends_with_a_fault(monkeypatch):
    monkeypatch.setattr(harness, "HUNG_SEC", 0.02)
    with pytest.raises(Fault, match="takes more than"), limited_time():
        while True:
            pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hang", "code"), [("sum(range(10**15))", -signal.SIGVTALRM), ("__import__('time').sleep(600)", 1)]
)
def test_native_code_and_sleep_end_the_process_and_say_where(hang, code):
    limits = "from tests.faults.fuzz import harness\nharness.HUNG_SEC, harness.ASLEEP_SEC = 0.1, 2\n"
    program = f"{limits}with harness.limited_time():\n    {hang}"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120)
    assert run.returncode == code and b"line 4 in <module>" in run.stderr
