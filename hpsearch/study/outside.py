"""Searches whose trials are asked for, trained by whoever asked, and told."""

import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.base.conditions import WHERE, split_name
from hpsearch.base.errors import ConfigError, SpaceError, StorageError
from hpsearch.base.keys import ARGS, SECONDS, TRIAL_SECONDS
from hpsearch.base.observer import Observer
from hpsearch.base.types import BestPoint, Decision, Objective, TrialId, TrialState
from hpsearch.config.build import build
from hpsearch.config.compose import Composition, compose
from hpsearch.launch.outside import SESSION, SHELL, OutsideLauncher
from hpsearch.progress.display import Silent
from hpsearch.search.outside import OutsideSearch, trials_out
from hpsearch.search.pruners import Promoter
from hpsearch.search.storage import Store
from hpsearch.search.watch import UNLIMITED
from hpsearch.study.arguments import PREFIX, arguments_of
from hpsearch.study.grow import check_growth, check_study
from hpsearch.study.outcome import StudyOutcome
from hpsearch.study.plan import Search, plan_search
from hpsearch.study.prior import load_prior
from hpsearch.study.search import conclude, driver_of, open_fields
from hpsearch.study.session import StudySession
from hpsearch.study.words import named_objective, search_words
from hpsearch.study.workers import check_metric
from hpsearch.tracking.events import TrialRecord, read_study, trial_files
from hpsearch.trial.measured import numbers_of

OUTSIDE = ("trainer=outside", "launcher=inline")
"""Words of a study whose trials are trained outside."""
STOPPERS = "median, percentile, successive_halving, hyperband, patience, wilcoxon or none"


@dataclass(frozen=True, slots=True)
class Asked:
    """A trial to train: a point with one seed.

    Attributes:
        number: of the point.
        seed: of the trial.
        fold: of the cross-validation.
        params: a value for every argument by name, None for one that is not active.
        folder: for files of its own.
        name: of the trial in its study, as `OpenSearch.tell` takes it: ``7/0``.
    """

    number: int
    seed: int
    fold: int
    params: Mapping[str, Any]
    folder: Path
    name: str
    _search: "OpenSearch" = field(repr=False, compare=False)

    def report(
        self, measured: Mapping[str, Any] | None = None, *, epoch: int | None = None, **metrics: Any
    ) -> Decision:
        """Say what was measured on the way, and learn whether the trial goes on.

        Args:
            measured: numbers by name.
            epoch: after which; by default the next one.
            metrics: more of them, whose names Python can spell.

        Returns:
            ``continue``, or ``stop``: then train no further; the trial has ended.
        """
        return self._search.report(self, measured, epoch=epoch, **metrics)


class OpenSearch:
    """A search that is asked for trials and told what they came to; see `open_search`. Several threads may do so.

    Attributes:
        name: of the study.
        folder: of the study.
        outcome: how the study stands and its report, once the search is closed; None before.
    """

    def __init__(self, search: OutsideSearch, session: StudySession) -> None:
        self.name, self.folder = session.folder.name, session.folder
        self.outcome: StudyOutcome | None = None
        self._search: OutsideSearch | None = search
        self._composition = session.composition
        self._lock = threading.RLock()

    def ask(self) -> Asked | None:
        """Return the next trial to train, None where there is none now: `why` says why.

        One that an earlier session asked for and did not tell comes first.
        """
        with self._lock:
            spec = self._open.ask()
        if spec is None:
            return None
        folder = Path(spec.folder)
        folder.mkdir(parents=True, exist_ok=True)
        return Asked(spec.id.point, spec.id.seed, spec.id.fold, dict(spec.config[ARGS]), folder, str(spec.id), self)

    def report(
        self,
        trial: Asked | str | int,
        measured: Mapping[str, Any] | None = None,
        *,
        epoch: int | None = None,
        **metrics: Any,
    ) -> Decision:
        """Say what a trial measured on its way, and learn whether it goes on.

        Args:
            trial: that was asked for, or its name: ``7/0``; of a point with one trial its number will do.
            measured: numbers by name.
            epoch: after which; by default the next one.
            metrics: more of them, whose names Python can spell.

        Returns:
            ``continue``, or ``stop``: then train no further; the trial has ended.
        """
        with self._lock:
            return self._open.report(self._id(trial), _numbers("report", measured, metrics), epoch)

    def tell(
        self,
        trial: Asked | str | int,
        measured: Mapping[str, Any] | float | None = None,
        *,
        failed: str | None = None,
        **metrics: Any,
    ) -> TrialRecord:
        """Say what a trial came to.

        Args:
            trial: that was asked for, in this session or in an earlier one, or its name: ``7/0``; of a point with one
                trial its number will do.
            measured: numbers by name, among them the objective's, or this alone. One that is not finite makes the trial
                INFEASIBLE: samplers stay away from it. What was reported need not be said again.
            failed: why it failed, in one line; it is not asked for again.
            metrics: more of them, whose names Python can spell.

        Returns:
            The trial as it is on record. One that has ended before, or was never asked for, and what lacks the
            objective raise one of the errors of `hpsearch.base.errors`; the trial then stays as it is.
        """
        with self._lock:
            if not (measured is None or isinstance(measured, Mapping)):
                measured = {self._open.objective.metric: measured}
            return self._open.tell(self._id(trial), _numbers("tell", measured, metrics), failed)

    @property
    def best(self) -> BestPoint | None:
        """The best point so far, its hyperparameters by argument; None while none is complete."""
        with self._lock:
            best = self._open.best
            return None if best is None else self._bare(best)

    @property
    def why(self) -> str:
        """Why there is nothing to train, in words; the empty string where there is."""
        with self._lock:
            return self._open.why_none

    @property
    def _open(self) -> OutsideSearch:
        if self._search is None:
            raise StorageError(f"study '{self.name}' is closed: open it again with the same words")
        return self._search

    def _id(self, trial: Asked | str | int) -> TrialId:
        if isinstance(trial, Asked):
            return TrialId(trial.number, trial.seed, trial.fold)
        return trial_id(self.folder, str(trial))

    def _bare(self, best: BestPoint) -> BestPoint:
        """Return a point with its hyperparameters by argument."""
        searched = [split_name(name)[0].removeprefix(PREFIX) for name in self._composition.space]
        return replace(best, params=arguments_of(best.params, searched, self._composition.config[ARGS]))

    def close(self, outcome: StudyOutcome | None = None) -> None:
        """Take no further questions."""
        self._search = None
        if outcome is not None:
            best = None if outcome.best is None else self._bare(outcome.best)
            self.outcome = replace(outcome, best=best, replay_command=None, check_command=None)


@contextmanager
def open_search(
    *,
    space: Mapping[str, Any],
    name: str = "search",
    arguments: Mapping[str, Any] | None = None,
    sampler: str = "auto",
    pruner: str = "none",
    first: Sequence[Mapping[str, Any]] = (),
    prior: str | None = None,
    points: int | None = None,
    patience: int | None = None,
    target: float | None = None,
    silent_seconds: float | None = None,
    objective: str | Objective = "valid/acc",
    direction: str = "maximize",
    limits: Mapping[str, float] | None = None,
    seeds: int = 1,
    seed: int = 0,
    storage: str = "journal",
    tracker: str = "mlflow",
    grow: str | None = None,
    overrides: Sequence[str] = (),
    observer: Observer | None = None,
) -> Iterator[OpenSearch]:
    """Open a search that is asked for trials, which train wherever you like, and told what they came to.

    The same words in the same folder are the same study, and go on where it was: what a session asked for and did not
    tell is asked for again first. At the end of the block the report is written; after an error nothing that was told
    is lost. ``python -m hpsearch ask NAME`` and ``tell NAME`` do the same from a shell.

    Args:
        space: as for `hpsearch.run_search`: what is searched, by argument.
        name: of the study.
        arguments: arguments that are not searched; they are part of what a trial is given.
        sampler: an option of the group ``sampler``.
        pruner: an option of the group ``pruner`` that stops trials, by what they report; none of those that pause them.
        first: settings to try before anything else.
        prior: name of an earlier study of these arguments, whose points the sampler's model is told too.
        points: settings to try; 60 by default, and every one with ``grid``, ``brute_force`` and ``manual``.
        patience: ask for nothing new after so many settings without one that is better by more than the spread.
        target: ask for nothing new once a score is this good.
        silent_seconds: a trial of which nothing was heard for so long is lost, and asked for again; None: it is waited
            for while the session is open.
        objective: a metric that trials are told with, or an `Objective`, which may hold several.
        direction: ``maximize`` or ``minimize``, for a metric given by its name.
        limits: largest values that a trial may end with, by metric, for an objective given by its name.
        seeds: trials of each setting, one `ask` for each; its score is their mean.
        seed: of the search and of the first trial of a setting.
        storage: an option of the group ``storage``.
        tracker: an option of the group ``tracker``; ``none``: the study's folder alone.
        grow: name of a study to go on with although the space is another one now.
        overrides: further Hydra overrides.
        observer: told what happens; by default nothing is shown.

    Yields:
        The search. Bad input raises one of the errors of `hpsearch.base.errors`.

    Example:
        >>> words = {"objective": "loss", "direction": "minimize", "sampler": "grid", "tracker": "none"}
        >>> with open_search(space={"x": [0, 1, 3]}, name="outside", **words) as search:
        ...     while (trial := search.ask()) is not None:
        ...         record = search.tell(trial, loss=(trial.params["x"] - 1) ** 2)
        >>> print(search.outcome.best.params, search.outcome.ended)
        {'x': 1} all 3 cells of the grid are done
    """
    budget = {"points": points, "patience": patience, "target": target, "silent_seconds": silent_seconds}
    words = search_words(
        OUTSIDE,
        space=space,
        arguments=arguments,
        options={"sampler": sampler, "pruner": pruner, "storage": storage, "tracker": tracker},
        first=first,
        prior=prior,
        budget=budget,
        objective=named_objective(objective, direction, None, limits, suggests=False),
        seeds=seeds,
        seed=seed,
        name=grow or name,
        grow=grow,
        overrides=overrides,
    )
    with opened(compose(words), observer or Silent()) as search:
        yield search


@contextmanager
def opened(composition: Composition, observer: Observer, by: str = SESSION) -> Iterator[OpenSearch]:
    """Open the search of a configuration.

    Args:
        composition: its configuration.
        observer: told what happens.
        by: who asks, see `OutsideLauncher`.

    Yields:
        The search, of which this process holds the lock.
    """
    began, config, search = time.monotonic(), composition.config, _planned(composition)
    store: Store = build("storage", config["storage"], config["plugins"])
    launcher = OutsideLauncher(by, config["launcher"]["retries"], config["budget"]["silent_seconds"])
    with StudySession(composition, observer, launcher, not store.persistent, in_turn=by == SHELL) as session:
        prior = load_prior(search.prior, search.space, search.objective) if session.is_new and search.prior else None
        grow = partial(check_growth, search, store, session.folder) if config["study"]["grow"] is not None else None
        if grow is not None:
            check_study(composition, store)
        session.open(search.space.to_dict(), grow, **open_fields(search))
        launcher.keep(trials_out(session.folder))
        with driver_of(search, store, session, prior) as driver:
            driver.resume()
            with driver.searching():
                asked = OutsideSearch(driver, launcher, session.record, search.objective, time.time)
                shown = OpenSearch(asked, session)
                try:
                    yield shown
                finally:
                    shown.close()
                asked.close()
            outcome = driver.outcome(interrupted=not asked.is_over)
        if by == SESSION or (asked.is_over and _state(session) != TrialState.COMPLETE):
            shown.close(conclude(session, outcome, began, trained=True, unfinished=True)[0])
        elif not asked.is_over and _state(session) != TrialState.PAUSED:
            session.conclude(TrialState.PAUSED, answer="", why=outcome.why)


def _state(session: StudySession) -> str | None:
    """Return the state that the record says a study is in."""
    return (read_study(session.folder).get("state") or {}).get("state")


def _planned(composition: Composition) -> Search:
    """Return what a configuration asks to search, where it can be trained outside."""
    search, budget = plan_search(composition), composition.config["budget"]
    check_metric(composition, None)
    if isinstance(search.pruner, Promoter):
        raise ConfigError(
            f"pruner {type(search.pruner).__name__}: pauses trials, and one that is trained outside can only be "
            f"stopped; use pruner={STOPPERS} (from {composition.where('pruner')})"
        )
    for key in (SECONDS, TRIAL_SECONDS):
        limit = budget[key.partition(".")[2]]
        if limit is not None:
            raise ConfigError(
                f"{key} = {limit}: the time of trials that are trained outside is not counted; use budget.points, "
                f"epochs, patience, target or silent_seconds (from {composition.where(key)})"
            )
    for name in search.space.to_dict():
        key = split_name(name)[0]
        if key != WHERE and not key.startswith(PREFIX):
            where = composition.where(name)
            raise SpaceError(f"space {name}: what is trained outside reads {PREFIX}* alone (from {where})")
    return replace(search, plan=replace(search.plan, limits=UNLIMITED, recalls_failures=True, confirm=0))


def _numbers(name: str, measured: Any, more: Mapping[str, Any]) -> dict[str, float]:
    """Return what a method was told, as numbers by name."""
    said = f"{name} was given"
    return {**numbers_of({} if measured is None else measured, said), **numbers_of(more, said)}


def trial_id(folder: Path, text: str) -> TrialId:
    """Return the trial of a study that a name means.

    Args:
        folder: of the study.
        text: ``POINT/SEED`` or ``POINT/SEED/FOLD``; ``POINT`` where the point has one trial.

    Returns:
        The trial.

    Raises:
        ConfigError: it is no such name, or means several trials.
    """
    match = re.fullmatch(r"(\d+)(?:/(\d+))?(?:/(\d+))?", text)
    if not match:
        raise ConfigError(f"'{text}': must be POINT/SEED[/FOLD] as `ask` says it, such as 7/0")
    point, seed, fold = match.groups()
    if seed is not None:
        return TrialId(int(point), int(seed), int(fold or 0))
    asked = [path.stem for path in trial_files(folder) if path.stem.startswith(f"{int(point)}-")]
    if len(asked) > 1:
        raise ConfigError(f"'{text}': point {point} has {len(asked)} trials: write POINT/SEED, such as {point}/0")
    return TrialId(*map(int, asked[0].split("-"))) if asked else TrialId(int(point), 0)
