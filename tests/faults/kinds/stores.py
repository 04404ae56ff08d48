"""MLflow's store: locked, away, in trouble, replaced, set back in time, shared with another folder, changed by hand."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

from tests.faults.harness.facts import facts
from tests.faults.harness.registry import kind
from tests.faults.harness.run import LIMIT_SEC, Run
from tests.faults.harness.surroundings import EVERYWHERE, GRIDS
from tests.support.bad_proxy import Proxy, proxy

LAST = "(SELECT run_uuid FROM runs JOIN tags USING (run_uuid) WHERE key = 'hpsearch.trial' ORDER BY run_uuid LIMIT 1)"


def _store(run: Run) -> Path:
    return run.folder / "mlflow.db"


def _has_runs(store: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM runs").fetchone()[0] > 0
    except sqlite3.Error:
        return False


def _change(store: Path, statement: str) -> None:
    with closing(sqlite3.connect(store, timeout=60)) as db, db:
        db.execute(statement)


def _meanwhile(run: Run, change: Callable[[], object]) -> None:
    """Change the store while the study runs, once there is something in it; then let the same command look again."""
    run.start()
    run.wait_until(lambda: _has_runs(_store(run)))
    run.moment()
    if _store(run).exists():
        change()
    run.expect(0)
    run.start()
    run.expect(0)


def _afterwards(run: Run, change: Callable[[], object]) -> None:
    """Change the store of a complete study; `sync` or the same command fills it."""
    run.start()
    run.expect(0)
    change()
    if run.random.random() < 0.5 and run.command("sync").wait() != 0:
        run.complaints.append("sync failed")
    run.start()
    run.expect(0)


@kind("store locked while it runs", under=EVERYWHERE)
def locked(run: Run) -> None:
    run.start()
    run.wait_until(lambda: _has_runs(_store(run)))
    with closing(sqlite3.connect(_store(run), timeout=60, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        run.moment("end")
    run.expect(0)
    if run.command("sync").wait() != 0:
        run.complaints.append("sync failed")


@kind("store removed while it runs", under=EVERYWHERE)
def removed(run: Run) -> None:
    _meanwhile(run, _store(run).unlink)


@kind("store removed afterwards", under=GRIDS)
def removed_afterwards(run: Run) -> None:
    _afterwards(run, _store(run).unlink)


@kind("store and artifacts removed afterwards", under=GRIDS)
def all_removed(run: Run) -> None:
    def remove() -> None:
        _store(run).unlink()
        shutil.rmtree(run.folder / "mlartifacts")

    _afterwards(run, remove)


@kind("store set back to an older one", under=EVERYWHERE)
def set_back(run: Run) -> None:
    older = run.place / "older.db"
    run.start()
    run.wait_until(lambda: _has_runs(_store(run)))
    run.moment("middle")
    with closing(sqlite3.connect(_store(run))) as db, closing(sqlite3.connect(older)) as copy:
        db.backup(copy)
    run.expect(0)
    shutil.copy(older, _store(run))
    if run.random.random() < 0.5 and run.command("sync").wait() != 0:
        run.complaints.append("sync failed")
    run.start()
    run.expect(0)


@kind("run gone from the store", under=GRIDS)
def run_gone(run: Run) -> None:
    def remove() -> None:
        with closing(sqlite3.connect(_store(run))) as db, db:
            (gone,) = db.execute(f"SELECT {LAST}").fetchone()
            for table in ("metrics", "latest_metrics", "params", "tags", "runs"):
                db.execute(f"DELETE FROM {table} WHERE run_uuid = ?", (gone,))

    _afterwards(run, remove)


@kind("run deleted by its user", under=GRIDS)
def run_deleted(run: Run) -> None:
    change = f"UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = {LAST}"
    _afterwards(run, lambda: _change(_store(run), change))
    run.excuse("nothing_is_there_twice", "has no run in the store", "a run that was deleted stays so")
    if len(_runs(run.folder)) != len(facts(run.calm / "work").runs) - 1:  # type: ignore[operator]
        run.complaints.append("more or less than the one run is gone")


@kind("experiment renamed by its user", under=EVERYWHERE)
def experiment_renamed(run: Run) -> None:
    _meanwhile(run, lambda: _change(_store(run), "UPDATE experiments SET name = 'mine' WHERE name = 's'"))


@kind("experiment deleted by its user", under=GRIDS)
def experiment_deleted(run: Run) -> None:
    def delete() -> None:
        for table in ("experiments", "runs"):
            _change(_store(run), f"UPDATE {table} SET lifecycle_stage = 'deleted' WHERE experiment_id > 0")

    run.start()
    run.expect(0)
    delete()
    if run.command("sync").wait() != 0:
        run.complaints.append("sync failed")
    if _runs(run.folder):
        run.complaints.append("sync brought the experiment back")
    run.start()  # which has something to say of the study
    run.expect(0)


@kind("notes of what was sent removed", under=EVERYWHERE)
def notes_removed(run: Run) -> None:
    run.start()
    run.moment("middle")
    run.kill(run.driver)
    run.wait()
    for folder in run.folder.glob("studies/*/tracking"):
        shutil.rmtree(folder)
    run.start()
    run.expect(0)


@kind("two folders with one store", under=GRIDS)
def two_folders(run: Run) -> None:
    _with_another(run, copied=False)


@kind("copied project with one store", under=GRIDS)
def copied(run: Run) -> None:
    _with_another(run, copied=True)


def _with_another(run: Run, copied: bool) -> None:
    """Run the study in a second folder as well, which is started again there: the first one's runs are as they were."""
    other = run.place / "other"
    run.always = (f"tracker.uri=sqlite:///{_store(run)}",)
    run.start()
    if copied:
        run.moment("middle")
        run.kill([*run.driver, *run.others])
        run.wait()
        shutil.copytree(run.folder, other)
        run.start()
    else:
        other.mkdir()
    for words in ((), ("study.restart=true",)):
        second = run.command(*run.surroundings.words, *run.always, *words, cwd=other)
        if second.wait() != 0:
            run.complaints.append(f"the second folder ended with exit code {second.returncode}")
    run.expect(0)
    _take_out(run, other)


def _take_out(run: Run, other: Path) -> None:
    """Take the runs of the other folder out of the store; hold against it what it has in common with the first."""
    ours, theirs = _sent_from(run, run.folder), _sent_from(run, other)
    if not ours or not theirs or ours & theirs:
        run.complaints.append(f"experiments of the first folder: {sorted(ours)}, of the second: {sorted(theirs)}")
    with closing(sqlite3.connect(_store(run))) as db, db:
        for experiment in theirs - ours:
            db.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE experiment_id = ?", (experiment,))


def _sent_from(run: Run, folder: Path) -> set[int]:
    with closing(sqlite3.connect(_store(run))) as db:
        rows = db.execute("SELECT experiment_id FROM experiment_tags WHERE value LIKE ?", (f"%:{folder}/studies/s",))
        return {row[0] for row in rows}


def _runs(folder: Path) -> list[tuple[str, str, str]]:
    return facts(folder).runs


@kind("project copied with its store", under=GRIDS)
def copied_with_its_store(run: Run) -> None:
    _goes_on_elsewhere(run, shutil.copytree)


@kind("project moved with its store", under=EVERYWHERE)
def moved_with_its_store(run: Run) -> None:
    _goes_on_elsewhere(run, Path.rename)


def _goes_on_elsewhere(run: Run, put: Callable[[Path, Path], object]) -> None:
    """Let the study go on in another folder; nothing is written into the first one any more."""
    first, other = run.folder, run.place / "other folder"
    run.start()
    run.moment("middle")
    run.kill([*run.driver, *run.others])
    run.wait()
    put(first, other)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    run.folder = other
    run.start()
    run.expect(0)
    if {path: path.stat().st_mtime_ns for path in first.rglob("*")} != before:
        run.complaints.append("the first folder was written to")


@kind("server in trouble", under=GRIDS)
def server_in_trouble(run: Run) -> None:
    served = _served(run)
    served.share = run.random.uniform(0.05, 0.4)
    run.start()
    run.expect(0)
    served.share = 0.0
    if run.command("sync", *run.always).wait() != 0:
        run.complaints.append("sync failed")


@kind("server away while it runs", under=GRIDS)
def server_away(run: Run) -> None:
    served = _served(run)
    served.among, served.share = ("closed",), 1.0
    run.start()
    run.moment()
    served.share = run.random.choice([0.0, 1.0])
    run.expect(0)
    served.share = 0.0
    if run.command("sync", *run.always).wait() != 0:
        run.complaints.append("sync failed")


def _served(run: Run) -> Proxy:
    """Start a server of the folder's store, and a proxy that the study sends to."""
    from hpsearch.tracking import ui
    from hpsearch.tracking.store import create_store, sqlite_uri

    ui.START_SEC = LIMIT_SEC  # a machine that runs a campaign is busy
    stack, artifacts = ExitStack(), run.folder / "mlartifacts"
    run.cleanups.append(stack.close)
    create_store(sqlite_uri(_store(run)), artifacts)
    port = ui.free_port(5300 + run.random.randrange(500))
    stack.enter_context(ui.server(sqlite_uri(_store(run)), str(artifacts), port))
    served = stack.enter_context(proxy(port, run.random.random()))
    run.always = (f"tracker.uri={served.address}", "tracker.timeout_sec=1")
    return served
