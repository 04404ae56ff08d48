"""A study from its first point to its report: name, folder, resume, search, answer."""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.pruners import NopPruner

from hpsearch.base.errors import BusyError, ConfigError, SpaceError, StorageError
from hpsearch.base.files import REPORT
from hpsearch.base.grammar import value_text
from hpsearch.base.types import BestPoint, Objective, Observer, TrialId, TrialState, TrialTable
from hpsearch.config.build import build
from hpsearch.config.compose import Composition, compose
from hpsearch.config.schema import check_value
from hpsearch.launch.base import Launcher
from hpsearch.search.auto import AutoPruner
from hpsearch.search.driver import Driver, Outcome, Plan
from hpsearch.search.extension import SPACE, Extension, present_study
from hpsearch.search.judge import Judge
from hpsearch.search.pruners import TopKAfter
from hpsearch.search.samplers import Queue, check_sampler, seed_after
from hpsearch.search.space import Space
from hpsearch.search.storage import OpenStore, Store, open_study
from hpsearch.study.ownership import STUDY_FILE, described, locked, owned
from hpsearch.study.recipe import RecipeOutcome, run_recipe
from hpsearch.study.session import (
    ARMS,
    Silent,
    ablation_tables,
    build_launcher,
    build_tracker,
    compared_table,
    is_ablation,
    make_spec,
    objective_of,
    recorded,
    recorded_objective,
    staffed,
    studies_folder,
    study_folder,
    table_of,
    unsent_note,
    working,
)
from hpsearch.tracking.afterwards import add, run_of
from hpsearch.tracking.events import STUDY, Record
from hpsearch.tracking.mlflow import sync as send
from hpsearch.tracking.query import StudySummary, studies, table_from_events
from hpsearch.tracking.study_events import read_study
from hpsearch.tracking.system import SystemSampler

if TYPE_CHECKING:
    from hpsearch.reports.ablation.numbers import Ablation
    from hpsearch.reports.summary.sweep import Summary

PAIRS = 24
"""Configurations built beforehand for pairs of searched options that might exclude each other."""


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """A study after a run of its command.

    Attributes:
        name: of the study.
        folder: its folder.
        counts: its trials by state.
        best: the best point, None when no point is complete.
        answer: the result in one sentence.
        stable_range: the range of the main hyperparameter around the best point in which every seed trains, in words.
        replay_command: trains the best trial again.
        check_command: trains it again from the record and compares the curves.
        report: the report, None when the study was interrupted.
        ui_command: opens MLflow, None without a tracking store.
        elapsed_sec: of this run.
        interrupted: whether it can be resumed.
        already_complete: whether there was nothing left to do.
        notes: what the user should know.
    """

    name: str
    folder: Path
    counts: Mapping[TrialState, int]
    best: BestPoint | None
    answer: str
    stable_range: str | None
    replay_command: str | None
    check_command: str | None
    report: Path | None
    ui_command: str | None
    elapsed_sec: float
    interrupted: bool
    already_complete: bool
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 done, 1 a trial stayed FAILED, 130 interrupted."""
        if self.interrupted:
            return 130
        return 1 if self.counts.get(TrialState.FAILED) else 0


@dataclass(frozen=True, slots=True)
class Search:
    """What a configuration asks to search, checked."""

    composition: Composition
    space: Space
    objective: Objective
    plan: Plan
    sampler: Any
    pruner: Any
    extension: Extension

    def sampler_after(self, points: int) -> Any:
        """Return the sampler seeded for a study that holds so many points, so that a resumed one draws new ones."""
        config = self.composition.config
        return _quietly("sampler", config, seed=seed_after(self.sampler, config["seed"], points))

    def allowed(self, key: str, value: Any) -> bool:
        """Return whether a key of the configuration may take a value."""
        try:
            check_value(key, value, "")
        except ConfigError:
            return False
        return True


def run_study(
    overrides: Sequence[str], *, config_dirs: Sequence[str | Path] = (), observer: Observer | None = None
) -> "StudyOutcome | RecipeOutcome":
    """Run a study from wherever it stands to its end, and report it.

    The same overrides in the same folder are the same study: it goes on where it was, and when it is complete the
    result is shown again.

    Args:
        overrides: Hydra overrides, ``+study=NAME`` among them.
        config_dirs: folders with configuration of your own.
        observer: shows progress; by default nothing is shown.

    Returns:
        The result; of a recipe, a `RecipeOutcome`. Bad input raises one of the errors of `hpsearch.base.errors`.
    """
    observer = observer or Silent()
    composition = compose(overrides, config_dirs)
    if not composition.config["stages"]:
        return run_composed(composition, observer)
    outcome = run_recipe(composition, _stage, observer)
    _send_stages(composition, outcome, observer)
    if ARMS in outcome.findings and not outcome.failed:
        found, report = _report_ablation(outcome.folder)
        outcome = replace(outcome, ablation=found, report=report)
    else:
        outcome = replace(outcome, report=_notebook(outcome.folder, outcome.replay_command))
    _attach(composition, outcome.folder, observer)
    return outcome


def _send_stages(composition: Composition, outcome: RecipeOutcome, observer: Observer) -> None:
    """Send what the stages left: nobody waited for the tracking store between them."""
    tracker = composition.config["tracker"]
    if not str(tracker["_target_"]).endswith(".MlflowTracker"):
        return
    for stage in outcome.findings:
        folder = outcome.folder.with_name(f"{outcome.name}.{stage}")
        if folder.exists():
            try:
                with locked(folder):
                    send(folder, tracker.get("uri"), tracker.get("artifacts"))
            except StorageError as error:
                observer.line(f"{error}; `python -m hpsearch sync` sends the rest")
                return


def _report_ablation(folder: Path) -> tuple["Ablation", Path]:
    """Compute what an ablation found and write it down; its tables come from where it is kept."""
    from hpsearch.reports.ablation.numbers import ablation_of
    from hpsearch.reports.ablation.write import write_ablation

    arms, tuning = ablation_tables(folder.name)
    found, command = ablation_of(arms, tuning), str(table_of(folder.name).study["command"])
    return found, write_ablation(found, arms, tuning, command, folder)


def _notebook(folder: Path, replay: str | None) -> Path:
    from hpsearch.reports.recipe.page import write_notebook

    return write_notebook(read_study(folder), replay, folder)


def _stage(composition: Composition, observer: Observer, launcher: Launcher, within: Mapping[str, str]) -> TrialTable:
    """Run a stage of a recipe as a study of its own, on the recipe's workers."""
    outcome = run_composed(composition, observer, launcher, within)
    if outcome.interrupted:
        raise KeyboardInterrupt
    return table_from_events(outcome.folder)


def run_composed(
    composition: Composition,
    observer: Observer,
    started: Launcher | None = None,
    within: Mapping[str, str] | None = None,
) -> StudyOutcome:
    """Run one search.

    Args:
        composition: its configuration.
        observer: shows progress.
        started: workers that are there already; they stay.
        within: name and uid of the recipe that it is a stage of.

    Returns:
        The result.
    """
    began = time.time()
    search = plan_search(composition, tests=within is not None)
    store: Store = build("storage", composition.config["storage"], composition.config["plugins"])
    folder = studies_folder() / composition.study_name
    launcher, tracker = started or build_launcher(composition), build_tracker(composition)
    check = staffed if started else working
    for key in composition.fixed if within is None else ():
        observer.line(f"{key} is fixed on the command line and not searched")
    with ExitStack() as stack:
        workers = stack.enter_context(ExitStack())
        anew = composition.config["study"]["restart"] or not store.persistent
        checked = anew or not (folder / STUDY_FILE).exists()
        if checked:
            workers.enter_context(check(launcher, composition, _representatives(search)))
        restarted = stack.enter_context(
            owned(folder, described(composition, search.space.to_dict()), anew, observer.line)
        )
        fields = _opened(search, folder) | ({"restart": True} if restarted else {})
        fields |= {} if within is None else {"within": dict(within)}
        record = stack.enter_context(recorded(composition, folder, tracker, **fields))
        driver = stack.enter_context(_driver(search, store, folder, launcher, record, observer))
        todo = driver.resume()
        if todo and not checked:
            workers.enter_context(check(launcher, composition, _representatives(search)))
        outcome = driver.run()
        workers.close()
        table = table_from_events(folder)
        summary = _summary(table)
        report = _conclude(table, summary, folder, record, outcome, todo, observer)
        notes = () if within else unsent_note(tracker, observer)
        return _outcome(table, summary, folder, outcome, report, tracker.hint(), time.time() - began, not todo, notes)


def plan_search(composition: Composition, tests: bool = False) -> Search:
    """Check what a configuration asks to search.

    Args:
        composition: the configuration, with a study.
        tests: whether its trials may look at the test split.

    Returns:
        The search.

    Raises:
        ConfigError: there is no study, or a setting cannot be used in a search.
        SpaceError: the space is empty or cannot be searched this way.
    """
    config = composition.config
    if composition.study_option is None:
        raise ConfigError("no study named: add +study=NAME (see --help for the studies)")
    if config["trainer"].get("test") and not tests:
        raise ConfigError("trainer.test = true: a search may not look at the test split; use it in a single trial")
    space = Space.parse(composition.space, composition.where)
    if not space.parameters:
        raise SpaceError(f"the space of study '{composition.study_name}' is empty: nothing is left to search")
    composition.check_space(space.ends())
    sampler, pruner = _quietly("sampler", config, seed=0), _quietly("pruner", config)
    objective = objective_of(composition)
    if objective.others and isinstance(pruner, AutoPruner):
        pruner = NopPruner()  # what picks for itself picks what works: nothing can judge several objectives early
    seeds = tuple(config["seed"] + i for i in range(config["study"]["seeds"]))
    budget = config["budget"]
    if isinstance(pruner, AutoPruner) and budget["epochs"]:  # half of them are for the points that go on
        pruner.start = min(pruner.start, max(1, budget["epochs"] // 2))
    plan = Plan(objective, seeds, _folds(composition), **budget)
    check_sampler(sampler, space, len(objective.each))
    if not isinstance(sampler, Queue) and space.size() is None and all(limit is None for limit in budget.values()):
        raise ConfigError(
            "budget.points = null: this sampler would search for ever; set budget.points, epochs, seconds or target"
        )
    _check_pruner(pruner, plan, space, isinstance(sampler, Queue))
    extension = Extension(**config["extend"])
    extension.check(space)
    return Search(composition, space, objective, plan, sampler, pruner, extension)


def _quietly(kind: str, config: Mapping[str, Any], **extra: Any) -> Any:
    """Build a sampler or a pruner without Optuna's word that it is experimental."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is experimental")
        return build(kind, config[kind], config["plugins"], **extra)


def _check_pruner(pruner: Any, plan: Plan, space: Space, queued: bool) -> None:
    judge = Judge(pruner, plan.objective)
    name = type(pruner).__name__
    if plan.objective.others and (judge.by_epoch or judge.by_replicate):
        several = ", ".join(each.metric for each in plan.objective.each)
        raise ConfigError(f"pruner {name}: cannot judge several objectives ({several}); use pruner=none")
    if judge.by_replicate and len(plan.replicates) < 2:
        raise ConfigError(f"pruner {name}: compares seeds or folds, and there is one; set study.seeds or data.folds")
    endless = plan.points is None and space.size() is None and not queued
    if isinstance(pruner, TopKAfter) and pruner.of is None and endless:
        raise ConfigError("pruner.of = null: the best of all points are known only with budget.points; set one of both")


def _folds(composition: Composition) -> tuple[int, ...]:
    """Return the folds that every point is trained on: all of them."""
    fold = composition.config["fold"]
    if fold:
        where = composition.where("fold")
        raise ConfigError(f"fold = {fold}: a study trains every fold of data.folds; leave it out (from {where})")
    return tuple(range(composition.config["data"].get("folds") or 1))


def _representatives(search: Search) -> dict[str, Mapping[str, Any]]:
    """Return, by their chosen options, the trial configurations to build before anything is created."""
    seed, points = search.plan.seeds[0], search.space.covering(PAIRS)
    groups = [parameter.key for parameter in search.space.parameters if parameter.is_group]
    return {
        ", ".join(f"{group}={value_text(point[group])}" for group in groups if group in point): (
            search.composition.trial(point, seed).config
        )
        for point in points
    }


def _opened(search: Search, folder: Path) -> dict[str, Any]:
    """Return the fields of the record's ``open`` line that only a search has."""
    return {
        "name": folder.name,
        "question": search.composition.config["study"]["question"],
        "space": search.space.to_dict(),
        **recorded_objective(search.objective),
        "sampler": type(search.sampler).__name__,
        "pruner": type(search.pruner).__name__,
    }


@contextmanager
def _driver(
    search: Search, store: Store, folder: Path, launcher: Launcher, record: Record, observer: Observer
) -> Iterator[Driver]:
    opened: OpenStore = store.open(folder)
    try:
        name = present_study(opened.storage, folder.name)
        study = open_study(opened, name, search.pruner, search.objective)
        widened = study.user_attrs.get(SPACE)
        yield Driver(
            study=study,
            make_sampler=search.sampler_after,
            store=opened,
            space=search.space if widened is None else Space.parse(widened),
            plan=search.plan,
            launcher=launcher,
            record=record,
            make_spec=partial(make_spec, search.composition, folder),
            observer=observer,
            clock=time.time,
            seed=search.composition.config["seed"],
            extension=search.extension,
            original=search.space,
            allowed=search.allowed,
            system=SystemSampler().sample,
        )
    finally:
        opened.close()


def _summary(table: TrialTable) -> "Summary":
    from hpsearch.reports.summary.sweep import summarize

    return summarize(table)


def _conclude(
    table: TrialTable,
    summary: "Summary",
    folder: Path,
    record: Record,
    outcome: Outcome,
    trained: bool,
    observer: Observer,
) -> Path | None:
    """Record how the study stands and, when it is done, write its report; a report of before stays."""
    from hpsearch import reports as report
    from hpsearch.reports.summary.answer import answer

    state = TrialState.PAUSED if outcome.interrupted else TrialState.COMPLETE
    record.study("state", time.time(), state=state, answer=answer(summary), why=outcome.why)
    record.flush()
    if outcome.interrupted or (not trained and (folder / REPORT).exists()):
        return None if outcome.interrupted else folder / REPORT
    observer.line("writing the report")
    path = report.write(table, folder)
    for name in _left(folder):
        record.study("artifact", time.time(), path=name)
    record.flush()
    return path


def _left(folder: Path) -> list[str]:
    """Return the names of what a report left in a study's folder: the page, its figures as images, the tables."""
    known = (REPORT, "README.md", *(path.name for kind in ("*.svg", "*.csv") for path in sorted(folder.glob(kind))))
    return [name for name in known if (folder / name).is_file()]


def _attach(composition: Composition, folder: Path, observer: Observer) -> None:
    """Put the report of a recipe into its MLflow run, if it has one."""
    tracker = composition.config["tracker"]
    if not str(tracker["_target_"]).endswith(".MlflowTracker"):
        return
    try:
        run = run_of(folder, STUDY, tracker.get("uri"))
        if run is not None:
            add(tracker.get("uri"), run, {}, {}, [folder / name for name in _left(folder)])
    except StorageError as error:
        observer.line(f"the report is not in the tracking store ({error})")


def rebuild_report(name: str) -> Path:
    """Write the report of an existing study again, from its folder or else from the tracking store.

    Args:
        name: of the study.

    Returns:
        The path of the page, in ``studies/NAME``. A study that is in neither raises a `StorageError`.
    """
    from hpsearch import reports as report

    table, folder = table_of(name), studies_folder() / name
    if is_ablation(table.study):
        return _report_ablation(folder)[1]
    if "recipe" in table.study:
        from hpsearch.reports.recipe.page import write_notebook

        study = {"name": table.name, **table.study}
        return write_notebook(study, table.study.get("state", {}).get("replay"), folder)
    return report.write(table, folder)


def compare_studies(first: str, second: str) -> Path:
    """Write one page on two existing studies side by side.

    Args:
        first: name of one study; found as for `rebuild_report`, an ablation stands for its arms.
        second: name of the other.

    Returns:
        The path of the page, in ``studies/FIRST_vs_SECOND``.

    Raises:
        ConfigError: both are the same study. One that is a recipe is refused as well.
    """
    from hpsearch.reports.comparison.page import write_comparison
    from hpsearch.reports.summary.findings import find

    if first == second:
        raise ConfigError(f"report {first} {second}: two different studies are needed")
    one, other = (find(compared_table(name)) for name in (first, second))
    return write_comparison(one, other, studies_folder() / f"{first}_vs_{second}")


def list_studies() -> list[StudySummary]:
    """Return the studies of the working folder, the newest first."""
    return studies(studies_folder())


def sync(
    name: str | None = None, *, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> dict[str, int]:
    """Send what event files hold and the tracking store does not.

    Args:
        name: of the study; None: every study of the working folder.
        overrides: of the tracker: where to send.
        config_dirs: folders with configuration of your own.

    Returns:
        The number of event files sent, by study; a running study is left to its driver, and refused when it is named.

    Raises:
        BusyError: the named study is running. A store that cannot be reached raises a `StorageError`.
    """
    tracker = compose(overrides, config_dirs).config["tracker"]
    sent: dict[str, int] = {}
    for folder in [study_folder(name)] if name else [summary.folder for summary in list_studies()]:
        try:
            with locked(folder):
                sent[folder.name] = send(folder, tracker.get("uri"), tracker.get("artifacts"))
        except BusyError:
            if name:
                raise
    return sent


def _outcome(
    table: TrialTable,
    summary: "Summary",
    folder: Path,
    outcome: Outcome,
    report: Path | None,
    ui_command: str | None,
    elapsed_sec: float,
    already_complete: bool,
    notes: tuple[str, ...],
) -> StudyOutcome:
    from hpsearch.reports.kit.points import best_trial
    from hpsearch.reports.summary.answer import answer

    best = best_trial(table, summary)
    return StudyOutcome(
        name=folder.name,
        folder=folder,
        counts=outcome.counts,
        best=outcome.best,
        answer=answer(summary),
        stable_range=_stable_range(summary),
        replay_command=None if best is None else str(best["command"]),
        check_command=None if best is None else _check_command(folder.name, best),
        report=report,
        ui_command=ui_command,
        elapsed_sec=elapsed_sec,
        interrupted=outcome.interrupted,
        already_complete=already_complete,
        notes=notes,
    )


def _check_command(name: str, trial: Mapping[str, Any]) -> str:
    return f"python -m hpsearch replay {name}/{TrialId(trial['point'], trial['seed'], trial['fold'])} --check"


def _stable_range(summary: "Summary") -> str | None:
    if summary.stability is None or summary.stability.stable is None:
        return None
    stable = summary.stability.stable
    return f"{summary.stability.axis.key} {stable.low:.3g} to {stable.high:.3g}"
