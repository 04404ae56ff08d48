"""Terminals that lack signs, are full, or go away, and signals before anything handles them."""

import fcntl
import os
import pty
import subprocess
import termios
import time
from pathlib import Path

from hpsearch.base import platform
from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE, GRIDS

PYTHON_STARTS_SEC = 0.3
"""Until our first line runs, on a busy machine too: before it Python itself ends, by the signal or with 1."""


@kind("asked to stop while it starts", under=EVERYWHERE)
def asked_while_it_starts(run: Run) -> None:
    run.start()
    time.sleep(run.random.uniform(PYTHON_STARTS_SEC, 2))
    assert run.process is not None
    run.process.send_signal(run.random.choice(platform.stop_signals()))
    run.expect(130)


@kind("terminal without the signs of sentences", under=GRIDS)
def ascii_terminal(run: Run) -> None:
    run.environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": run.random.choice(["ascii", "latin-1"])}
    run.start()
    run.expect(0)


@kind("output on a full disk", under=GRIDS)
def full_output(run: Run) -> None:
    with Path("/dev/full").open("wb") as full:
        run.start(stdout=full, stderr=subprocess.STDOUT)
    run.expect(0)


@kind("terminal that is closed", under=GRIDS)
def closed_terminal(run: Run) -> None:
    here, there = pty.openpty()
    run.environment["TERM"] = run.random.choice(["xterm", "dumb", ""])
    own = {"stdin": there, "stdout": there, "stderr": there}
    run.start(preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0), **own)  # so that its end is a signal too
    os.close(there)
    run.moment()
    os.close(here)
    run.expect(0, 130)
