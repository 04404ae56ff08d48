"""A study under simulated workers: the driver, record, journal, sender and screen, with a meter of what each costs."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from hpsearch.base.types import TrialSpec
from tests.benchmarks.simulated_workers import SIMULATION, Meter, Pace, SimulatedLauncher, train

NAME = "scale"
CASES = {"auto": ("auto", "auto"), "tpe": ("tpe", "none"), "random": ("random", "none")}
"""Sampler and pruner."""
SEND_SEC, DRAW_SEC = 2.0, 0.125
"""How often the sender works, and how often a terminal is drawn."""


@dataclass(frozen=True)
class Setting:
    """What is run.

    Attributes:
        case: key of `CASES`.
        workers: how many.
        points: that the study has before.
        every_sec: between two reports of a worker.
        warm_sec: virtual seconds from when every worker has had a trial until the window.
        window_sec: its length.
        disk_ms: of one wait for the disk.
        tracker: whether MLflow's store is sent to.
        before: folder where the studies are kept that hold the points before.
    """

    case: str
    workers: int
    points: int = 2000
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
    """The sender, every two virtual seconds: in turns with the driver, or in a process of its own as for a session.

    Attributes:
        apart_sec: processor time of that process, which is not the driver's.
    """

    def __init__(self, folder: Path, meter: Meter) -> None:
        from hpsearch.tracking import store
        from hpsearch.tracking.apart import Load, SenderApart
        from hpsearch.tracking.sender import Sender

        uri = store.sqlite_uri(folder.parents[1] / "mlflow.db"), folder.parents[1] / "artifacts"
        self._sender: Any = Sender(folder, *uri)
        self._apart = lambda: SenderApart(folder, *uri, artifact_mib=10.0, timeout_sec=10.0)
        self._meter, self._next = meter, 0.0
        self._load: Load | None = Load(meter.now, lambda: meter.spent["sender"])
        self._names: set[str] = set()
        self.apart_sec = 0.0

    def begin(self) -> None:
        """Send what there is before; nobody is charged for it."""
        with self._meter.part(SIMULATION):
            left = self._sender.send(self._sender.pending())
        assert not left, self._sender.problem

    def changed(self, names: Collection[str]) -> None:
        """Note what is to be sent."""
        self._names.update(names)

    def send(self) -> None:
        """Send it if it is time, and the process of its own is not at work."""
        if (now := self._meter.now()) < self._next or not self._names:
            return
        with self._meter.part("sender"):
            if self._load and self._load.is_much():
                self._sender.close()
                self._sender, self._load = self._apart(), None
            names, self._names = self._names, set()
            self._names |= self._sender.send(names)
        assert self._sender.problem is None, self._sender.problem
        spent = 0.0 if self._load else self._sender.spent
        self._next = now + max(SEND_SEC, spent - self.apart_sec)
        self.apart_sec = spent

    def close(self) -> None:
        """Let go of the store."""
        self._sender.close()


def compose_case(setting: Setting, table: Any, epochs: int | None = None) -> Any:
    """Return the configuration of a case: a function of a user's with the hyperparameters of the table."""
    from hpsearch.config.compose import compose

    sampler, pruner = CASES[setting.case]
    words = [
        "+study=search", f"study.name={NAME}", f"sampler={sampler}", f"pruner={pruner}", "objective=valid_loss",
        "trainer=own", f"trainer._target_={train.__module__}.train",
        "plugins=[tests]", f"+args.epochs={epochs or table.epochs}", "launcher=inline", "tracker=none",
        "study.confirm=0", "budget.points=null", "budget.seconds=1e9", "extend.edges=false",
    ]  # fmt: skip
    words += [f"space.args.{each.key}={each.expression}" for each in table.space.parameters]
    return compose(words)


class _Later(RandomSampler):
    """A sampler that draws at random up to a point, and is another one from then on."""

    def __init__(self, sampler: BaseSampler, drawn: int) -> None:
        super().__init__(seed=0)
        self._sampler, self._drawn = sampler, drawn

    def __new__(cls, sampler: BaseSampler, drawn: int) -> Any:
        return super().__new__(cls) if drawn else sampler

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Return what is sampled together."""
        sampler = super() if trial.number < self._drawn else self._sampler
        return sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Return a point, or nothing while they are drawn at random."""
        sampler = super() if trial.number < self._drawn else self._sampler
        return sampler.sample_relative(study, trial, search_space)


@contextmanager
def driver_in(
    folder: Path,
    composition: Any,
    launcher: SimulatedLauncher,
    meter: Meter,
    observer: Any,
    changed: Callable[[Collection[str]], None] | None = None,
    points: int | None = None,
    drawn: int = 0,
) -> Iterator[Any]:
    """Open a study's record and journal as a session does; yield its driver, resumed.

    The points before number `drawn` are drawn at random, whatever the sampler.
    """
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
        study=study, make_sampler=lambda n: _Later(search.sampler_after(n), drawn), store=store,
        ranges=Ranges(search.space), plan=replace(search.plan, points=points), launcher=launcher, record=record,
        make_spec=spec,
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

    meter, points = Meter(cost=lambda: 0.0), setting.points
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
