"""Two drivers of one study in this process: the first leads and trains, the other one trains."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from hpsearch.base.types import TrialId
from hpsearch.launch.processes import ProcessLauncher
from hpsearch.search.shared import trial_files
from hpsearch.search.shared.database import Database
from hpsearch.search.shared.launcher import SharedLauncher
from hpsearch.search.shared.leading import Succession
from hpsearch.search.shared.leases import Lease
from hpsearch.search.shared.member import Member, OwnWorkers
from tests.support import trial_functions

STUDY = "s"
LEASE_SEC = 30.0


class _Driver:
    """A part in the study, with one worker of its own."""

    def __init__(self, url, folder, specs):
        folder.mkdir()
        self.local = ProcessLauncher(workers=1, log_folder=folder)
        self.local.start(trial_functions.by_name)
        self.lease = Lease(url, STUDY, 1, LEASE_SEC, 60.0)
        arrived = partial(Path.mkdir, parents=True, exist_ok=True)
        self.member = Member(Database(url), STUDY, self.lease, self.local, specs, folder, arrived=arrived)


class SharedDrivers:
    """A launcher of both, whose trials have whatever configuration is submitted: a key alone goes to the other one.

    Args:
        url: of an empty database.
        folder: of both.
    """

    def __init__(self, url, folder):
        self._database = Database(url)
        self._database.open()
        self._specs: dict[TrialId, object] = {}
        self._attempts = count(1)
        self.stopped = False
        self._drivers = [_Driver(url, folder / str(number), self._of) for number in range(2)]
        first = self._drivers[0]
        self.leading = Succession(self._database, STUDY, first.lease, LEASE_SEC).look()
        self._files = folder / "files"
        own = OwnWorkers(first.member, first.local)
        self._shared = SharedLauncher(self.leading, own, LEASE_SEC, self._fetch, lambda _: None)

    def __getattr__(self, name):
        return getattr(self._shared, name)

    def _of(self, study) -> Callable:
        assert study == STUDY
        return lambda point, params, seed, fold: self._specs[TrialId(point, seed, fold)]

    def _fetch(self, stem):
        under = f"trials/{stem}"
        self.leading.run(partial(trial_files.fetch, study=STUDY, under=under, folder=self._files))
        spec = next(spec for trial, spec in self._specs.items() if trial.stem == stem)
        if spec.folder and (self._files / under).is_dir():
            shutil.copytree(self._files / under, spec.folder, dirs_exist_ok=True)

    def submit(self, slot, specs):
        """Every attempt of a trial has another number, as the driver of a search gives it."""
        (spec,) = specs
        self._specs[spec.id] = replace(spec, attempt=next(self._attempts))
        self._shared.submit(slot, (self._specs[spec.id],))

    def stop(self, now=False):
        self.stopped = True
        self._shared.stop(now)

    def rows(self, statement):
        return self._database.run(lambda cursor: cursor.execute(statement).fetchall())

    def end(self):
        for driver in self._drivers:
            driver.member.stop()
            driver.local.stop(now=True)
            driver.lease.close(self._database.run)
        self._database.close()
