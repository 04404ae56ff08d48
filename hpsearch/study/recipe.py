"""The recipe from its first stage to its last, and what is left of it: its record, its studies, its report."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from hpsearch.base.clock import time_of_day
from hpsearch.base.commands import command
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.keys import ARMS
from hpsearch.base.observer import Observer
from hpsearch.base.types import TrialState
from hpsearch.base.words import count
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.config.groups import describe_groups
from hpsearch.reports.ablation.numbers import Ablation, ablation_of
from hpsearch.reports.ablation.sentences import caveats
from hpsearch.search.space import Space
from hpsearch.study.changes import OF_DATA
from hpsearch.study.code import look_again
from hpsearch.study.data import refuse_other_data
from hpsearch.study.existing import rebuild_report
from hpsearch.study.factorial import Factorial, factorial_of
from hpsearch.study.folder import folder_lock, folder_of
from hpsearch.study.fuse import check_fuse
from hpsearch.study.origins import Origins
from hpsearch.study.recipe_checks import check_code, check_words, look
from hpsearch.study.recipe_context import KeepStage, RecipeContext
from hpsearch.study.run_stages import from_dict, run_stages, stage_views, stops, to_dict
from hpsearch.study.session import StudySession
from hpsearch.study.stages.base import Finding, Stage, Verdict, check_stages
from hpsearch.study.tables import ablation_tables, with_runs
from hpsearch.study.unchanged import is_whole, stamp
from hpsearch.study.writing import report_files
from hpsearch.tracking.damage import is_incomplete
from hpsearch.tracking.events import CODE, read_study
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record

GATE_FAILED = 3


@dataclass(frozen=True, slots=True)
class RecipeOutcome:
    """A recipe after a run of its command.

    Attributes:
        name: of the recipe.
        folder: its folder.
        findings: by stage, in order.
        failed: the stage that stopped it, None when it went to its end.
        answer: the result in one sentence.
        winner: the confirmed hyperparameters, None without a confirmation.
        replay_command: trains the winner again, with the test set.
        report: the page of the recipe.
        ablation: what its arms gave, of a recipe that compares arms and got so far.
        ui_command: opens MLflow, None without a tracking store.
        elapsed_sec: of this run.
        notes: what the user should know.
    """

    name: str
    folder: Path
    findings: Mapping[str, Finding]
    failed: str | None
    answer: str
    winner: Mapping[str, Any] | None
    replay_command: str | None
    report: Path | None
    ui_command: str | None
    elapsed_sec: float
    notes: tuple[str, ...]
    ablation: Ablation | None = None

    @property
    def exit_code(self) -> int:
        """0 done, 1 a trial of an arm stayed FAILED, 3 a gate failed."""
        lost = self.ablation is not None and self.ablation.states.get(TrialState.FAILED, 0) > 0
        return GATE_FAILED if self.failed else int(lost)

    @property
    def caveats(self) -> tuple[str, ...]:
        """What to know before believing an ablation, a sentence each; none for another recipe."""
        return () if self.ablation is None else caveats(self.ablation)


class RecipePlan(NamedTuple):
    """What a recipe does.

    Attributes:
        stages: by name, in order.
        factorial: what an ablation compares; None in a recipe that is none.
    """

    stages: Mapping[str, Stage]
    factorial: Factorial | None


def run_recipe(composition: Composition, observer: Observer) -> RecipeOutcome:
    """Run a recipe from wherever it stands to its end, or to the gate that fails, and report it.

    Args:
        composition: its configuration.
        observer: shows progress.

    Returns:
        What was found.
    """
    began = time.monotonic()
    plan = plan_recipe(composition)
    with StudySession(composition, observer) as session:
        if session.is_new:
            session.workers.start(composition.config)
            session.say_notes(look(composition, session.workers))
        session.claim(composition.space)
        return go_on(session, plan, began)


def go_on(session: StudySession, plan: RecipePlan, began: float, keep: KeepStage | None = None) -> RecipeOutcome:
    """Run a recipe from wherever it stands to its end, or to the gate that fails, and report it.

    Args:
        session: has claimed it.
        plan: of it.
        began: when this run of it did.
        keep: says where the studies of its stages are kept; None: in their folders.

    Returns:
        What was found.
    """
    composition, stages = session.composition, plan.stages
    origins, before = Origins(), _findings(read_study(session.folder), stages)
    goes_on, config = before.keys() < stages.keys(), composition.trial({}, composition.config["seed"]).config
    if goes_on:
        session.workers.start(composition.config)
        origins.data.learn(session.workers.files(config))
    refuse_other_data(origins.data, session, goes_on)
    again = look_again(origins.code, session, stages, goes_on)
    again |= {name for name in before if is_incomplete(folder_of(f"{session.folder.name}.{name}"))}
    session.open(composition.space, recipe=list(composition.config["stages"]))
    study = read_study(session.folder)
    done = {name: finding for name, finding in _findings(study, stages).items() if name not in again}
    if done.keys() < stages.keys():
        session.workers.start(composition.config)
    recipe = {"name": session.folder.name, "uid": study["uid"]}
    context = RecipeContext(composition, session.workers.launcher, session.observer, recipe, plan.factorial, keep)
    digests = {
        CODE: origins.code.recorded(config, session.record),
        OF_DATA: origins.data.recorded(config, session.record),
    }
    findings = run_stages(stages, done, context, partial(_write, session.record, digests))
    session.workers.stop()
    _mend_reports(session.folder, done)
    outcome = _report(context, _conclude(session, findings, _stopped_at(stages, findings), began), session.record)
    return replace(outcome, notes=session.finish(outcome))


def _stopped_at(stages: Mapping[str, Stage], findings: Mapping[str, Finding]) -> str | None:
    """Return the stage that stopped a recipe, None when it went to its end."""
    return next((name for name, finding in findings.items() if stops(stages[name], finding)), None)


def recorded_outcome(session: StudySession, plan: RecipePlan, began: float, note: str) -> RecipeOutcome:
    """Return what a recipe has come to that another driver has led to its end.

    Args:
        session: of this command, with the record of it.
        plan: of it.
        began: when this run of the command did.
        note: what the user should know.
    """
    study = read_study(session.folder)
    findings = {name: from_dict(fields) for name, fields in study.get("stages", {}).items()}
    failed = _stopped_at(plan.stages, findings)
    outcome = _outcome(session, findings, failed, began)
    known = None if failed or ARMS not in findings else ablation_of(*ablation_tables(session.folder.name))
    return replace(outcome, ablation=known, notes=(note,))


def _findings(study: Mapping[str, Any], stages: Mapping[str, Stage]) -> dict[str, Finding]:
    """Return what stages found in earlier runs; one that stopped the recipe looks again."""
    findings = {name: from_dict(fields) for name, fields in study.get("stages", {}).items()}
    return {name: finding for name, finding in findings.items() if not stops(stages[name], finding)}


def _mend_reports(folder: Path, names: Iterable[str]) -> None:
    """Write the reports of stages again that were not run, where a file of theirs is lost or is another one now."""
    for name in names:
        stage = folder_of(f"{folder.name}.{name}")
        if stage.is_dir() and not is_whole(stage):
            rebuild_report(stage.name)


def plan_recipe(composition: Composition) -> RecipePlan:
    """Return the stages of a recipe and the design of an ablation, checked.

    Args:
        composition: its configuration.

    Raises:
        ConfigError: something of it cannot be done.
    """
    if composition.study_option is None:
        raise ConfigError("stage: stages belong to a study: add +study=recipe")
    config = composition.config
    if config["study"]["grow"] is not None:
        where = composition.where("study.grow")
        raise ConfigError(
            f"study.grow = {config['study']['grow']}: only a search goes on in another space, and "
            f"+study={composition.study_option} has stages; choose another study.name (from {where})"
        )
    stages: dict[str, Stage] = {
        name: build("stage", options, config["plugins"]) for name, options in config["stages"].items()
    }
    factorial = factorial_of(composition)
    check_stages(stages, describe_groups(composition.config_dirs)["sampler"])
    check_words(composition, ablates=factorial is not None)
    check_code(composition, stages, factorial)
    check_fuse(composition)
    composition.check_space(Space.parse(composition.space, composition.where).ends())
    return RecipePlan(stages, factorial)


def _conclude(
    session: StudySession, findings: Mapping[str, Finding], failed: str | None, began: float
) -> RecipeOutcome:
    """Record what was found."""
    outcome = _outcome(session, findings, failed, began)
    best = next((finding.handed["best_arm"] for finding in findings.values() if "best_arm" in finding.handed), None)
    if best is not None:
        session.record.study("best", time_of_day(), **best)
    why = _why_ended(findings, failed)
    session.conclude(TrialState.COMPLETE, answer=outcome.answer, why=why, replay=outcome.replay_command)
    return outcome


def _outcome(session: StudySession, findings: Mapping[str, Finding], failed: str | None, began: float) -> RecipeOutcome:
    winner = findings["confirm"].handed.get("winner") if "confirm" in findings else None
    return RecipeOutcome(
        name=session.folder.name,
        folder=session.folder,
        findings=findings,
        failed=failed,
        answer=conclusion(findings, failed),
        winner=winner,
        replay_command=None if winner is None else _command(session.composition, winner),
        report=None,
        ui_command=session.ui_command(),
        elapsed_sec=time.monotonic() - began,
        notes=(),
    )


def _why_ended(findings: Mapping[str, Finding], failed: str | None) -> str:
    if failed is not None:
        return f"the stage {failed} failed: {findings[failed].cause or findings[failed].sentence}"
    return f"all {count(len(findings), 'stage')} are done"


def _report(context: RecipeContext, outcome: RecipeOutcome, record: Record) -> RecipeOutcome:
    """Write the report, of an ablation that of its arms, and record what belongs to it."""
    tracker = context.composition.config["tracker"]
    if str(tracker["_target_"]).endswith(".MlflowTracker") and tracker["wait"]:
        _send_stages(outcome, context)
    if ARMS in outcome.findings and not outcome.failed:
        found, report = _report_ablation(context, outcome.folder)
        outcome = replace(outcome, ablation=found, report=report)
    else:
        outcome = replace(outcome, report=_report_stages(context.composition, outcome))
    for name in report_files(outcome.folder):
        record.study("artifact", time_of_day(), path=name)
    record.flush()
    stamp(outcome.folder)
    return outcome


def _send_stages(outcome: RecipeOutcome, context: RecipeContext) -> None:
    """Send what the stages left: nobody waited for the tracking store between them."""
    tracker = context.composition.config["tracker"]
    for stage in outcome.findings:
        folder = outcome.folder.with_name(f"{outcome.name}.{stage}")
        if folder.exists():
            try:
                with folder_lock(folder):
                    sync(folder, tracker.get("uri"), tracker.get("artifacts"))
            except StorageError as error:
                context.line(f"{error}; `{context.composition.about('sync')}` sends the rest")
                return


def _report_ablation(context: RecipeContext, folder: Path) -> tuple[Ablation, Path]:
    """Write down what an ablation found, as it was computed in this run, or else from where it is kept."""
    from hpsearch.reports.ablation.write import write_ablation

    found = context.found
    if found is None:
        found = ablation_of(*ablation_tables(folder.name))
    else:
        tuning = None if found.tuning is None else with_runs(found.tuning)
        found = replace(found, table=with_runs(found.table), tuning=tuning)
    return found, write_ablation(found, context.composition.command, folder)


def _report_stages(composition: Composition, outcome: RecipeOutcome) -> Path:
    from hpsearch.reports.recipe.page import write_notebook

    study = read_study(outcome.folder)
    views = stage_views(study, composition.config["plugins"])
    return write_notebook(study, views, outcome.replay_command, outcome.folder)


def conclusion(findings: Mapping[str, Finding], failed: str | None) -> str:
    """Return the result of a recipe in one sentence."""
    if failed is not None:
        finding = findings[failed]
        return f"Stopped at {failed}: {finding.sentence}. {finding.action}".rstrip()
    last = findings.get("confirm") or list(findings.values())[-1]
    warned = [name for name, finding in findings.items() if finding.verdict is not Verdict.PASS]
    return f"{last.sentence}; look at {', '.join(warned)}" if warned else last.sentence


def _write(record: Record, digests: Mapping[str, str], name: str, finding: Finding) -> None:
    known = {what: digest for what, digest in digests.items() if digest}
    record.study("stage", time_of_day(), name=name, **known, **to_dict(finding))
    record.flush(fsync=True)


def _command(composition: Composition, winner: Mapping[str, Any]) -> str:
    filled = composition.trial(winner, composition.config["seed"])
    ours = [word for word in filled.overrides if not word.lstrip("+~").startswith("scheduler")]
    words = [*composition.folder_words, *ours, "scheduler=constant", "trainer.test=true"]  # as it was confirmed
    return command(*words)
