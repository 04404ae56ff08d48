"""The driver with a scripted launcher: no torch, no processes, no waiting."""

import itertools
from collections import Counter
from contextlib import contextmanager
from functools import partial

import optuna

from hpsearch.base.types import Objective, Report, Started, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.search.driver import Driver
from hpsearch.search.extension import Ranges, present_study
from hpsearch.search.plan import Environment, Plan
from hpsearch.search.samplers import Grid
from hpsearch.search.space import Space
from hpsearch.search.storage import JournalStore, open_study
from hpsearch.search.suggested import open_space, suggested_in
from hpsearch.tracking.events import read_trials
from hpsearch.tracking.record import Record
from tests.support.fake_launcher import FakeLauncher

LR = {"lr": "choice(0.1, 0.2, 0.4)"}


COMPLETE = TrialResult(TrialState.COMPLETE)


def make_spec(folder, config, point, params, seed, fold):
    trial = TrialId(point, seed, fold)
    return TrialSpec("s", trial, config, params, (), f"{params}", str(folder / trial.stem))


class Lines:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.lines = []
        self.line = self.lines.append

    def update(self, progress):
        pass


class Setup:
    """One driver after the other on the same folder."""

    def __init__(self, folder, space=LR, sampler=None, pruner=None, **plan):
        self.folder = folder
        self.space = space if isinstance(space, Space) else Space.parse(space)
        self.sampler = sampler or (lambda n: Grid())
        self.pruner = pruner
        objective = plan.pop("objective", Objective("valid/acc"))
        self.extension = plan.pop("extension", None)
        self.known = plan.pop("known", ())
        self.config = plan.pop("config", {"trainer": {"epochs": 3}})
        self.plan = Plan(objective, plan.pop("seeds", (0, 1)), **plan)
        self.tick_sec = 1.0
        self.observer = Lines()
        self.launcher = None

    def run(self, script, kind=FakeLauncher, **launcher):
        with self.driver(kind(script, **launcher)) as driver:
            self.todo = driver.resume()
            return driver.run()

    @contextmanager
    def driver(self, launcher):
        store = JournalStore().open(self.folder)
        name = present_study(store.storage, "s")
        study = open_study(store, name, self.pruner or optuna.pruners.NopPruner(), self.plan.objective)
        widened = study.user_attrs.get("space")
        self.launcher = launcher
        clock = itertools.count(1000.0, self.tick_sec)
        ticks = itertools.count()
        polls = lambda: float(launcher.polls if hasattr(launcher, "polls") else next(ticks))  # noqa: E731
        self.record = record = Record(self.folder)
        driver = Driver(
            study=study, make_sampler=self.sampler, store=store, plan=self.plan, launcher=self.launcher, record=record,
            ranges=Ranges(self.present(study, widened), self.space, self.extension, self.known),
            make_spec=partial(make_spec, self.folder, self.config),
            
            environment=Environment(self.observer, lambda: next(clock), timer=polls),
        )  # fmt: skip
        try:
            yield driver
        finally:
            record.close()
            store.close()

    def present(self, study, widened):
        if self.space.is_open:
            return open_space(suggested_in(study))
        return Space.parse(widened) if widened else self.space

    def study(self):
        store = JournalStore().open(self.folder)
        study = open_study(store, present_study(store.storage, "s"), optuna.pruners.NopPruner(), self.plan.objective)
        store.close()
        return study

    def records(self):
        return read_trials(self.folder)


class Killed(BaseException):
    pass


class Uneven(FakeLauncher):
    """Its trials are silent for some polls: a script yields None for each."""

    def _next(self, slot, spec, script):
        if spec.id in self.unanswered:
            return []
        item = next(script)
        if item is None:
            return []
        self.running[slot] = (spec, itertools.chain([item], script))
        return super()._next(slot, spec, self.running[slot][1])


def resumes(values, metric="valid/acc"):
    """A script that goes on after the last epoch that its trial reported in an earlier attempt."""
    reached = Counter()

    def script(spec):
        yield Started(reached[spec.id] or None, {"parameters": 100 * (1 + spec.id.point)}, 0.0)
        for epoch, value in enumerate(values(spec), 1):
            if epoch > reached[spec.id]:
                reached[spec.id] = epoch
                yield Report(epoch, epoch * 10, {metric: value}, (), float(epoch))
        yield TrialResult(TrialState.COMPLETE)

    script.reached = reached
    return script
