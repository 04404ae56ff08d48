"""The recipe from its first stage to its last: workers, record, the studies of its stages, what was found."""

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.grammar import space_word
from hpsearch.base.types import Objective, Observer, TrialState, TrialTable
from hpsearch.config.build import build
from hpsearch.config.compose import Composition, compose
from hpsearch.config.words import COMMAND_LINE, sort_words
from hpsearch.launch.base import Launcher
from hpsearch.reports.ablation.numbers import Ablation
from hpsearch.search.space import Space
from hpsearch.study.factorial import Factorial, factorial_of
from hpsearch.study.ownership import STUDY_FILE, described, owned
from hpsearch.study.run_stages import from_dict, run_stages, stops, to_dict
from hpsearch.study.session import (
    build_launcher,
    build_tracker,
    check_metric,
    crew,
    objective_of,
    recorded,
    recorded_objective,
    studies_folder,
    unsent_note,
)
from hpsearch.study.stages.base import Finding, Stage, Verdict, check_stages
from hpsearch.tracking.events import Record
from hpsearch.tracking.study_events import read_study
from hpsearch.trial.measure import measure

GATE_FAILED = 3
FEW_ROWS = 100
"""Looked at before anything is created; the gate looks at more."""
SearchStage = Callable[[Composition, Observer, Launcher, Mapping[str, str]], TrialTable]
OF_RECIPE = ("study", "stage", "stages")
SET_BY_STAGES = ("sampler", "pruner", "budget")


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


class Bench:
    """What the stages of one recipe are given; see `hpsearch.study.stages.base.Context`."""

    def __init__(
        self,
        composition: Composition,
        launcher: Launcher,
        search: SearchStage,
        observer: Observer,
        within: Mapping[str, str],
        handed: Mapping[str, Any],
        factorial: Factorial | None,
    ) -> None:
        self.objective: Objective = objective_of(composition)
        self.space: Mapping[str, str] = {name: str(text) for name, text in composition.space.items()}
        self.handed = handed
        self.factorial = factorial
        self._composition = composition
        self._launcher = launcher
        self._search = search
        self._observer = observer
        self._within = within
        self._question = composition.config["study"]["question"] or "null"

    def config(self, params: Mapping[str, Any] | None = None, seed: int | None = None) -> Mapping[str, Any]:
        """Return the resolved configuration of one trial."""
        seed = self._composition.config["seed"] if seed is None else seed
        return self._composition.trial(params or {}, seed).config

    def measure(self, name: str, config: Mapping[str, Any], **options: Any) -> Any:
        """Return a measurement of a trial, made in a worker."""
        return self._launcher.call(partial(measure, name, config, **options))

    def search(self, stage: str, words: Sequence[str], space: Mapping[str, str]) -> TrialTable:
        """Run the study of a stage on the recipe's workers."""
        name = f"{self._within['name']}.{stage}"
        given = [*words, f"study.name={name}", *self._anew(name)]
        replaced = {word.key for word in sort_words(given).hydra}
        ours = sort_words(self._composition.words).hydra
        kept = [w.text for w in ours if w.key not in replaced and w.key.partition(".")[0] not in OF_RECIPE]
        spaces = [space_word(name, expression) for name, expression in space.items()]
        nuisance = self._composition.config["nuisance"]
        spaces += [space_word(name, nuisance[name], "nuisance") for name in nuisance if name not in space]
        study = [f"+study={self._composition.study_option}", f"study.question={self._question}"]
        composition = compose(
            [*study, "stage=none", *kept, *given, "~space", "~nuisance", *spaces], self._composition.config_dirs
        )
        return self._search(composition, self._observer, self._launcher, self._within)

    def _anew(self, name: str) -> list[str]:
        """Return the word that starts a stage's study over, where it belongs to an earlier recipe of this name."""
        known = read_study(studies_folder() / name)
        return ["study.restart=true"] if known and known.get("within") != self._within else []

    def line(self, text: str) -> None:
        """Show one line."""
        self._observer.line(text)


def run_recipe(composition: Composition, search: SearchStage, observer: Observer) -> RecipeOutcome:
    """Run a recipe from wherever it stands to its end, or to the gate that fails.

    Args:
        composition: its configuration.
        search: runs the study of a stage.
        observer: shows progress.

    Returns:
        What was found.

    Raises:
        ConfigError: there is no study, or a stage cannot be built.
    """
    began = time.time()
    if composition.study_option is None:
        raise ConfigError("stage: stages belong to a study: add +study=recipe")
    stages, factorial = _stages(composition), factorial_of(composition)
    check_stages(stages)
    _check_words(composition, ablates=factorial is not None)
    composition.check_space(Space.parse(composition.space, composition.where).ends())
    folder, tracker = studies_folder() / composition.study_name, build_tracker(composition)
    launcher = build_launcher(composition)
    with ExitStack() as stack:
        workers = stack.enter_context(ExitStack())
        anew = composition.config["study"]["restart"]
        staffed = anew or not (folder / STUDY_FILE).exists()
        if staffed:
            workers.enter_context(crew(launcher, composition.config))
            _look(composition, launcher)
        restarted = stack.enter_context(owned(folder, described(composition, composition.space), anew, observer.line))
        fields = _opened(composition, folder) | ({"restart": True} if restarted else {})
        record = stack.enter_context(recorded(composition, folder, tracker, **fields))
        study = read_study(folder)
        known = {name: from_dict(each) for name, each in study.get("stages", {}).items()}
        known = {name: each for name, each in known.items() if not stops(stages[name], each)}
        within = {"name": folder.name, "uid": study["uid"]}
        if known.keys() < stages.keys() and not staffed:
            workers.enter_context(crew(launcher, composition.config))
        findings = run_stages(
            stages,
            known,
            lambda handed: Bench(composition, launcher, search, observer, within, handed, factorial),
            lambda name, finding: _write(record, name, finding),
            observer.line,
        )
        workers.close()
        failed = next((name for name, each in findings.items() if stops(stages[name], each)), None)
        answer = conclusion(findings, failed)
        winner = findings["confirm"].handed.get("winner") if "confirm" in findings else None
        replay = None if winner is None else _command(composition, winner)
        best = next((each.handed["best_arm"] for each in findings.values() if "best_arm" in each.handed), None)
        if best is not None:
            record.study("best", time.time(), **best)
        state = {"state": TrialState.COMPLETE, "answer": answer, "why": failed or "", "replay": replay}
        record.study("state", time.time(), **state)
        record.flush()
        notes = unsent_note(tracker, observer)
    return RecipeOutcome(
        name=folder.name,
        folder=folder,
        findings=findings,
        failed=failed,
        answer=answer,
        winner=winner,
        replay_command=replay,
        report=None,
        ui_command=tracker.hint(),
        elapsed_sec=time.time() - began,
        notes=notes,
    )


def conclusion(findings: Mapping[str, Finding], failed: str | None) -> str:
    """Return the result of a recipe in one sentence."""
    if failed is not None:
        finding = findings[failed]
        return f"Stopped at {failed}: {finding.sentence}. {finding.action}".rstrip()
    last = findings.get("confirm") or list(findings.values())[-1]
    warned = [name for name, finding in findings.items() if finding.verdict is not Verdict.PASS]
    return f"{last.sentence}; look at {', '.join(warned)}" if warned else last.sentence


def _check_words(composition: Composition, *, ablates: bool) -> None:
    """Refuse what a study of one stage takes from the command line and the stages of a recipe set themselves."""
    instead = (
        "ablation.points, ablation.seeds and ablation.epochs"
        if ablates
        else "stages.coarse.points, stages.coarse.epochs, stages.coarse.sampler and the same of stages.fine"
    )
    for word in sort_words(composition.words).hydra:
        if word.key.partition(".")[0] in SET_BY_STAGES:
            raise ConfigError(
                f"{word.text}: every stage brings its own sampler, pruner and budget; see {instead} "
                f"(from {COMMAND_LINE})"
            )


def _look(composition: Composition, launcher: Launcher) -> None:
    """Let a worker build the configuration once, so that what cannot be built is refused before anything is created.

    Faults that a gate names are left to it.
    """
    config = dict(composition.trial({}, composition.config["seed"]).config)
    if "confirm" in composition.config["stages"]:  # it tests
        config["trainer"] = {**config["trainer"], "test": True}
    found = launcher.call(partial(measure, "data_check", config, rows=FEW_ROWS))
    if "fault" not in found:
        check_metric(composition, found["metrics"])
        launcher.call(partial(measure, "initial_loss", config, samples=FEW_ROWS))


def _stages(composition: Composition) -> dict[str, Stage]:
    config = composition.config
    return {name: build("stage", options, config["plugins"]) for name, options in config["stages"].items()}


def _write(record: Record, name: str, finding: Finding) -> None:
    record.study("stage", time.time(), name=name, **to_dict(finding))
    record.flush(fsync=True)


def _opened(composition: Composition, folder: Path) -> dict[str, Any]:
    return {
        "name": folder.name,
        "question": composition.config["study"]["question"],
        "space": dict(composition.space),
        **recorded_objective(objective_of(composition)),
        "recipe": list(composition.config["stages"]),
    }


def _command(composition: Composition, winner: Mapping[str, Any]) -> str:
    filled = composition.trial(winner, composition.config["seed"])
    ours = [word for word in filled.overrides if not word.lstrip("+~").startswith("scheduler")]
    words = [*composition.folder_words, *ours, "scheduler=constant", "trainer.test=true"]  # as it was confirmed
    return f"python -m hpsearch {shlex.join(words)}"
