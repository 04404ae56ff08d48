"""How studies stand, from their records and who has signed them: nothing is locked, and nothing is written."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from hpsearch.base.commands import is_outside
from hpsearch.base.errors import ConfigError, HpsearchError, StorageError
from hpsearch.base.failures import Failure, alike
from hpsearch.base.inside import check_links, check_name
from hpsearch.base.observer import RUNNING, TURNS, Driver, Progress, RunningTrial, StudyStatus
from hpsearch.base.types import BestPoint, TrialState
from hpsearch.progress.display import Pace
from hpsearch.search.lock import last_driver, signed
from hpsearch.study.folder import studies_folder, study_folder
from hpsearch.tracking.events import STUDY
from hpsearch.tracking.glance import StudyGlance, TrialGlance
from hpsearch.tracking.identity import is_untracked

SILENT_SEC = 900.0
"""Where only another machine can say whether a driver lives, and where trials are told by turns, a study is taken to
run for so long after its last sign of life, unless it is named."""


class Onlooker:
    """Looks at a study and the stage of it that runs, or at all studies of the working folder that run.

    What was looked at once stays in sight when it ends.

    Args:
        name: of the study; None for those that run, else the one that was changed last.

    Raises:
        StorageError: there is no such study, or none at all.
    """

    def __init__(self, name: str | None = None) -> None:
        self._named = study_folder(name) if name else None
        self._glances: dict[Path, StudyGlance] = {}
        self._refused: set[Path] = set()
        self._shown: list[Path] = [self._named] if self._named else []
        if name is None and not any(self._folders()):
            raise StorageError(f"no studies in {studies_folder()}; start one with `python -m hpsearch +study=lr_sweep`")

    def look(self, now: float) -> list[StudyStatus]:
        """Return how the studies stand, recipes before their stages.

        Args:
            now: seconds since the Unix epoch.
        """
        for folder in self._folders():
            if folder not in self._shown and self._runs(folder, now):
                self._shown.append(folder)
        if not self._shown:
            last = max(self._folders(), key=lambda folder: _changed(folder / "events" / f"{STUDY}.jsonl"))
            self._shown = [each for each in self._folders() if each == last or last.name.startswith(f"{each.name}.")]
        found = []
        for folder in self._shown:
            glance = self._glance(folder)
            glance.look()
            found.append(status_of(glance, now))
        return sorted(found, key=lambda status: (_root(status.folder), status.folder))

    def _folders(self) -> list[Path]:
        """Return the studies that may be shown, as far as no links lead out of them."""
        begins = f"{self._named.name}." if self._named else ""
        there = sorted(path.parent.parent for path in studies_folder().glob(f"{begins}*/events/{STUDY}.jsonl"))
        for folder in there:
            if folder not in self._glances and folder not in self._refused:
                try:
                    check_links(folder)
                    check_name(folder.name)
                    self._glance(folder)
                except (ConfigError, StorageError):
                    self._refused.add(folder)
        return [folder for folder in there if folder not in self._refused]

    def _glance(self, folder: Path) -> StudyGlance:
        return self._glances.setdefault(folder, StudyGlance(folder))

    def _runs(self, folder: Path, now: float) -> bool:
        """Return whether somebody works on a study, and has written of it lately where that is all that tells."""
        driver, glance = _driver(folder), self._glance(folder)
        alive = driver is not None and driver.is_alive
        if alive is False and now - signed(folder) > SILENT_SEC:
            return False
        glance.look_at_itself()
        lately = now - max(glance.heard or 0.0, signed(folder)) < SILENT_SEC
        return _state(glance, driver, lately) in (RUNNING, TURNS) and (alive is True or lately)


def status_of(glance: StudyGlance, now: float) -> StudyStatus:
    """Return how a study stands that was looked at.

    Args:
        glance: at its record.
        now: seconds since the Unix epoch.
    """
    study, driver = glance.study, _driver(glance.folder)
    running = glance.running(now)
    if is_outside(_config(glance)):  # whoever asked for it trains it, wherever that is
        running = tuple(replace(each, worker=None, node="") for each in running)
    state = _state(glance, driver, bool(running) or now - signed(glance.folder) < SILENT_SEC)
    goes_on = state in (RUNNING, TURNS)
    trials = list(glance.readable)
    heard = max([glance.heard or 0.0, *(now - (each.heard_sec or 0.0) for each in running), *map(_since, trials)])
    end = now if goes_on else heard
    progress = _progress(glance, trials, running if goes_on else (), state, max(0.0, end - (glance.opened or end)))
    return StudyStatus(
        folder=glance.folder,
        progress=progress,
        state=state,
        why=_text(_table(study.get("state")).get("why")) if not goes_on else "",
        driver=driver,
        heard_sec=max(0.0, now - heard) if heard else None,
        left_sec=_left_sec(glance, progress, trials) if state == RUNNING else None,
        failures=_failures(trials),
        retried=tuple((each.id, each.reason) for each in trials if each.state is TrialState.WAITING and each.reason),
        cut_off=() if goes_on else tuple(each.id for each in running),
        unsent=None if is_untracked(_table(study.get("config"))) else glance.unsent(),
        unreadable=tuple(glance.unreadable[stem] for stem in sorted(glance.unreadable)),
        stages=_stages(study),
    )


def _state(glance: StudyGlance, driver: Driver | None, lately: bool) -> str:
    """Return the state of a study, see `StudyStatus`.

    Args:
        glance: at its record.
        driver: who has it, or had it last.
        lately: whether a trial was asked for that is not told, or somebody asked or told of late.
    """
    if STUDY in glance.unreadable:
        return "DAMAGED"
    alive = driver is not None and driver.is_alive is not False
    ended = _text(_table(glance.study.get("state")).get("state"))
    if not ended and alive:
        return RUNNING
    if is_outside(_config(glance)) and ended in ("", TrialState.PAUSED) and lately:
        return TURNS
    return ended or "INTERRUPTED"


def _progress(
    glance: StudyGlance, trials: list[TrialGlance], running: tuple[RunningTrial, ...], state: str, elapsed_sec: float
) -> Progress:
    counts = Counter(each.state for each in trials)
    counts[TrialState.RUNNING] = len(running)
    known = None if state == TrialState.COMPLETE else glance.total
    total = max(known, len(trials)) if known is not None else None if state in (RUNNING, TURNS) else len(trials)
    metric = _text(_table(glance.study.get("objective")).get("metric"))
    return Progress(
        study=glance.folder.name,
        total=total,
        counts=+counts,
        running=running,
        best=_best(glance.study.get("best"), metric),
        elapsed_sec=elapsed_sec,
        metric=metric,
    )


def _best(best: Any, metric: str) -> BestPoint | None:
    names = {each.name for each in fields(BestPoint)} - {"metric"}
    return BestPoint(**{name: best[name] for name in names}, metric=metric) if best else None


def _left_sec(glance: StudyGlance, progress: Progress, trials: list[TrialGlance]) -> float | None:
    """Return the seconds left, from what was done since the driver began."""
    before = Counter(each.state for each in trials if each.state.finished and _since(each) < (glance.opened or 0.0))
    before[TrialState.PAUSED] = sum(each.state is TrialState.PAUSED for each in trials)
    pace = Pace()
    pace.left_sec(Progress(progress.study, progress.total, before, (), None, 0.0))
    return pace.left_sec(progress)


def _failures(trials: list[TrialGlance]) -> tuple[Failure, ...]:
    failed = sorted((each for each in trials if each.state is TrialState.FAILED), key=lambda each: each.id)
    return alike((each.reason, Failure(str(each.id), each.reason, "")) for each in failed)


def _stages(study: Mapping[str, Any]) -> dict[str, str]:
    """Return the verdict of each stage of a recipe, empty for one that has not ended."""
    names = study.get("recipe")
    found = _table(study.get("stages"))
    listed = [str(name) for name in names] if isinstance(names, list) else []
    return {name: _text(_table(found.get(name)).get("verdict")) for name in listed}


def _driver(folder: Path) -> Driver | None:
    try:
        return last_driver(folder)
    except HpsearchError:
        return None


def _config(glance: StudyGlance) -> Mapping[str, Any]:
    config = _table(glance.study.get("config"))
    return {**config, "trainer": _table(config.get("trainer"))}


def _since(trial: TrialGlance) -> float:
    return trial.since or 0.0


def _table(value: Any) -> Mapping[str, Any]:
    """Return a table of a record that anybody may have written; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _root(folder: Path) -> str:
    return folder.name.partition(".")[0]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
