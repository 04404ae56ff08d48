"""A person at a notebook: cells run, interrupted, changed and run again, kernels restarted, at random moments.

    python -m tests.faults.notebook_sessions [--count 30] [--seed 1]

Each session is a kernel in an empty folder that searches with one cell. In the end every trial must be there once, in
the record as in MLflow, and be of one version of the code; nothing runs any more, and each call left the kernel as it
was.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty

import pandas as pd
from jupyter_client.manager import KernelManager

from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.query import table_from_events, table_from_mlflow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 300
POINTS, EPOCHS = 4, 3
SET_UP = """
import os, random, signal, sys, warnings

def snapshot():
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    return dict(os.environ), handlers, os.getcwd(), list(sys.path), list(sys.argv), random.getstate(), sys.stdout
"""
CELL = """
import time
from hpsearch import run_search

def train(x):
    for epoch in range(1, {epochs} + 1):
        time.sleep({pause})
        yield {{"acc": {factor} * x * epoch}}

before = snapshot()
try:
    run_search(train, space={{"x": "interval(1, 2)"}}, points={points}, sampler="random", objective="acc", name="s",
               overrides={overrides})
finally:
    print("CHANGED", [place for place, (one, other) in enumerate(zip(before, snapshot())) if one != other])
"""
CHANGED = "the code changed since"


@dataclass
class Session:
    """A kernel in a folder, and what was seen of it.

    Attributes:
        folder: where it works.
        drawn: draws what happens.
        factor: that of the cell as it stands.
        ran: factors of the versions that were run.
        said: what happened, for messages.
    """

    folder: Path
    drawn: random.Random
    factor: int = 1
    ran: set[int] = field(default_factory=set)
    said: list[str] = field(default_factory=list)

    def __post_init__(self):
        self.inline = self.drawn.random() < 0.5
        self.start()

    def start(self):
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        quiet = {"PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(cwd=str(self.folder), env=os.environ | quiet, stderr=subprocess.DEVNULL)
        self.client = self.manager.client()
        self.client.start_channels()
        self.set_up()

    def set_up(self):
        self.client.wait_for_ready(timeout=SECONDS)
        self.client.execute_interactive(SET_UP, timeout=SECONDS)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, after_sec=None, restart=False, *words):
        """Run the cell; interrupt it, or restart the kernel, after so long; return what it printed and how it ended."""
        launcher = ["launcher=inline"] if self.inline else ["launcher.workers=2"]
        overrides = [*launcher, "study.confirm=0", *words]
        given = {"points": POINTS, "epochs": EPOCHS, "pause": 0.05, "factor": self.factor, "overrides": overrides}
        self.ran.add(self.factor)
        asked = self.client.execute(CELL.format(**given))
        began, printed, end = time.monotonic(), "", "ok"
        while time.monotonic() - began < SECONDS:
            if after_sec is not None and time.monotonic() - began >= after_sec:
                after_sec = None
                if restart:
                    self.said.append("restarted")
                    self.manager.restart_kernel(now=True)
                    self.set_up()
                    return printed, "restarted"
                self.manager.interrupt_kernel()
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            printed += content["text"] if kind == "stream" else ""
            if kind == "error":
                end = content["ename"]
                printed += content["evalue"]
            if kind == "status" and content["execution_state"] == "idle":
                self.said.append(f"{end} (factor {self.factor})")
                self.check_call(printed, end)
                return printed, end
        raise AssertionError(f"{self}: hangs")

    def check_call(self, printed, end):
        early = end == "KeyboardInterrupt" and "CHANGED" not in printed  # in the imports
        assert early or "CHANGED []" in printed, f"{self}: {printed}"
        assert end in ("ok", "KeyboardInterrupt", "StorageError"), f"{self}: {printed}"
        complete = self.record() if end == "ok" else None
        if complete is not None and set(complete["factor"]) - {self.factor}:
            assert CHANGED in printed, f"{self}: an old answer without a word: {printed}"
        assert end != "StorageError" or CHANGED in printed, f"{self}: {printed}"

    def record(self):
        """Return the trials with the factor that each was trained with, the same in all of its epochs."""
        table = table_from_events(self.folder / "studies" / "s")
        trials, curves = table.trials, table.curves.merge(table.trials[["point", "seed", "args.x"]])
        curves["factor"] = (curves["acc"] / curves["args.x"] / curves["epoch"]).round(6)
        assert (curves.groupby(["point", "seed"])["factor"].nunique() == 1).all(), f"{self}: a trial of two versions"
        assert (curves.groupby(["point", "seed"])["epoch"].nunique() == EPOCHS).all() or (
            trials.state != "COMPLETE"
        ).any()
        return trials.merge(curves.groupby(["point", "seed"])["factor"].first().reset_index())

    def __str__(self):
        return f"{'inline' if self.inline else 'workers'}: {', '.join(self.said)}"


def play(folder, seed):
    """Play one session and check it; return what happened."""
    drawn = random.Random(seed)
    session = Session(folder, drawn)
    try:
        for _ in range(drawn.randint(2, 4)):
            if drawn.random() < 0.35:
                session.factor += 1
            moment = drawn.choice([None, drawn.uniform(0, 1), drawn.uniform(0.5, 6)])
            session.run(moment, drawn.random() < 0.4)
        way = drawn.choice(["study.code=changed_ok", "study.restart=true"])
        for _ in range(3):
            printed, end = session.run()
            if end == "StorageError":
                printed, end = session.run(None, False, way)
            if end == "ok":
                break
        assert end == "ok", f"{session}: {printed}"
        check(session)
    finally:
        session.close()
    wait_for_the_end(session)
    return str(session)


def check(session):
    """Every trial is there once, is of the version that its digest says, and MLflow has the same."""
    study = session.folder / "studies" / "s"
    trials = session.record()
    assert sorted(trials["point"]) == list(range(POINTS)) and set(trials["state"]) == {"COMPLETE"}, session
    assert set(trials["factor"]) <= session.ran, session
    assert (trials.groupby("code")["factor"].nunique() == 1).all(), session
    assert trials["code"].nunique() == trials["factor"].nunique(), session
    uri = f"sqlite:///{session.folder}/mlflow.db"
    sync(study, uri)
    ours, theirs = table_from_events(study), table_from_mlflow(uri, "s")
    for part in ("trials", "curves"):
        pd.testing.assert_frame_equal(getattr(ours, part), getattr(theirs, part))


def wait_for_the_end(session):
    """Wait until nothing works in the folder any more; it fails where something does."""
    for _ in range(300):
        left = working_in(session.folder)
        if not left:
            return
        time.sleep(0.1)
    raise AssertionError(f"{session}: {left} still run")


def working_in(folder):
    """Return the command lines of the processes whose working folder lies in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve().is_relative_to(folder):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:100])
        except OSError:
            continue
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wrong = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        folder = Path(tempfile.mkdtemp()).resolve()
        try:
            print(seed, play(folder, seed), flush=True)
        except AssertionError as error:
            wrong += 1
            print(seed, "WRONG", error, flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{asked.count} sessions, {wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
