"""Trial functions of searches that several drivers share."""

import os
import time
from pathlib import Path

import hpsearch
from hpsearch.search.plan import FRESH


def _pass(gate):
    """Wait until a file says that so many points may go."""
    point = int(hpsearch.folder().name.partition("-")[0])
    while gate is not None and int(Path(gate).read_text() or 0) <= point:
        time.sleep(0.05)


def sleeping(x, nap=0.05, gate=None):
    """Ends after a nap, with a score that its argument says."""
    _pass(gate)
    time.sleep(nap)
    return {"valid/loss": (x - 1) ** 2}


def waiting(x, nap=0.05, epochs=8, gate=None):
    """Writes a checkpoint at every epoch, and goes on from it; what it went on from is measured."""
    _pass(gate)
    done, file = 0, hpsearch.folder() / "checkpoint.txt"
    if (saved := hpsearch.checkpoint()) is not None:
        done = int(saved.read_text())
    went_on_from = done
    for epoch in range(done + 1, epochs + 1):
        time.sleep(nap)
        file.with_suffix(".tmp").write_text(str(epoch))
        file.with_suffix(".tmp").replace(file)
        measured = {"valid/loss": (x - 1) ** 2 + 1 / epoch, "from": went_on_from, "pid": os.getpid()}
        hpsearch.report(measured, epoch=epoch)


def arm(kind, x, seed, gate=None):
    """An arm of an ablation, best at another `x` for each kind; with the seeds of the arms it waits for a gate."""
    while seed < FRESH and gate is not None and not Path(gate).exists():
        time.sleep(0.05)
    return {"valid/loss": (x - kind) ** 2 + 0.01 * (seed % 7)}
