"""What every run needs open: workers, the study's lock, its record and its copy in the tracking store.

Nothing is created before the workers have built the configuration once and found it sound.
"""

import functools
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, HpsearchError, StorageError, nearest
from hpsearch.base.types import Objective, Observer, Progress, TrialId, TrialSpec, TrialState, TrialTable
from hpsearch.config.build import build, own_loop
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.reports.ablation.arms import ablation_options, with_arms
from hpsearch.reports.ablation.tuning import RETUNED
from hpsearch.tracking.base import Tracker
from hpsearch.tracking.environment import environment, git_state
from hpsearch.tracking.events import Record, TrialRecord, read_trial
from hpsearch.tracking.query import download, find_run, table_from_events, table_from_mlflow
from hpsearch.trial import build as trial
from hpsearch.trial import generator as own

SINGLE = "single"
TUNE, ARMS = "tune", "arms"
"""Stages of an ablation."""
QUICK_SEC = 1.0
SEND_SEC = 30
AWAY_SEC = 3
CLOSE_SEC = 2.0
WEIGHTS = "best.safetensors"
"""The artifact of a trial that holds its best weights."""


def studies_folder() -> Path:
    """Return the folder of all studies: ``studies`` in the working folder."""
    return Path.cwd() / "studies"


def layers_of(study: str, trial: TrialId) -> list[dict[str, Any]]:
    """Return the rows of a trial's ``layers.json``, see `hpsearch.trial.layers.LayerWatch`; none where it has none.

    Args:
        study: name of its study.
        trial: which of it.

    Returns:
        One row per measured step.
    """
    try:
        rows: list[dict[str, Any]] = json.loads(
            (studies_folder() / study / "trials" / trial.stem / "layers.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError):
        return []
    return rows


def study_folder(name: str) -> Path:
    """Return the folder of an existing study.

    Raises:
        StorageError: there is none of this name.
    """
    folder = studies_folder() / name
    if not (folder / "events").is_dir():
        known = sorted(p.parent.name for p in studies_folder().glob("*/events"))
        raise StorageError(
            f"no study '{name}' in {studies_folder()}{nearest(name, known)} (there are: {', '.join(known) or 'none'})"
        )
    return folder


def make_spec(
    composition: Composition, folder: Path, point: int, params: Mapping[str, Any], seed: int, fold: int
) -> TrialSpec:
    """Return what a worker needs for one trial of a study."""
    filled = composition.trial(params, seed, fold)
    trial = TrialId(point, seed, fold)
    return TrialSpec(
        study=folder.name,
        id=trial,
        config=filled.config,
        params=params,
        overrides=(*composition.folder_words, *filled.overrides),
        key=filled.key,
        folder=str(folder / "trials" / trial.stem),
        source=find_source(filled.config, tracking_uri(composition)),
    )


def tracking_uri(composition: Composition) -> str | None:
    """Return the tracking store that the configuration names, None for the default one."""
    uri: str | None = composition.config["tracker"].get("uri")
    return uri


def find_trial(run: str, uri: str | None) -> tuple[str, TrialRecord]:
    """Find a trial on record.

    Args:
        run: an MLflow run id, or STUDY/POINT/SEED[/FOLD].
        uri: tracking store of the run id; None for the default one.

    Returns:
        The name of its study, and the trial.

    Raises:
        ConfigError: `run` is neither.
        StorageError: there is no such trial.
    """
    if re.fullmatch(r"[0-9a-f]{32}", run):
        return find_run(uri, run)
    match = re.fullmatch(r"([A-Za-z0-9._-]+)/(\d+)/(\d+)(?:/(\d+))?", run)
    if not match:
        raise ConfigError(f"RUN = '{run}': must be an MLflow run id, or STUDY/POINT/SEED[/FOLD] such as lr_sweep/7/0")
    name, *numbers = match.groups(default="0")
    folder, trial = study_folder(name), TrialId(*map(int, numbers))
    path = folder / "events" / f"{trial.stem}.jsonl"
    known = read_trial(path) if path.exists() else None
    if known is None:
        raise StorageError(f"study '{name}' has no trial {trial}; see {folder / 'trials.csv'}")
    return name, known


def find_source(config: Mapping[str, Any], uri: str | None) -> str | None:
    """Return the absolute path of the checkpoint that a trial starts from.

    Args:
        config: the trial's configuration; `finetune.source` is a file, an MLflow run id or STUDY/POINT/SEED.
        uri: tracking store of the run id; None for the default one.

    Returns:
        The path, None when the trial starts from scratch.
    """
    options = config["finetune"]
    source = options.get("source")
    return None if options.get("mode") == "none" or source is None else _weights(source, uri, Path.cwd())


@functools.lru_cache(maxsize=32)
def _weights(source: str, uri: str | None, working_folder: Path) -> str:
    if Path(source).suffix or Path(source).is_file():
        return str(working_folder / Path(source).expanduser())
    try:
        study, trial = find_trial(source, uri)
    except HpsearchError as error:
        raise ConfigError(f"finetune.source = '{source}': it is no file, and as an earlier trial: {error}") from None
    file = working_folder / "studies" / study / "trials" / trial.id.stem / WEIGHTS
    if "/" not in source:
        return str(download(uri, source, WEIGHTS) or file)
    if not file.is_file():
        raise StorageError(f"finetune.source = '{source}': the trial has no weights ({trial.state}; {file} is missing)")
    return str(file)


def build_launcher(composition: Composition) -> Launcher:
    """Return the launcher that the configuration names, not started."""
    launcher: Launcher = build("launcher", composition.config["launcher"], composition.config["plugins"])
    return launcher


@contextmanager
def working(launcher: Launcher, composition: Composition, configs: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Start the workers and let one of them build every configuration, so that bad ones are refused before anything.

    Args:
        launcher: not started.
        composition: says where the objective came from.
        configs: trial configurations to check, by the words that an error adds, of which there may be none; all train
            by ours or all by a loop of the user's.

    Yields:
        Nothing; the workers run inside the block and are killed when it ends with an error. Whatever one of them
        refuses is raised.
    """
    with crew(launcher, next(iter(configs.values()))), staffed(launcher, composition, configs):
        yield


@contextmanager
def crew(launcher: Launcher, config: Mapping[str, Any]) -> Iterator[None]:
    """Run the workers that train a configuration, without a look at it.

    Yields:
        Nothing; the workers run inside the block and are killed when it ends with an error.
    """
    launcher.start(runner_of(config).execute)
    sound = False
    try:
        yield
        sound = True
    finally:
        launcher.stop(now=not sound)


def runner_of(config: Mapping[str, Any]) -> Any:
    """Return the module that trains a configuration: ours, or the one for a loop of the user's."""
    return own if own_loop(config["trainer"], config["plugins"]) else trial


@contextmanager
def staffed(launcher: Launcher, composition: Composition, configs: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Let a worker that is there already build every configuration; see `working`.

    Yields:
        Nothing; the workers stay.

    Raises:
        ConfigError: a study whose first loss is not finite in any setting. Whatever a worker refuses is raised too.
    """
    losses = []
    for words, config in configs.items():
        source = find_source(config, tracking_uri(composition))
        with _named(words):
            facts = launcher.call(runner_of(config).preflight, config, source)
        check_metric(composition, facts["metrics"])
        losses.append(facts.get("loss", 0.0))
    if composition.study_option and not any(map(math.isfinite, losses)):
        raise ConfigError(
            f"the loss of the first batch is {losses[0]} in every setting that was tried ({len(losses)}): "
            "no trial would have a score; check data, model, init and loss"
        )
    yield


@contextmanager
def _named(words: str) -> Iterator[None]:
    """Add the searched options to the message of what is raised inside."""
    try:
        yield
    except HpsearchError as error:
        if words:
            error.args = (f"{error} (met with {words})",)
        raise


def check_metric(composition: Composition, known: Sequence[str] | None) -> None:
    """Refuse an objective that no trial reports.

    Args:
        composition: its configuration.
        known: what a trial reports; None where that is not known.

    Raises:
        ConfigError: the objective is not among them, or is of the test split.
    """
    metric = composition.config["objective"]["metric"]
    if known is not None and metric not in known:
        raise ConfigError(
            f"objective.metric = '{metric}': no report has it{nearest(metric, known)} "
            f"(reported: {', '.join(known)}; from {composition.where('objective.metric')})"
        )
    if metric.startswith("test/"):
        raise ConfigError(f"objective.metric = '{metric}': the test split is never an objective; use valid/...")


def build_tracker(composition: Composition) -> Tracker:
    """Return the tracker that the configuration names; a store that cannot be used raises StorageError."""
    tracker: Tracker = build("tracker", composition.config["tracker"], composition.config["plugins"])
    tracker.check()
    return tracker


@contextmanager
def recorded(composition: Composition, folder: Path, tracker: Tracker, **opened: Any) -> Iterator[Record]:
    """Open the record and its copy; on the way out send what can be sent.

    Args:
        composition: the configuration.
        folder: of the study; its lock is held.
        tracker: copies the record.
        opened: fields of the record's ``open`` line.

    Yields:
        The record.
    """
    record = Record(folder, tracker.changed)
    record.study("open", time.time(), **opened, **provenance(composition))
    record.flush()
    tracker.open(folder)
    try:
        yield record
    except BaseException:
        with suppress(StorageError):
            record.study("state", time.time(), state=TrialState.PAUSED, answer="", why="cut off")
        raise
    finally:
        with suppress(StorageError):
            record.close()
        tracker.close(CLOSE_SEC)


def unsent_note(tracker: Tracker, observer: Observer) -> tuple[str, ...]:
    """Wait for the tracking store, and return what the user should know when something did not get there."""
    if tracker.flush(QUICK_SEC):
        return ()
    observer.line("sending the rest to the tracking store; Ctrl-C leaves it to `python -m hpsearch sync`")
    if _sent(tracker):
        return ()
    why = tracker.problem() or "it is slow"
    return (f"not everything reached the tracking store yet ({why}); `python -m hpsearch sync` sends the rest",)


def _sent(tracker: Tracker) -> bool:
    """Wait until everything is sent, but only shortly for a store that does not answer."""
    for second in range(SEND_SEC):
        if tracker.flush(1.0):
            return True
        if tracker.problem() and second >= AWAY_SEC:
            break
    return False


class Silent:
    """An observer that shows nothing."""

    def update(self, progress: Progress) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        """Show nothing."""


def provenance(composition: Composition) -> dict[str, Any]:
    """Return what a record says of the code, the machine and the command."""
    return {
        "config": composition.config,
        "command": composition.command,
        "git": git_state(Path.cwd()),
        "environment": environment(),
        "seed": composition.config["seed"],
    }


def recorded_objective(objective: Objective) -> dict[str, Any]:
    """Return what a record says of the objective: the first one, and all of them where there are several."""
    each = [{k: v for k, v in asdict(one).items() if k != "others"} for one in objective.each]
    return {"objective": each[0], **({"objectives": each} if objective.others else {})}


def objective_of(composition: Composition) -> Objective:
    """Return what the configuration says the search is for."""
    objective: Objective = build("objective", composition.config["objective"], composition.config["plugins"])
    return objective


def ablation_tables(name: str, uri: str | None = None) -> tuple[TrialTable, TrialTable | None]:
    """Return the studies of an ablation: of its arms, and of the search before them, None where nothing was retuned.

    Args:
        name: of the ablation.
        uri: as for `table_of`.

    Returns:
        The studies; the trials and curves of the arms name the arm of each.

    Raises:
        StorageError: there is no such ablation, or its arms have not begun.
    """
    command = table_of(name, uri).study.get("command")
    try:
        arms = with_arms(table_of(f"{name}.{ARMS}", uri))
    except StorageError as error:
        on = f"; go on with: {command}" if command else ""
        raise StorageError(f"study '{name}' has no arms yet ({error}){on}") from error
    retuned = ablation_options(arms.study).get("nuisance") == RETUNED
    return arms, table_of(f"{name}.{TUNE}", uri) if retuned else None


def trials_of(name: str, uri: str | None = None) -> TrialTable:
    """Return a study as tables, of an ablation those of its arms; where from, see `table_of`."""
    table = table_of(name, uri)
    return ablation_tables(name, uri)[0] if is_ablation(table.study) else table


def compared_table(name: str, uri: str | None = None) -> TrialTable:
    """Return what is compared of a study, as tables: of a search its trials, of an ablation those of its arms.

    Args:
        name: of the study, and of what is returned.
        uri: as for `table_of`.

    Raises:
        ConfigError: it is a recipe, which has no best point of its own.
    """
    table = table_of(name, uri)
    if is_ablation(table.study):
        return replace(ablation_tables(name, uri)[0], name=name)
    if "recipe" in table.study:
        stages = ", ".join(f"{name}.{stage}" for stage in table.study.get("stages", ()))
        raise ConfigError(f"'{name}' is a recipe: name searches of its stages (among {stages})")
    return table


def is_ablation(study: Mapping[str, Any]) -> bool:
    """Return whether what a study recorded of itself says that its stages compare arms."""
    return ARMS in study.get("recipe", ())


def table_of(name: str, uri: str | None = None) -> TrialTable:
    """Return a study as tables: from its folder, or from a tracking store when one is named or there is no folder."""
    if uri is None and (studies_folder() / name / "events").is_dir():
        return table_from_events(studies_folder() / name)
    if uri is None and not (Path.cwd() / "mlflow.db").exists():
        study_folder(name)
    return table_from_mlflow(uri, name)
