"""One trial outside a search: train and track it, or train a logged one again and compare the curves."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.commands import not_seeded, script_command, shown_path
from hpsearch.base.devices import not_promised
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.failures import Failure
from hpsearch.base.leftovers import temporary_folder
from hpsearch.base.observer import Observer, Progress
from hpsearch.base.types import Decision, Objective, Report, TrialId, TrialResult, TrialSpec, TrialState
from hpsearch.base.widths import WIDTHS
from hpsearch.base.words import number
from hpsearch.config.build import build
from hpsearch.config.compose import Composition, TrialConfig, compose
from hpsearch.config.record import read_back
from hpsearch.launch.base import Launcher
from hpsearch.progress.display import Silent, shown
from hpsearch.search.interrupts import RAISE, interrupts, saved_first
from hpsearch.search.live import Finished
from hpsearch.search.pool import Decide, Pool
from hpsearch.search.watch import UNLIMITED, TimeLimits
from hpsearch.study.differing import differences, first_difference
from hpsearch.study.folder import folder_of
from hpsearch.study.fuse import beside_copies, check_copies
from hpsearch.study.origins import Origins
from hpsearch.study.reasons import conditions, reasons, unknown, without_reason
from hpsearch.study.session import StudySession
from hpsearch.study.single_checks import check_single
from hpsearch.study.specs import check_inside, compose_again, find_source, find_trial, spec_of, tracking_uri
from hpsearch.study.workers import Workers, trains_own_code
from hpsearch.tracking.events import TrialRecord, check_command, read_trial, read_trials, replay_command
from hpsearch.tracking.machine import environment
from hpsearch.tracking.provenance import environments
from hpsearch.tracking.query import failure_of
from hpsearch.tracking.record import Record

POLL_SEC = 0.2
GPU_MEMORY = "gpu_memory_mib"
"""The metric that reports have of a GPU alone."""
"""Keys of a search that hold for a single trial as well."""


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """A single trial after a run of its command.

    Attributes:
        run: its name: STUDY/POINT/SEED.
        state: how it ended.
        reason: why, for every state but COMPLETE.
        metrics: of its last epoch.
        epochs: it trained.
        folder: its files.
        replay_command: trains it again.
        check_command: trains it again from the record and compares the curves.
        ui_command: opens MLflow, None without a tracking store.
        elapsed_sec: of this run.
        notes: what the user should know.
        weights: which weights its validation and test are of, where they are averaged.
        failure: what it has to say where it FAILED, with traceback and log.
    """

    run: str
    state: TrialState
    reason: str
    metrics: Mapping[str, float]
    epochs: float
    folder: Path
    replay_command: str
    check_command: str
    ui_command: str | None
    elapsed_sec: float
    notes: tuple[str, ...]
    weights: str = ""
    failure: Failure | None = None

    @property
    def exit_code(self) -> int:
        """0 trained (or diverged, which is a result), 1 FAILED, 130 interrupted."""
        return {TrialState.FAILED: 1, TrialState.PAUSED: 130, TrialState.WAITING: 130}.get(self.state, 0)


@dataclass(frozen=True, slots=True)
class ReplayOutcome:
    """A trial trained again beside its logged curve.

    Attributes:
        run: its name: STUDY/POINT/SEED.
        logged: the reports on record, by epoch.
        again: the reports of this run, by epoch.
        state: how this run ended; the logged state may differ.
        logged_state: how the trial on record ended.
        reason: of this run's state.
        differences: what is not the same, one line each; measured times are not compared.
        largest: the largest absolute difference of a metric.
        changed: what of the trial's code and data changed since it was trained, in a sentence; empty where nothing did.
        not_promised: what training again on this device does not promise, in a sentence; empty where it promises all.
        first: where the curves part, in a sentence; empty where they do not.
        first_step: whether they do at the first update, or before it.
        reasons: why they may, the likeliest first; or that nothing on record says why.
        unknown: what they may differ by and is not on record, in words; empty where all is.
    """

    run: str
    logged: tuple[Report, ...]
    again: tuple[Report, ...]
    state: TrialState
    logged_state: TrialState
    reason: str
    differences: tuple[str, ...]
    largest: float
    not_promised: str = ""
    changed: str = ""
    first: str = ""
    first_step: bool = False
    reasons: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def same(self) -> bool:
        """Whether every compared value is the same, bit for bit."""
        return not self.differences


def run_trial(
    overrides: Sequence[str] = (),
    *,
    config_dirs: Sequence[str | Path] = (),
    observer: Observer | None = None,
    on_interrupt: str = RAISE,
) -> TrialOutcome:
    """Train one trial and track it in the experiment ``single``.

    An unfinished trial of the same configuration goes on from its checkpoint.

    Args:
        overrides: Hydra overrides.
        config_dirs: folders with configuration of your own.
        observer: shows progress; a display by default, `hpsearch.Silent()` shows nothing.
        on_interrupt: after Ctrl-C or SIGTERM, once everything is saved: ``raise`` KeyboardInterrupt, or ``return``.

    Returns:
        The result. Bad input raises one of the errors of `hpsearch.base.errors`, overrides that name a study or a
        search space a `ConfigError`.

    Example:
        >>> outcome = run_trial(["optimizer.lr=0.1", "trainer.epochs=2", "launcher=inline", "tracker=none"])
        >>> print(outcome.run, outcome.state)
        single/0/0 COMPLETE
    """
    with saved_first(on_interrupt):
        return run_composed(compose(overrides, config_dirs), observer)


def run_composed(composition: Composition, observer: Observer | None = None) -> TrialOutcome:
    """Train the trial that words were composed to, see `run_trial`."""
    started = time.monotonic()
    check_single(composition)
    filled = composition.trial({}, composition.config["seed"], composition.config["fold"])
    with shown(observer) as display, StudySession(composition, display) as session:
        origins = Origins()
        checked = session.check({"": filled.config})
        check_copies(session, filled.config)
        origins.data.learn(checked.states)
        lineage = _lineage(filled.config, checked.facts[0], origins)
        for line in lineage:
            display.line(line)
        session.open()
        spec, logged = _spec_in(session.folder, composition, filled, origins, display.line)
        spec = beside_copies(origins.stamped(spec, session.record), session.workers.launcher)
        finished = _train(
            spec,
            session.workers.launcher,
            session.record,
            session.objective,
            display,
            logged=logged,
            limits=TimeLimits.in_budget(composition.config["budget"]),
        )
        last = session.record.trial(spec.id)
        session.conclude(finished.result.state)
        outcome = TrialOutcome(
            run=f"{session.folder.name}/{spec.id}",
            state=finished.result.state,
            reason=finished.result.reason,
            metrics=last.reports[-1].metrics if last and last.reports else {},
            epochs=finished.epochs,
            folder=Path(spec.folder),
            replay_command=replay_command(session.folder.name, last or spec),
            check_command=check_command(session.folder.name, spec),
            ui_command=session.ui_command(),
            elapsed_sec=time.monotonic() - started,
            notes=lineage,
            weights=str(last.facts.get("weights", "")) if last else "",
            failure=failure_of(last, session.folder) if last and last.state is TrialState.FAILED else None,
        )
        return replace(outcome, notes=(*outcome.notes, *session.finish(outcome)))


def _lineage(config: Mapping[str, Any], told: Mapping[str, Any], origins: Origins) -> tuple[str, ...]:
    """Return what is said of a trial that goes on from the last state of another one; nothing of any other."""
    name = config["trainer"].get("continued")
    if name is None:
        return ()
    study, logged = find_trial(name, None)
    epoch, before, now = told["continued"]
    changed = origins.changed_since(folder_of(study), logged)
    said = (
        f"goes on from {name} after epoch {epoch}; its schedule is that of all epochs from the start, read from there"
    )
    rate = "" if before is None else f": the learning rate was {number(before)} and is {number(now)}"
    return (f"{said}{rate}", *([f"{name}: {changed}"] if changed else ()))


def _spec_in(
    folder: Path, composition: Composition, filled: TrialConfig, origins: Origins, line: Callable[[str], None]
) -> tuple[TrialSpec, TrialRecord | None]:
    """Return the trial to train: one of the same key that is unfinished, or may run again; else the next number.

    One that other code began, or on other data, is left as it is.
    """
    trials = read_trials(folder)
    for trial in trials:
        again = TimeLimits.in_budget(composition.config["budget"]).allow_again(trial.ended_by)
        if trial.key == filled.key and (again or not trial.state.finished):
            if changed := origins.changed_since(folder, trial):
                line(f"{folder.name}/{trial.id} is not gone on with: {changed}")
                continue
            return replace(spec_of(composition, filled, folder, trial.id, {}), attempt=trial.attempts + 1), trial
    point = 1 + max((trial.id.point for trial in trials), default=-1)
    seed, fold = composition.config["seed"], composition.config["fold"]
    return spec_of(composition, filled, folder, TrialId(point, seed, fold), {}), None


def _train(
    spec: TrialSpec,
    launcher: Launcher,
    record: Record,
    objective: Objective,
    observer: Observer,
    *,
    logged: TrialRecord | None = None,
    decide: Decide = lambda _trial, _report: Decision.CONTINUE,
    limits: TimeLimits = UNLIMITED,
) -> Finished:
    """Train one trial in a pool of its own; an interrupt pauses it, a second one stops it."""
    pool = Pool(launcher, record, objective, decide=decide, clock=time.time, line=observer.line, limits=limits)
    if logged is not None and logged.state.finished:
        record.again(spec.id, time_of_day())
    pool.add(spec, logged.curve(objective.metric) if logged else None)
    started = time.monotonic()
    heard = () if launcher.detached else (observer.line, pool.within_sec)
    with interrupts(*heard) as asked:
        try:
            while pool.busy or not asked.count:
                if asked.count and not pool.paused:
                    pool.interrupt()
                pool.submit()
                record.flush()
                running, elapsed_sec = pool.running(), time.monotonic() - started
                counts = {TrialState.RUNNING: len(running)}
                observer.update(Progress(spec.study, 1, counts, running, None, elapsed_sec, objective.metric))
                if finished := pool.poll(POLL_SEC):
                    return finished[0]
        except BaseException:
            pool.abandon()
            raise
    return Finished(spec, TrialResult(TrialState.PAUSED, "interrupted"), (math.nan,), {})


def replay(
    run: str,
    *,
    function: str | None = None,
    overrides: Sequence[str] = (),
    config_dirs: Sequence[str | Path] = (),
    observer: Observer | None = None,
) -> ReplayOutcome:
    """Train a logged trial again, from what was logged, and compare the curves.

    Args:
        run: an MLflow run id, or STUDY/POINT/SEED[/FOLD].
        function: path of the user's own that trains it, wherever the one on record stood; None: that one.
        overrides: of the launcher and the tracker: where to train and where the run is found; others give what a
            record does not hold: values of the environment, and the words of a program (``trainer.command``).
        config_dirs: folders with configuration of your own; plugins are taken from here, never from the logged run.
        observer: shows progress; by default nothing is shown.

    Returns:
        Both curves and their differences.

    Raises:
        ConfigError: the trial was a script, which is to be run again by itself; or no function of a user's.
        StorageError: there is no such trial, or nothing of it is on record.
        KeyboardInterrupt: it was interrupted; nothing of it is kept.
    """
    observer, (composition, words) = observer or Silent(), compose_again("replay", overrides, config_dirs)
    study, logged = find_trial(run, tracking_uri(composition))
    check_inside(study, logged)
    if not logged.reports and not logged.state.finished:
        raise StorageError(f"trial {study}/{logged.id} has nothing on record to compare with")
    if (script := script_command(logged.config)) is not None:
        raise ConfigError(f"RUN = '{run}': is a script that reported by itself; run it again: {script}")
    if isinstance(composition.config["launcher"].get("threads"), int) and "threads" in logged.facts:
        composition = composition.with_values({"launcher.workers": 1, "launcher.threads": logged.facts["threads"]})
    of, recorded = f"{study}/{logged.id}", dict(logged.config)
    if function is not None:
        recorded["trainer"] = _with_function(function, logged, of)
    config = _as_it_fitted(logged, read_back(recorded, composition.config["plugins"], words))
    origins = Origins()
    objective: Objective = build("objective", config["objective"])
    with temporary_folder() as folder, Workers(composition) as workers:
        origins.data.learn(workers.check({"": config}).states)
        if changed := _moved(config, logged) or origins.changed_since(folder_of(study), logged):
            observer.line(f"{of}: {changed}")
        source = find_source(config, tracking_uri(composition))
        spec = TrialSpec(study, logged.id, config, logged.params, logged.overrides, logged.key, folder, source=source)
        spec = replace(spec, replayed=str(logged.facts.get(WIDTHS, "")))
        record = Record(Path(folder))
        finished = _train(spec, workers.launcher, record, objective, observer, decide=_stop_where(logged))
        if finished.result.state is TrialState.PAUSED:
            raise KeyboardInterrupt("half a curve says nothing; the same call trains it again")
        again = read_trial(Path(folder) / "events" / f"{logged.id.stem}.jsonl")
    compared = _compared(of, logged, again.reports if again else (), finished.result)
    facts = again.facts if again else {}
    unsure = not_promised(str(facts.get("device", ""))) or not_seeded(logged.config)
    compared = replace(compared, not_promised=unsure, changed=changed)
    return _explained(compared, replace(logged, config=config), facts, folder_of(study))


def _with_function(function: str, logged: TrialRecord, of: str) -> dict[str, Any]:
    """Return the trainer of a trial of a user's own function, with that function from where it is now."""
    trainer = logged.config["trainer"]
    if trainer["_target_"].startswith("hpsearch."):
        raise ConfigError(f"trial_fn = {shown_path(function)}: {of} was trained by no function: leave it out")
    return {**trainer, "_target_": function}


def _moved(config: Mapping[str, Any], logged: TrialRecord) -> str:
    """Say that the function that trains now stands elsewhere than the one on record; empty where it does not."""
    now, before = (each["trainer"]["_target_"] for each in (config, logged.config))
    if now == before:
        return ""
    return f"trained by {shown_path(now)}, and by {shown_path(before)} before: whether its code changed is not known"


def _as_it_fitted(logged: TrialRecord, config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a trial, with as many samples at once as fitted into the memory then."""
    found, data = logged.facts.get("data.micro_batch"), config.get("data", {})
    auto = found is not None and data.get("micro_batch") == "auto"
    return {**config, "data": {**data, "micro_batch": found}} if auto else config


def _stop_where(logged: TrialRecord) -> Decide:
    """Stop where a pruned trial was stopped."""
    last = max((report.epoch for report in logged.reports), default=0)
    stops = logged.state is TrialState.PRUNED

    def decide(_trial: TrialId, report: Report) -> Decision:
        return Decision.STOP if stops and report.epoch >= last else Decision.CONTINUE

    return decide


def _compared(run: str, logged: TrialRecord, again: tuple[Report, ...], result: TrialResult) -> ReplayOutcome:
    found = differences(logged.reports, again)
    lines = [each.line for each in found]
    if result.state is not logged.state and logged.state.finished:
        lines.insert(0, f"state: logged {logged.state}, now {result.state} ({result.reason})")
    return ReplayOutcome(
        run=run,
        logged=logged.reports,
        again=again,
        state=result.state,
        logged_state=logged.state,
        reason=result.reason,
        differences=tuple(lines),
        largest=max((each.size for each in found), default=0.0),
        first=first_difference(found, logged.reports) if found else "",
        first_step=bool(found) and found[0].step <= 1,
    )


def _explained(outcome: ReplayOutcome, logged: TrialRecord, facts: Mapping[str, Any], folder: Path) -> ReplayOutcome:
    """Return an outcome with why its curves differ, where they do."""
    if outcome.same:
        return outcome
    known = conditions(logged.facts, facts, environments(folder, logged), environment())
    on_gpu = any(GPU_MEMORY in report.metrics for report in outcome.again)
    found = tuple(reasons(known, outcome.changed, logged.config, on_gpu))
    own = trains_own_code(logged.config)
    why = found or (without_reason(known, logged.config, own, outcome.first_step),)
    return replace(outcome, reasons=why, unknown=unknown(known))
