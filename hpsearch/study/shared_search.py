"""One search by several drivers: what the one that leads does, and what another one says at the end."""

import time
from collections import Counter
from functools import partial

from hpsearch.base.observer import Observer
from hpsearch.base.types import BestPoint, TrialState, TrialTable
from hpsearch.base.words import count
from hpsearch.config.compose import Composition
from hpsearch.search.driver import SearchOutcome
from hpsearch.search.shared.copied import described
from hpsearch.search.shared.leading import Leading, Standing
from hpsearch.search.shared.leases import holder
from hpsearch.search.shared.store import CopiedStore, PostgresStore
from hpsearch.study.grow import check_study
from hpsearch.study.origins import Origins
from hpsearch.study.outcome import StudyOutcome, outcome_of
from hpsearch.study.plan import Search, plan_search
from hpsearch.study.search import changes_since, conclude, driver_of, open_fields, refuse_growth, run_one_search
from hpsearch.study.session import StudySession
from hpsearch.study.shared import Team, joined, shared_store
from hpsearch.tracking.events import read_study
from hpsearch.tracking.query import table_from_events

_OF_BEST = ("point", "params", "mean", "sd", "n")


def search_of(composition: Composition, observer: Observer) -> StudyOutcome:
    """Run a search to its end, alone or with other drivers, as its storage says."""
    store = shared_store(composition)
    if store is None:
        return run_one_search(composition, observer)[0]
    return run_shared_search(composition, observer, store)[0]


def run_shared_search(
    composition: Composition, observer: Observer, store: PostgresStore
) -> tuple[StudyOutcome, TrialTable]:
    """Run one search together with other drivers, from wherever it stands to its end.

    Args:
        composition: its configuration.
        observer: shows progress.
        store: where it is kept.

    Returns:
        The result, and the trials that it is read from.
    """
    began, search = time.monotonic(), plan_search(composition)

    def check(session: StudySession, origins: Origins) -> None:
        for key in composition.fixed:
            observer.line(f"{key} is fixed on the command line and not searched")
        origins.data.learn(session.check(search.representatives()).states)

    with joined(composition, observer, store, search.space.to_dict(), check) as (team, found):
        return _lead(team, found, search, began) if isinstance(found, Leading) else _follow(team, found, began)


def _lead(team: Team, leading: Leading, search: Search, began: float) -> tuple[StudyOutcome, TrialTable]:
    """Ask, tell and report, as the only driver of an embedded study does."""
    session, origins, space = team.session, team.origins, search.space.to_dict()
    copy, launcher = team.lead(leading)
    store, grow = CopiedStore(copy), None
    if search.composition.config["study"]["grow"] is not None:
        if not described(team.database, session.folder.name):
            check_study(search.composition, store)
        grow = partial(refuse_growth, search, store, session.folder, origins)
    session.claim(space, grow)
    launcher.turn_to(leading, copy.fetch_trial)  # of a study that starts again nothing is handed out any more
    changes = changes_since(search, store, session, origins, checked=True)
    session.open(space, **open_fields(search))
    with driver_of(search, store, session, origins=origins, changes=changes) as driver:
        todo = driver.resume()
        outcome = driver.run()
    session.workers.stop()
    shown, table = conclude(session, outcome, began, trained=todo)
    if not outcome.interrupted:
        session.told = f"{holder()}, {shown.report}"
    return shown, table


def _follow(team: Team, found: Standing, began: float) -> tuple[StudyOutcome, TrialTable]:
    """Say how a study stands that another driver leads, or has led to its end."""
    from hpsearch.reports.summary.numbers import summarize

    session = team.session
    team.bring(session.folder.name)
    study = read_study(session.folder)
    if not study and not found.ended:
        raise KeyboardInterrupt  # before anything of it was recorded
    table = table_from_events(session.folder)
    known = study.get("best")
    best = BestPoint(**{each: known[each] for each in _OF_BEST}, metric=session.objective.metric) if known else None
    counts = Counter(map(TrialState, table.trials["state"]))
    outcome = SearchOutcome(not found.ended, counts, best, study.get("state", {}).get("why", ""))
    notes = (part_of(team, found),)
    summary, trained = summarize(table), team.member.trained > 0
    shown = outcome_of(session, table, summary, outcome, began, trained=trained, report=None, notes=notes)
    session.observer.conclude(shown)
    return shown, table


def part_of(team: Team, found: Standing) -> str:
    """Return what a driver that has not led did of a study, and who goes on with it or reported it."""
    trained = f"{count(team.member.trained, 'trial')} trained here"
    return f"{trained}; reported by {found.told}" if found.ended else f"{trained}; the other drivers go on"
