"""The search's loop: ask, submit, collect reports, decide, tell. The only writer of the Optuna study.

A point is one Optuna trial; it is trained once per seed and fold, and its score is the mean of these trials. What is
told is recorded first: the event files say how trials ended, so a driver that was killed leaves nothing to guess.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from functools import partial

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState

from hpsearch.base.errors import HpsearchError
from hpsearch.base.memory import survivors_set_aside
from hpsearch.base.observer import Progress
from hpsearch.base.outcome import GIVEN_UP
from hpsearch.base.types import BestPoint, MakeSpec, TrialState
from hpsearch.launch.base import Launcher
from hpsearch.search import requests
from hpsearch.search.ask_tell import SEARCHED_SEC, AskTell
from hpsearch.search.by_hand import give_up, shown
from hpsearch.search.confirm import Confirmation
from hpsearch.search.ending import Ending
from hpsearch.search.extension import Ranges, widening_text
from hpsearch.search.interrupts import Interrupts, interrupts
from hpsearch.search.open_ask_tell import OpenAskTell
from hpsearch.search.plan import Environment, Plan
from hpsearch.search.points import OpenPoints
from hpsearch.search.regain import regain
from hpsearch.search.storage import OpenStore
from hpsearch.search.suggested import SUGGESTED
from hpsearch.tracking.events import read_study
from hpsearch.tracking.record import Record

POLL_SEC = 0.2
SYNC_SEC = 0.2
"""A power cut loses what happened in this time; a killed driver loses nothing."""
SHOW_SEC, SHOW_SHARE = 0.05, 0.02
"""A snapshot is shown so often at most, and takes at most so much of the time: of thousands of trials it takes long."""
REQUEST_SEC = 0.5
"""How often the driver looks at what users ask for by hand."""
TIME_SEC = 2.0
"""A driver that is killed forgets at most so much of the time that it searched."""


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """How a run of the driver ended.

    Attributes:
        interrupted: whether it was stopped before its end.
        counts: trials by state.
        best: the best complete point.
        why: it asked for no further point.
        error: that every point failed of, so that it stopped; empty otherwise.
    """

    interrupted: bool
    counts: Mapping[TrialState, int]
    best: BestPoint | None
    why: str
    error: str = ""


class Driver:
    """Runs one Optuna study to its end, from wherever it stands.

    Args:
        study: the Optuna study; its pruner judges the points.
        make_sampler: (points asked so far) -> the sampler; what it proposes is never a point that was seen before.
        store: written once per tick, before what the record says of the points it knows.
        ranges: what is searched.
        plan: how much.
        launcher: a started launcher.
        record: the study's event files.
        make_spec: (point, params, seed, fold) -> TrialSpec; raises ConfigError for values that cannot be trained.
        environment: who is shown progress, the time, and the load of the machine.
        seed: of the points that replace proposals seen before.
    """

    def __init__(
        self,
        *,
        study: optuna.Study,
        make_sampler: Callable[[int], BaseSampler],
        store: OpenStore,
        ranges: Ranges,
        plan: Plan,
        launcher: Launcher,
        record: Record,
        make_spec: MakeSpec,
        environment: Environment,
        seed: int = 0,
    ) -> None:
        self._store = store
        self._plan = plan
        self._record = record
        self._environment = environment
        ask_tell = OpenAskTell if ranges.space.is_open else AskTell
        self._study: AskTell = ask_tell(study, make_sampler, ranges, seed, environment.observer.line)
        self._points = OpenPoints(plan, self._study, launcher, record, make_spec, environment)
        self._results, self._pool = self._points.results, self._points.pool
        self._confirmation = Confirmation(plan, self._study, self._points, record, make_spec, environment)
        self._ending = Ending(plan, self._study, self._points, self._elapsed_sec)
        self._started_at: float | None = None
        self._earlier_sec = 0.0
        self._heard = () if launcher.detached else (environment.observer.line, self._pool.within_sec)
        self._trains_here = not launcher.detached
        self._interrupts, self._was_asked_to_stop, self._points_on_disk = Interrupts(), False, 0
        self._synced_at = self._show_at = self._timed_at = self._asked_at = -math.inf

    def run(self) -> SearchOutcome:
        """Search until the plan is fulfilled or the user interrupts; a second interrupt raises KeyboardInterrupt.

        Returns:
            How it ended.
        """
        keeps = nullcontext() if self._trains_here else survivors_set_aside()  # who trains drops what it has made
        with interrupts(*self._heard) as self._interrupts, keeps, self.searching():
            while self.step():
                pass
            self._show()
        unfinished = len(self._points) > 0 or self._confirmation.unfinished > 0 or not self.why_no_more_points
        return self.outcome(self._interrupts.count > 0 and unfinished)

    @contextmanager
    def searching(self) -> Iterator[None]:
        """Search in the block, step by step; its time counts, and at its end everything is on the disk.

        Yields:
            Nothing. Trials that run when an error leaves the block were cut off.
        """
        self._started_at = self._environment.timer()
        try:
            yield
        except BaseException:
            for last in (self._pool.abandon, self._save):
                with suppress(HpsearchError):  # the error that ends the search is the one to tell
                    last()
            raise
        self._save()

    def _save(self) -> None:
        self._study.study.set_user_attr(SEARCHED_SEC, self._elapsed_sec())
        self.flush()

    def flush(self) -> None:
        """Wait until everything asked and told so far is on the disk."""
        self._record.flush()
        self._store.flush()

    @property
    def why_no_more_points(self) -> str:
        """Why no further point is asked for, or the empty string."""
        return self._ending.why_no_more_points()

    @property
    def points(self) -> OpenPoints:
        """The points that were asked and not told yet."""
        return self._points

    @property
    def asked(self) -> int:
        """How many points were asked so far, by earlier drivers too."""
        return self._study.asked

    def outcome(self, interrupted: bool) -> SearchOutcome:
        """Return how the search stands, which was interrupted or not."""
        why = self.why_no_more_points
        waits = 0 if interrupted else self._points.unfinished + self._confirmation.unfinished
        paused, waiting = Counter({TrialState.PAUSED: self._points.number_paused}), Counter({TrialState.WAITING: waits})
        if paused.total() or waiting.total():
            why = self._ending.why_nothing_more() or why
        counts = dict(self._results.counts + paused + waiting)
        return SearchOutcome(interrupted, counts, self._results.leading, why, self._points.why_none_works())

    def step(self) -> bool:
        """Fill the slots, wait a little, handle what happened; return whether there is more to do."""
        self._take_requests()
        self._pause_or_fill_slots()
        self._write_points()
        self._pool.submit()
        if load := self._environment.system(self._environment.timer()):
            self._record.study("system", self._environment.clock(), metrics=load, total=self.total)
        self._record.write()
        self._show()
        if not self._pool.busy and not self._pool.waits_for_workers:
            self._drop_paused()
            return self._confirms()
        for done in self._pool.poll(POLL_SEC):
            if done.result.state in (TrialState.PAUSED, TrialState.WAITING) and self._pool.paused:
                continue
            if done.spec.id in self._confirmation:
                self._confirmation.ended(done)
            elif self._points.ended(done):
                self._widen()
        return True

    def _confirms(self) -> bool:
        """Go on with the fresh seeds once the search has ended; return whether there is something to train."""
        if self._interrupts.count or not self._ending.why_no_more_points():
            return False
        return self._confirmation.begin(self._ending.why_time_is_up())

    def _write_points(self) -> None:
        """Write what was asked and told, and every now and then wait until it is on the disk.

        The disk learns of a point before its trials' ends, and of these before it is told: a power cut leaves neither
        trials of unknown points nor, but for points younger than `SYNC_SEC`, a score without its curve.
        """
        self._record.guard()
        now = self._environment.timer()
        if self._plan.seconds is not None and now - self._timed_at >= TIME_SEC:
            self._timed_at = now
            self._study.study.set_user_attr(SEARCHED_SEC, self._elapsed_sec())
        if now - self._synced_at < SYNC_SEC:
            self._store.write()
            return
        self._synced_at = now
        self._record.sync(below=self._points_on_disk)
        self._store.flush()
        self._points_on_disk = self._study.asked
        self._record.sync()

    def _elapsed_sec(self) -> float:
        """Return the time that drivers of this study have searched."""
        return self._earlier_sec + (0.0 if self._started_at is None else self._environment.timer() - self._started_at)

    def _pause_or_fill_slots(self) -> None:
        """Start what there is to start, until the user asks to stop or the time is up."""
        if self._interrupts.count and not self._was_asked_to_stop:
            self._was_asked_to_stop = True
            self._pool.interrupt()
        elif (why := self._ending.why_time_is_up()) and not self._pool.paused:
            self._pool.pause(why)
        elif not self._pool.paused:
            starts = (self._points.start_replicate, self._promote, self._ask)
            while self._pool.free > 0 and any(start() for start in (*starts[2:] * self._plan.rounds, *starts)):
                pass

    def _promote(self) -> bool:
        """Let a paused point go on, where the pruner chooses one; beyond the budget only while none is complete.

        A search that spent everything on first epochs still brings its best point to the end.

        Returns:
            Whether one goes on.
        """
        if self._points.why_none_works() or self._ending.why_time_is_up() or self._pool.is_backed_up:
            return False
        if self._ending.why_nothing_more() and (self._results.best is not None or not self._pool.idle):
            return False
        return self._points.promote(asking=not self._ending.why_no_more_points())

    def _ask(self) -> bool:
        if self._ending.why_no_more_points():
            return False
        point = self._points.open(self._study.ask())
        if point.skipped:
            self._points.skip(point.trial.number)
        return True

    def _take_requests(self) -> None:
        """Do what users ask for by hand, every now and then."""
        now = self._environment.timer()
        if now - self._asked_at < REQUEST_SEC:
            return
        self._asked_at = now
        for request in requests.left(self._record.folder):
            try:
                self._environment.observer.line(self._done(request))
            except HpsearchError as error:
                self._environment.observer.line(str(error))

    def _done(self, request: requests.Request) -> str:
        """Do what is asked for; return what is said of it."""
        if request.params is not None:
            trial = self._study.add(request.params)
            self._points.open(trial)
            return f"point {trial.number} is added by hand: {shown(request.params)}"
        assert request.skip is not None, "a request asks for something"
        frozen = give_up(self._study.study, request.skip)
        if frozen.state is OptunaState.RUNNING:
            self._points.skip(request.skip)
        return f"point {request.skip} is {GIVEN_UP}"

    def _drop_paused(self) -> None:
        """Tell the points that were paused and never chosen, unless a resumed run may choose them as it is.

        With a larger `budget.points` or `budget.patience` they wait again, see `OpenPoints.may_run_again`.
        """
        if self._interrupts.count or self._ending.why_nothing_more():
            return
        for number in self._points.paused:
            if self._points.drop(number, self._ending.raisable):
                self._widen()

    def _widen(self) -> None:
        """Widen the ranges at whose edge the best point lies, and take back what brought only failures."""
        if self._results.best is None or self._ending.why_no_more_points():
            return
        for change in (self._study.take_back, partial(self._study.widen, self._results.best.params)):
            widenings = change()
            if not widenings:
                continue
            self._points.reopen()
            self._study.reseed()
            for widening in widenings:
                expression = self._study.space.to_dict()[widening.name]
                self._record.study("extended", self._environment.clock(), **asdict(widening), expression=expression)
                self._environment.observer.line(widening_text(widening))

    def resume(self) -> bool:
        """Take over what earlier drivers left: count what is told, go on with what is not.

        Returns:
            Whether there is something to do; `run` does it.
        """
        for line in regain(self._study, self._record, self._plan):
            self._environment.observer.line(line)
        self._earlier_sec = float(self._study.study.user_attrs.get(SEARCHED_SEC, 0.0))
        asked = self._take_back_what_may_run_again()
        for frozen in asked:
            self._study.asked += frozen.state is not OptunaState.WAITING
            if frozen.state.is_finished():
                self._points.recall(frozen)
            elif frozen.state is OptunaState.RUNNING:
                self._points.take_over(frozen)
        if self._study.enqueue():
            self._store.flush()
        self._study.reseed()
        self._take_requests()
        self._widen()
        confirms = self._confirmation.resume()
        self._record_best()
        self._record_suggested()
        if self._ending.why_time_is_up():
            return False
        running = confirms or len(self._points) > self._points.number_paused
        may_go_on = self._results.best is None or not self._ending.why_nothing_more()
        return running or (len(self._points) > 0 and may_go_on) or not self._ending.why_no_more_points()

    def _record_best(self) -> None:
        """Record the best point where the driver before was killed between telling it and recording it."""
        best = self._results.leading
        if best is not None and (read_study(self._record.folder).get("best") or {}).get("point") != best.point:
            self._record.study("best", self._environment.clock(), **asdict(best))

    def _record_suggested(self) -> None:
        """Record what was suggested where the driver before was killed between storing and recording it."""
        space = self._study.space
        if space.is_open and read_study(self._record.folder).get(SUGGESTED, {}) != space.to_dict():
            self._record.study(SUGGESTED, self._environment.clock(), space=space.to_dict())

    def _take_back_what_may_run_again(self) -> list[FrozenTrial]:
        """Return every point; those that a limit ended which was raised since are running or wait again."""
        again = [frozen.number for frozen in self._study.trials() if self._points.may_run_again(frozen)]
        if again:
            self._study.run_again(again)
            self._store.flush()
            points = ", ".join(map(str, again))
            self._environment.observer.line(f"points that a limit ended, now raised, may go on: {points}")
        return self._study.trials()

    def _show(self) -> None:
        now = self._environment.timer()
        if self._pool.busy and now < self._show_at:
            return
        running = self._pool.running()
        open_ = Counter({TrialState.RUNNING: len(running), TrialState.PAUSED: self._points.number_paused})
        self._environment.observer.update(
            Progress(
                study=self._study.name,
                total=self.total,
                counts=self._results.counts + open_,
                running=running,
                best=self._results.leading,
                elapsed_sec=self._elapsed_sec(),
                metric=self._plan.objective.metric,
            )
        )
        self._show_at = now + max(SHOW_SEC, (self._environment.timer() - now) / SHOW_SHARE)

    @property
    def left(self) -> int | None:
        """How many trials are to be trained at most; None where nobody knows."""
        return None if self.total is None else self.total - self._results.counts.total()

    @property
    def total(self) -> int | None:
        """How many trials there are at most, those of points that were added by hand among them."""
        limits = [n for n in (self._study.size, self._plan.points) if n is not None]
        points = max(min(limits), self._study.asked) if limits else 0
        return points * len(self._plan.replicates) + self._confirmation.size if limits else None
