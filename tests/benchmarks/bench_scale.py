"""What one driver keeps up with: the real driver, record, journal and sender, and simulated workers by the thousand.

    python -m tests.benchmarks.bench_scale [FOLDER_OF_TABLES] [--workers 10 100 1000 10000] [--case auto tpe]
        [--every 30] [--warm 120] [--window 300] [--out scale.json]

Every worker replays a row of a table of learning curves, a report every 30 s or so (its own rate within 30 % of that).
The clock is virtual: it moves on by the processor time that the driver's process spends (the sender's and the screen's
too, as if they took turns on one core), by `--disk-ms` for every wait for the disk, and by waiting for the next worker.
Measured is a window after a warm-up; the profile says which part of the program spent the driver's time.

Cases: ``auto``, `sampler=auto` with `pruner=auto`, from its first point on; ``tpe``, `sampler=tpe` without a pruner in
a study that holds 2,000 points, every worker in the middle of a trial; ``random``, the same without a model.

Not simulated: what reads the pipes or sockets of workers (a thread for each worker process), training, checkpoints.
"""

import argparse
import json
import os
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from hpsearch.base.types import TrialSpec
from tests.benchmarks.simulated_workers import DRIVER, SIMULATION, Meter, Pace, SimulatedLauncher, train

NAME = "scale"
CASES = {"auto": ("auto", "auto", 2000), "tpe": ("tpe", "none", 2000), "random": ("random", "none", 2000)}
"""Sampler, pruner, and how many points there are before."""
SEND_SEC, DRAW_SEC = 2.0, 0.125
"""How often the sender works, and how often a terminal is drawn."""
BUSY, IDLE = 0.5, 0.02
"""What is wanted of the driver and of the workers at the most."""


@dataclass(frozen=True)
class Figures:
    """What was measured in the window of one run."""

    case: str
    workers: int
    points: int
    sec: float
    reports: int
    asked: int
    busy: float
    idle: float
    fill_sec: float
    peak_mib: float
    parts: Mapping[str, float]
    syncs: int
    rows: int
    record_bytes: int

    @property
    def per_sec(self) -> float:
        """Reports a second that arrived."""
        return self.reports / self.sec

    @property
    def most_per_sec(self) -> float:
        """Reports a second at which the driver would be busy all the time, with as many asks to a report."""
        return self.per_sec / self.busy if self.busy else float("inf")


@dataclass(frozen=True)
class Setting:
    """What is run.

    Attributes:
        case: key of `CASES`.
        workers: how many.
        every_sec: between two reports of a worker.
        warm_sec: virtual seconds from when every worker has had a trial until the window.
        window_sec: its length.
        disk_ms: of one wait for the disk.
        tracker: whether MLflow's store is sent to.
        before: folder where the studies are kept that hold the points before.
    """

    case: str
    workers: int
    every_sec: float = 30.0
    warm_sec: float = 120.0
    window_sec: float = 300.0
    disk_ms: float = 1.0
    tracker: bool = True
    before: Path | None = None


class Screen:
    """The display of a terminal, drawn by the virtual clock, into memory."""

    def __init__(self, meter: Meter) -> None:
        from rich.console import Console
        from rich.live import Live

        from hpsearch.progress.display import LiveProgress

        self._live = Live(
            console=Console(file=StringIO(), force_terminal=True, width=120, height=40),
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()
        self._progress, self._meter, self._next = LiveProgress(self._live), meter, 0.0

    def update(self, progress: Any) -> None:
        """Show a snapshot; every eighth of a second the terminal is drawn, as a display's own thread does."""
        with self._meter.part("screen"):
            self._progress.update(progress)
            if (now := self._meter.now()) >= self._next:
                self._next = now + DRAW_SEC
                self._live.refresh()
                self._live.console.file = StringIO()

    def line(self, text: str) -> None:
        """Show a line."""
        self._progress.line(text)

    def conclude(self, outcome: object) -> None:
        """Show nothing more."""


class Copying:
    """The sender, which works in turns with the driver and not in a thread beside it: every two virtual seconds."""

    def __init__(self, folder: Path, meter: Meter) -> None:
        from hpsearch.tracking import store
        from hpsearch.tracking.sender import Sender

        self._sender = Sender(
            folder, store.sqlite_uri(folder.parents[1] / "mlflow.db"), folder.parents[1] / "artifacts"
        )
        self._meter, self._next = meter, 0.0
        self._names: set[str] = set()

    def changed(self, names: Collection[str]) -> None:
        """Note what is to be sent."""
        self._names.update(names)

    def send(self) -> None:
        """Send it if it is time."""
        if (now := self._meter.now()) < self._next or not self._names:
            return
        self._next = now + SEND_SEC
        with self._meter.part("sender"):
            names, self._names = self._names, set()
            self._names |= self._sender.send(names)
        assert self._sender.problem is None, self._sender.problem


def compose_case(setting: Setting, table: Any, epochs: int | None = None) -> Any:
    """Return the configuration of a case: a function of a user's with the hyperparameters of the table."""
    from hpsearch.config.compose import compose

    sampler, pruner, _ = CASES[setting.case]
    words = [
        "+study=search", f"study.name={NAME}", f"sampler={sampler}", f"pruner={pruner}", "objective=valid_loss",
        "trainer=own", f"trainer._target_={train.__module__}.train",
        "plugins=[tests]", f"+args.epochs={epochs or table.epochs}", "launcher=inline", "tracker=none",
        "study.confirm=0", "budget.points=null", "budget.seconds=1e9", "extend.edges=false",
    ]  # fmt: skip
    words += [f"space.args.{each.key}={each.expression}" for each in table.space.parameters]
    return compose(words)


@contextmanager
def driver_in(
    folder: Path,
    composition: Any,
    launcher: SimulatedLauncher,
    meter: Meter,
    observer: Any,
    changed: Callable[[Collection[str]], None] | None = None,
    points: int | None = None,
) -> Any:
    """Open a study's record and journal as a session does; yield its driver, resumed."""
    from hpsearch.search.driver import Driver
    from hpsearch.search.extension import Ranges
    from hpsearch.search.plan import Environment
    from hpsearch.search.storage import JournalStore, open_study
    from hpsearch.study.plan import plan_search
    from hpsearch.study.search import open_fields
    from hpsearch.study.specs import make_spec
    from hpsearch.tracking.record import Record

    search = plan_search(composition)
    folder.mkdir(parents=True, exist_ok=True)
    store, record = JournalStore().open(folder), Record(folder, changed)
    study = open_study(store, NAME, search.pruner, search.objective, record.uid)
    described = {"metric": search.objective.metric, "direction": search.objective.direction, "reduce": "end"}
    record.study(
        "open", meter.time_of_day(), name=NAME, question="How many workers can one driver have?", command="", git={},
        config=composition.config, space=search.space.to_dict(), objective=described, seed=0, environment={},
        **open_fields(search),
    )  # fmt: skip
    launcher.start(train)

    def spec(*point: Any) -> TrialSpec:
        with meter.part("configuration"):
            return make_spec(composition, folder, *point)

    driver = Driver(
        study=study, make_sampler=search.sampler_after, store=store, ranges=Ranges(search.space),
        plan=replace(search.plan, points=points), launcher=launcher, record=record, make_spec=spec,
        environment=Environment(observer, meter.time_of_day, timer=meter.now),
    )  # fmt: skip
    try:
        driver.resume()
        yield driver
    finally:
        record.close()
        store.close()


class _Enough(Exception):
    """The study has as many points as it is to have before."""


def told_before(folder: Path, setting: Setting, table: Any) -> None:
    """Bring a study to as many points as the case has before: by itself, or drawn ones that train for two epochs."""
    from hpsearch.progress.display import Silent

    meter, points = Meter(cost=lambda: 0.0), CASES[setting.case][2]
    by_itself = setting.case == "auto"
    epochs = table.epochs if by_itself else 2
    launcher = SimulatedLauncher(50, meter, Pace(spread=0), replayed(table), epochs)
    composition = compose_case(setting if by_itself else replace(setting, case="random"), table, epochs)
    with driver_in(folder, composition, launcher, meter, Silent(), points=None if by_itself else points) as driver:
        if not by_itself:
            driver.run()
            return
        with suppress(_Enough), driver.searching():
            while driver.step():
                if driver.asked >= points:
                    raise _Enough


def replayed(table: Any) -> Callable[[TrialSpec, int], float]:
    """Return what trials report: the curve of the nearest row of the table."""
    rows: dict[Any, int] = {}

    def loss(spec: TrialSpec, epoch: int) -> float:
        if spec.id not in rows:
            rows[spec.id] = table.row({key.removeprefix("args."): value for key, value in spec.params.items()})
        return float(table.curves[rows[spec.id]][epoch])

    return loss


def watch(meter: Meter) -> Counter[str]:
    """Let the meter tell the parts of the program from each other; return a count of what was waited for."""
    import gc

    from hpsearch.base import platform
    from hpsearch.launch.slots import SlotLauncher
    from hpsearch.search.ask_tell import AskTell
    from hpsearch.search.optuna_internals import QueueStorage
    from hpsearch.search.proposals import UniqueSampler
    from hpsearch.search.pruners import PruneRule
    from hpsearch.search.storage import DriverJournal
    from hpsearch.tracking.record import Record

    storage = [name for name in dir(QueueStorage) if name.startswith(("get_", "set_", "create_"))]
    for owner, names, part in (
        (UniqueSampler, ("sample_relative", "before_trial", "after_trial"), "sampler"),
        (PruneRule, ("opened", "after_report", "after_replicate", "note_state", "promote", "why_dropped"), "pruner"),
        (Record, ("spec", "message", "state", "study", "trial", "facts", "write", "sync"), "record"),
        (QueueStorage, storage, "journal"),
        (DriverJournal, ("write", "flush"), "journal"),
        (AskTell, ("ask", "tell", "reseed"), "ask and tell"),
        (SlotLauncher, ("submit", "decide", "free"), "launcher"),
    ):
        for name in names:
            meter.watch(owner, name, part)
    counts: Counter[str] = Counter()

    def sync_file(_file: int) -> None:
        counts["syncs"] += 1

    platform.sync_file = sync_file
    parts: list[Any] = []

    def collected(phase: str, _info: object) -> None:
        if phase == "start":
            parts.append(meter.part("garbage collector"))
            parts[-1].__enter__()
        elif parts:
            parts.pop().__exit__(None, None, None)

    gc.callbacks.append(collected)
    return counts


def measure(setting: Setting, source: Path | None, home: Path) -> Figures:
    """Run a case up to the end of its window, in a process of its own, and return the figures of the window."""
    from tests.benchmarks.bench_search import Table, generated, read

    table = Table("generated", generated(0, rows=1000, keys=8, epochs=50)) if source is None else read(source)
    folder = home / "studies" / NAME
    meter = Meter()
    counts = watch(meter)
    kept = setting.before and setting.before / setting.case
    if kept and kept.is_dir():
        shutil.copytree(kept, folder)
    else:
        told_before(folder, setting, table)
        if kept:
            shutil.copytree(folder, kept)
    pace = Pace(setting.every_sec, midway=setting.case != "auto")
    launcher = SimulatedLauncher(setting.workers, meter, pace, replayed(table), table.epochs)
    copying = Copying(folder, meter) if setting.tracker else None
    composition = compose_case(setting, table)

    def tick() -> None:
        meter.charge("disk", counts.pop("syncs", 0) * setting.disk_ms / 1000)
        if copying:
            copying.send()

    with driver_in(folder, composition, launcher, meter, Screen(meter), copying and copying.changed) as driver:
        if copying:
            copying.send()
        launcher.every_tick = tick
        return _window(setting, driver, launcher, meter, folder)


def _window(setting: Setting, driver: Any, launcher: SimulatedLauncher, meter: Meter, folder: Path) -> Figures:
    began, filled, start, before = meter.now(), None, float("inf"), None
    with meter.part(DRIVER), driver.searching():
        while driver.step():
            now = meter.now()
            if filled is None and all(worker.trained for worker in launcher.workers):
                filled = now - began
                start = now + setting.warm_sec
            if before is None and now >= start:
                before = _standing(driver, launcher, meter, folder)
            if before is not None and now >= before["now"] + setting.window_sec:
                break
    assert before is not None and filled is not None, "the study ended before its window"
    after = _standing(driver, launcher, meter, folder)
    sec = after["now"] - before["now"]
    parts = {part: (after["spent"][part] - before["spent"][part]) / sec for part in after["spent"]}
    parts.pop(SIMULATION)
    return Figures(
        case=setting.case, workers=setting.workers, points=after["asked"], sec=sec,
        reports=after["reports"] - before["reports"], asked=after["asked"] - before["asked"],
        busy=(after["busy"] - before["busy"]) / sec,
        idle=(after["idle"] - before["idle"]) / (sec * setting.workers), fill_sec=filled,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        parts={part: round(share, 4) for part, share in sorted(parts.items(), key=lambda each: -each[1])},
        syncs=0, rows=0, record_bytes=0,
    )  # fmt: skip


def _standing(driver: Any, launcher: SimulatedLauncher, meter: Meter, folder: Path) -> dict[str, Any]:
    return {
        "now": meter.now(), "busy": meter.busy, "spent": Counter(meter.spent), "reports": launcher.reports,
        "idle": launcher.idle_sec(), "asked": driver.asked,
    }  # fmt: skip


def alone(setting: Setting, source: Path | None) -> dict[str, Any]:
    """Measure in this process, in a folder of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        os.chdir(temporary)
        figures = measure(setting, source, Path(temporary))
    return {**figures.__dict__, "per_sec": figures.per_sec, "most_per_sec": figures.most_per_sec}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case with every number of workers, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", type=Path, help="file with learning curves; drawn ones by default")
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--case", nargs="+", choices=CASES, default=["auto", "tpe"])
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two reports of a worker")
    parser.add_argument("--warm", type=float, default=120.0)
    parser.add_argument("--window", type=float, default=300.0)
    parser.add_argument("--disk-ms", type=float, default=1.0)
    parser.add_argument("--no-tracker", action="store_true", help="without the sender and MLflow's store")
    parser.add_argument("--before", type=Path, help="folder that keeps the studies with the points before")
    parser.add_argument("--profile", action="store_true")
    asked = parser.parse_args(arguments)
    for case in asked.case:
        for workers in asked.workers:
            setting = Setting(
                case,
                workers,
                asked.every,
                asked.warm,
                asked.window,
                asked.disk_ms,
                not asked.no_tracker,
                asked.before and asked.before.resolve(),
            )
            source = asked.table and asked.table.resolve()
            if asked.profile:
                import cProfile
                import pstats

                with cProfile.Profile() as profile:
                    print(json.dumps(alone(setting, source), indent=1))
                pstats.Stats(profile).sort_stats("tottime").print_stats(45)
                pstats.Stats(profile).sort_stats("cumtime").print_stats(60)
            else:
                print(json.dumps(alone(setting, source), indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
