"""Pipes between driver, workers and terminal that break."""

import os
import subprocess

from tests.faults.harness.registry import kind
from tests.faults.harness.run import Run
from tests.faults.harness.surroundings import EVERYWHERE, OWN_CODE

CLOSE = "import os\nif epoch == {epoch} and not os.path.exists('closed'):\n    open('closed', 'w').close()\n    {what}"


def _closes(run: Run, what: str) -> None:
    run.in_trials(CLOSE.format(epoch=run.random.randint(1, 12), what=what))
    run.start("launcher.retries=20", "launcher.grace_sec=1")
    run.expect(0)
    run.as_before()
    run.excuse("no_traceback_is_logged", "Bad file descriptor", "the trial's own code raises, its files are closed")


@kind("trial that closes every pipe of its worker", under=OWN_CODE, ci=True)
def closes_everything(run: Run) -> None:
    _closes(run, "os.closerange(3, 100)")


@kind("trial that closes the standard streams", under=OWN_CODE)
def closes_streams(run: Run) -> None:
    _closes(run, "os.closerange(0, 3)")


@kind("trial that writes into every pipe of its worker", under=OWN_CODE)
def writes_everywhere(run: Run) -> None:
    _closes(run, "[os.write(fd, b'garbage' * 9) for fd in range(3, 30) if os.path.exists(f'/proc/self/fd/{fd}') "
                 "and os.readlink(f'/proc/self/fd/{fd}').startswith(('pipe', 'socket'))]")  # fmt: skip


@kind("output whose reader leaves", under=EVERYWHERE)
def reader_leaves(run: Run) -> None:
    reader, writer = os.pipe()
    run.start(stdout=writer, stderr=subprocess.STDOUT)
    os.close(writer)
    run.moment()
    os.close(reader)
    run.expect(0)


@kind("no standard streams", under=EVERYWHERE)
def no_streams(run: Run) -> None:
    run.start(preexec_fn=lambda: os.closerange(0, 3))
    run.expect(0)
