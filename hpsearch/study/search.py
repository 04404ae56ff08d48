"""One search, from its first point to its report."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import optuna

from hpsearch.base.ahead import imported_meanwhile
from hpsearch.base.clock import time_of_day
from hpsearch.base.files import REPORT
from hpsearch.base.observer import Observer
from hpsearch.base.types import TrialState, TrialTable
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.search.driver import Driver, SearchOutcome
from hpsearch.search.extension import SPACE, Ranges, present_study
from hpsearch.search.plan import Environment
from hpsearch.search.prior import PRIOR, PriorPoint
from hpsearch.search.space import Space
from hpsearch.search.storage import Store, open_own, open_study
from hpsearch.search.suggested import open_space, suggested_in
from hpsearch.study.anew import begin_anew
from hpsearch.study.changes import Changes
from hpsearch.study.fuse import check_fuse, widen
from hpsearch.study.grow import check_growth, check_study, in_present_space
from hpsearch.study.origins import Origins
from hpsearch.study.outcome import StudyOutcome, outcome_of, rivals_in
from hpsearch.study.plan import Search, plan_search
from hpsearch.study.prior import load_prior
from hpsearch.study.session import Home, StudySession
from hpsearch.study.specs import make_spec
from hpsearch.study.unchanged import is_whole, stamp
from hpsearch.study.writing import STAGE_WRITERS, WRITERS, report_files, write_search_report
from hpsearch.tracking.machine import SystemSampler
from hpsearch.tracking.query import table_from_events

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a study is kept that several drivers work on.

    Attributes:
        store: its points.
        home: its folder.
    """

    store: Store
    home: Home


def run_one_search(
    composition: Composition,
    observer: Observer,
    launcher: Launcher | None = None,
    within: Mapping[str, str] | None = None,
    kept: Kept | None = None,
) -> tuple[StudyOutcome, TrialTable]:
    """Run one search from wherever it stands to its end, and report it.

    Args:
        composition: its configuration.
        observer: shows progress.
        launcher: with workers that are there already; they stay.
        within: name and uid of the recipe that it is a stage of.
        kept: where its points and its folder are; None: as its configuration says.

    Returns:
        The result, and the trials that it is read from.
    """
    began = time.monotonic()
    search = plan_search(composition, tests=within is not None)
    check_fuse(composition)
    config = composition.config
    store: Store = kept.store if kept else build("storage", config["storage"], config["plugins"])
    with StudySession(composition, observer, launcher, restart=not store.persistent) as session:
        session.home = kept.home if kept else None
        for key in composition.fixed if within is None else ():
            observer.line(f"{key} is fixed on the command line and not searched")
        is_new, prior, grows = session.is_new, search.prior, config["study"]["grow"] is not None
        if grows:
            check_study(composition, store)
        told = load_prior(prior, search.space, search.objective) if is_new and prior else None
        origins = Origins()
        if is_new or grows:
            checked = session.check(search.representatives(), within is not None)
            origins.data.learn(checked.states)
        session.claim(
            search.space.to_dict(), partial(refuse_growth, search, store, session.folder, origins) if grows else None
        )
        changes = changes_since(search, store, session, origins)
        session.open(search.space.to_dict(), **open_fields(search, within))
        for line in origins.of_prior(str(prior), search.representatives().values()) if told else ():
            observer.line(line)
        with driver_of(search, store, session, told, origins, changes) as driver:
            todo = driver.resume()
            if todo and not origins.data.known:
                checked = session.check(search.representatives(), within is not None)
                origins.data.learn(checked.states)
                origins.data.changes(session.folder).refuse(None)
            if todo:
                widen(session, search, driver.left)
            writers = WRITERS if within is None else STAGE_WRITERS
            with imported_meanwhile(*writers) if session.workers.launcher.detached else nullcontext():
                outcome = driver.run()
            session.workers.launcher.widen(1)  # what else a borrowed one trains, it trains one by one
            session.workers.stop()
        return conclude(session, outcome, began, trained=todo, stage=within is not None)


def refuse_growth(search: Search, store: Store, folder: Path, origins: Origins) -> None:
    """Refuse a space that a study cannot go on in, and to go on beside trials of other code or data.

    Args:
        search: in that space.
        store: where the study's points are kept.
        folder: of the study, whose lock is held.
        origins: code and data, as they are here.
    """
    check_growth(search, store, folder)
    for changes in origins.changes(folder):
        changes.refuse(search.composition.config["study"]["code"])


def changes_since(
    search: Search, store: Store, session: StudySession, origins: Origins, checked: bool = False
) -> list[Changes]:
    """Return what changed of code and data since trials of a claimed study were trained, and say it.

    Refused is, before the record begins, to train further ones beside those of other code or data. Where that is in
    question, a worker reads the data first.

    Args:
        search: what is searched.
        store: where its points are kept.
        session: has claimed the study.
        origins: of its trials.
        checked: whether a worker has read the data already.
    """
    changes, allowed = origins.changes(session.folder), search.composition.config["study"]["code"]
    in_question = origins.data.samples_matter(session.folder)
    if in_question or any(each.kept for each in changes):
        with driver_of(search, store, session) as driver:
            goes_on = driver.resume()
        session.record.flush()
        if goes_on:
            if not (checked or origins.data.known):
                origins.data.learn(session.check(search.representatives()).states)
                changes = origins.changes(session.folder)
            for each in changes:
                each.refuse(allowed)
    for line in [line for each in changes for line in each.lines()]:
        session.observer.line(line)
    return changes


def conclude(
    session: StudySession,
    outcome: SearchOutcome,
    began: float,
    *,
    trained: bool,
    stage: bool = False,
    unfinished: bool = False,
) -> tuple[StudyOutcome, TrialTable]:
    """Record how a study stands, report it, show it and wait for the tracking store unless more of a recipe follows.

    Args:
        session: is open.
        outcome: of its search.
        began: when this run of it did.
        trained: whether it trained anything.
        stage: whether it is one of a recipe.
        unfinished: whether one is reported too that was interrupted.

    Returns:
        The result, and the trials that it is read from.
    """
    from hpsearch.reports.summary.numbers import summarize
    from hpsearch.reports.summary.sentences import answer

    state = TrialState.PAUSED if outcome.interrupted else TrialState.COMPLETE
    session.conclude(state, answer="", why=outcome.why)
    table = table_from_events(session.folder)
    summary = summarize(table)
    rivals = rivals_in(summary)
    count = {} if rivals is None else {"as_good": len(rivals)}
    ended = sum(TrialState(each).finished for each in table.trials["state"])
    session.conclude(state, answer=answer(summary), why=outcome.why, trials=ended, **count)
    report = None if outcome.interrupted and not unfinished else _report(session, table, trained)
    if stage and outcome.error:
        session.observer.line(outcome.error)
    is_told = outcome.error == outcome.why and not outcome.interrupted
    errors = () if is_told or not outcome.error else (outcome.error,)
    said = (summary.weights,) if summary.weights else ()
    notes = errors if stage else (*errors, *said)
    shown = outcome_of(session, table, summary, outcome, began, trained=trained, report=report, notes=notes)
    if stage:
        return shown, table
    return replace(shown, notes=(*shown.notes, *session.finish(shown))), table


def open_fields(search: Search, within: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the fields of the record's ``open`` line that only a search has."""
    fields: dict[str, Any] = {"sampler": type(search.sampler).__name__, "pruner": type(search.pruner).__name__}
    return fields if within is None else {**fields, "within": dict(within)}


@contextmanager
def driver_of(
    search: Search,
    store: Store,
    session: StudySession,
    prior: Sequence[PriorPoint] | None = None,
    origins: Origins | None = None,
    changes: Sequence[Changes] = (),
) -> Iterator[Driver]:
    """Open the storage of a search.

    Args:
        search: what is searched.
        store: where its points are kept.
        session: is open, or claimed.
        prior: points of another study, where they are loaded already.
        origins: of its trials.
        changes: of them; trials that failed or had not ended begin anew.

    Yields:
        The driver of the search; the storage is closed at the end of the block.
    """
    uid = session.record.uid
    opened = open_own(store, session.folder, uid, session.observer.line)
    storage = replace(opened, guard=session.record.guard)
    with storage.closing():
        name = present_study(storage.storage, session.folder.name)
        study = in_present_space(open_study(storage, name, search.pruner, search.objective, uid), search, session)
        widened = study.user_attrs.get(SPACE)
        space = search.space if widened is None else Space.parse(widened)
        space = open_space(suggested_in(study)) if search.space.is_open else space
        if any(each.unfinished for each in changes):
            study = begin_anew(study, storage, space, changes, session.record)
        make, origins = partial(make_spec, search.composition, session.folder), origins or Origins()
        yield Driver(
            study=study,
            make_sampler=search.sampler_after,
            store=storage,
            ranges=Ranges(
                space=space,
                original=search.space,
                extension=search.extension,
                known=search.known,
                prior=_kept_prior(search, study, prior),
                allowed=search.allowed,
                ruled=search.ruled,
            ),
            plan=search.plan,
            launcher=session.workers.launcher,
            record=session.record,
            make_spec=lambda *point: origins.stamped(make(*point), session.record),
            environment=Environment(session.observer, time_of_day, SystemSampler().sample),
            seed=search.composition.config["seed"],
        )


def _kept_prior(search: Search, study: optuna.Study, loaded: Sequence[PriorPoint] | None) -> Sequence[PriorPoint]:
    """Return the points of another study as they were when this one began."""
    if search.prior is None:
        return ()
    if PRIOR not in study.user_attrs:
        told = loaded or load_prior(search.prior, search.space, search.objective)
        study.set_user_attr(PRIOR, [point.fields for point in told])
    return [PriorPoint.of(fields) for fields in study.user_attrs[PRIOR]]


def _report(session: StudySession, table: TrialTable, trained: bool) -> Path:
    """Write the report, unless nothing was trained since the last one, and record what belongs to it."""
    if not trained and is_whole(session.folder):
        return session.folder / REPORT
    session.observer.line("writing the report")
    path = write_search_report(table, session.folder)
    for name in report_files(session.folder):
        session.record.study("artifact", time_of_day(), path=name)
    session.record.flush()
    stamp(session.folder)
    return path
