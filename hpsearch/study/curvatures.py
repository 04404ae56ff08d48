"""The shape of the training loss where the runs of a study ended."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.sent import SentFile
from hpsearch.base.types import TrialState
from hpsearch.config.compose import Composition
from hpsearch.config.words import Word
from hpsearch.reports.curvature.numbers import TOLERANCES, judge
from hpsearch.reports.curvature.runs import RunCurvature, write_runs
from hpsearch.study.curvature import LAST, WORD, Options, options_of, rebuilt
from hpsearch.study.folder import study_folder
from hpsearch.study.specs import WEIGHTS, compose_again, find_source, tracking_uri
from hpsearch.study.workers import Workers
from hpsearch.tracking.events import TrialRecord, read_trials
from hpsearch.trial.measure import measure
from hpsearch.trial.reading import END


@dataclass(frozen=True, slots=True)
class CurvaturesOutcome:
    """The curvatures of a study's runs, and where they are written.

    Attributes:
        study: its name.
        runs: in order of point, seed and fold.
        files: ``curvature.csv``, ``curvature.html`` and ``curvature.svg`` in the study's folder.
        elapsed_sec: of the measurements.
        notes: what the user should know.
    """

    study: str
    runs: tuple[RunCurvature, ...]
    files: tuple[Path, ...]
    elapsed_sec: float
    notes: tuple[str, ...]


def curvatures(
    study: str, *, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> CurvaturesOutcome:
    """Measure the curvature of the training loss at the weights that every complete trial of a study ended with.

    See `hpsearch.study.curvature.curvature` for the loss. Where the last weights were not kept the best ones are taken.

    Args:
        study: its name.
        overrides: of the launcher and the tracker; ``curvature.KEY=VALUE`` sets a field of `Options`.
        config_dirs: folders with configuration of your own.

    Returns:
        The curvatures.

    Raises:
        StorageError: there is no such study, or none of its trials has weights that can be measured.
    """
    started = time.monotonic()
    options = options_of([word for word in overrides if word.startswith(WORD)])
    others = [word for word in overrides if not word.startswith(WORD)]
    composition, words = compose_again("curvature", others, config_dirs)
    folder = study_folder(study)
    complete = [each for each in read_trials(folder) if each.state is TrialState.COMPLETE]
    runs: list[RunCurvature] = []
    passed: list[str] = []
    with Workers(composition.with_values({"launcher.workers": 1})) as workers:
        for logged in complete:
            try:
                runs.append(_measured(workers, logged, folder, options, composition, words))
            except (ConfigError, StorageError) as error:
                passed.append(f"{logged.id}: {error}")
        workers.stop(now=True)
    if not runs:
        why = f" ({passed[0]})" if passed else ""
        raise StorageError(f"study '{study}': no complete trial has weights to measure{why}")
    not_last = sum(not each.ended for each in runs)
    kept = f"{not_last} of {len(runs)} did not keep the weights that training ended with: these are their best ones"
    notes = [kept] if not_last else []
    notes += [f"{len(passed)} of {len(complete)} could not be measured; {passed[0]}"] if passed else []
    files = write_runs(runs, study, folder)
    return CurvaturesOutcome(study, tuple(runs), files, time.monotonic() - started, tuple(notes))


def _measured(
    workers: Workers,
    logged: TrialRecord,
    folder: Path,
    options: Options,
    composition: Composition,
    words: Sequence[Word],
) -> RunCurvature:
    name = f"{folder.name}/{logged.id}"
    file, ended = _weights(name, logged, folder / "trials" / logged.id.stem)
    config = rebuilt(name, logged, composition.config["plugins"], words)
    workers.start(config)
    given = {**asdict(options), "tolerance": {name: TOLERANCES[name] for name in ("float32", "float64")}}
    source = find_source(config, tracking_uri(composition))
    call = partial(measure, "curvature", config, key=logged.key, weights=SentFile(file), source=source, **given)
    found = workers.launcher.call(call)
    return RunCurvature(str(logged.id), file.name, found["epoch"], ended, judge(found))


def _weights(name: str, logged: TrialRecord, folder: Path) -> tuple[Path, bool]:
    """Return the file of the weights that training ended with and True, else of the best that there are and False."""
    best, end, last = folder / WEIGHTS, folder / END, folder / LAST
    if best.is_file() and logged.reports and logged.facts.get("best_epoch") == logged.reports[-1].epoch:
        return best, True
    if end.is_file():
        return end, True
    for file in (best, last):
        if file.is_file():
            return file, False
    raise StorageError(f"trial {name} has no weights (no {WEIGHTS}, {END} or {LAST} in {folder})")
