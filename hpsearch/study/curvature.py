"""The shape of the training loss around a trial's weights."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from hpsearch.base.errors import ConfigError, StorageError, check_choice, check_int, nearest
from hpsearch.base.intake import yaml_text
from hpsearch.base.sent import SentFile
from hpsearch.base.types import TrialState
from hpsearch.base.words import epoch_text
from hpsearch.config.build import own_loop
from hpsearch.config.compose import Composition
from hpsearch.config.record import read_back
from hpsearch.config.words import Word
from hpsearch.reports.curvature.numbers import TOLERANCES, Curvature, judge
from hpsearch.study.folder import folder_of
from hpsearch.study.origins import Origins
from hpsearch.study.specs import WEIGHTS, check_inside, compose_again, find_source, find_trial, tracking_uri
from hpsearch.study.workers import Workers
from hpsearch.tracking.events import TrialRecord
from hpsearch.tracking.mlflow import add_to_run, run_of
from hpsearch.tracking.query import download
from hpsearch.trial.measure import measure
from hpsearch.trial.reading import END

LAST = "last.pt"
WORD = "curvature."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to measure a curvature.

    Attributes:
        samples: of the training split that the loss is the mean of.
        k: largest and smallest eigenvalues to show.
        probes: random vectors of the spectral density; the spread over them is its error.
        steps: Lanczos steps of a probe.
        longest: Lanczos steps of the first probe, which looks for the extreme eigenvalues.
        exact: parameters up to which the whole Hessian is computed, in float64.
        precision: ``float32``, ``float64``, or ``auto``: float64 up to 20,000 parameters.
    """

    samples: int = 500
    k: int = 5
    probes: int = 4
    steps: int = 40
    longest: int = 100
    exact: int = 3000
    precision: str = "auto"

    def __post_init__(self) -> None:
        """Refuse a number out of range."""
        for name, low in (("samples", 1), ("k", 1), ("probes", 2), ("steps", 2), ("longest", 2), ("exact", 0)):
            check_int(f"{WORD}{name}", getattr(self, name), low)
        check_choice(f"{WORD}precision", self.precision, ("auto", "float32", "float64"))


@dataclass(frozen=True, slots=True)
class CurvatureOutcome:
    """The curvature of a trial's training loss, and where it is written.

    Attributes:
        run: the trial: STUDY/POINT/SEED.
        weights: name of the file they were read from.
        epoch: the epoch after which they were taken.
        train_size: samples of the training split.
        found: the curvature.
        files: ``curvature.json``, ``curvature.html`` and ``curvature.svg``, and the drawings of the last weights.
        elapsed_sec: of the measurement.
        notes: what the user should know.
        last: the curvature at the weights that training ended with; None where these are the same or were not kept.
        last_epoch: the epoch after which they were taken.
    """

    run: str
    weights: str
    epoch: float
    train_size: int
    found: Curvature
    files: tuple[Path, ...]
    elapsed_sec: float
    notes: tuple[str, ...]
    last: Curvature | None = None
    last_epoch: float = 0

    def __repr__(self) -> str:
        return f"{self.run}, weights of epoch {epoch_text(self.epoch)}: {self.found.verdict}; {self.found.reason}"

    def _repr_svg_(self) -> str:
        """Return the figure, which a notebook shows."""
        return self.files[2].read_text(encoding="utf-8")


def curvature(run: str, *, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()) -> CurvatureOutcome:
    """Measure the curvature of the training loss at a trial's weights, and write it into the trial's folder.

    The loss is that of a fixed part of the training split, with the regularizers' penalties, without dropout,
    augmentation and mixing, batch normalization in evaluation mode. The weights are the best ones that the trial kept,
    else those of its last checkpoint; and those that training ended with, where it kept them and they are others.

    Args:
        run: an MLflow run id, or STUDY/POINT/SEED[/FOLD].
        overrides: of the launcher and the tracker; ``curvature.KEY=VALUE`` sets a field of `Options`; others give what
            the record does not hold, see `hpsearch.study.single.replay`.
        config_dirs: folders with configuration of your own; plugins are taken from here, never from the logged run.

    Returns:
        The curvature. Bad input raises one of the errors of `hpsearch.base.errors`.

    Example:
        >>> words = ["curvature.samples=200", "curvature.exact=0", "launcher=inline"]
        >>> outcome = curvature("single/0/0", overrides=words)
        >>> outcome.found.parameters > 0
        True
    """
    started = time.monotonic()
    options = options_of([word for word in overrides if word.startswith(WORD)])
    others = [word for word in overrides if not word.startswith(WORD)]
    composition, words = compose_again("curvature", others, config_dirs)
    uri = tracking_uri(composition)
    study, logged = find_trial(run, uri)
    check_inside(study, logged)
    name = f"{study}/{logged.id}"
    config = rebuilt(name, logged, composition.config["plugins"], words)
    folder = folder_of(study) / "trials" / logged.id.stem
    file = _weights(name, logged, folder, uri, run)
    end = _end_weights(logged, folder)
    measured, *ended = _measured(composition, config, logged.key, [file, *end], options)
    found, last = judge(measured), judge(ended[0]) if ended else None
    facts = {"run": name, "weights": file.name, "epoch": measured["epoch"], "train_size": measured["train_size"]}
    files = _write(folder, found, measured, facts, options)
    if last is not None:
        own = {**facts, "weights": end[0].name, "epoch": ended[0]["epoch"]}
        files = (*files, *_write(folder, last, ended[0], own, options, "curvature_last"))
    changed = Origins().changed_since(folder_of(study), logged)
    how = logged.facts.get("weights")
    said = (changed, f"the trial's weights are {how}" if how else "")
    notes = (*(line for line in said if line), *_track(composition, study, logged, run, (found, last), files))
    return CurvatureOutcome(
        **facts,
        found=found,
        files=files,
        elapsed_sec=time.monotonic() - started,
        notes=notes,
        last=last,
        last_epoch=ended[0]["epoch"] if ended else 0,
    )


def options_of(words: Sequence[str]) -> Options:
    """Return the options that words of the command line set.

    Args:
        words: ``curvature.KEY=VALUE``.

    Returns:
        The options.

    Raises:
        ConfigError: there is no such option, or it does not take the value.
    """
    names = [field.name for field in fields(Options)]
    given = {}
    for word in words:
        key, _, text = word.removeprefix(WORD).partition("=")
        if key not in names:
            raise ConfigError(f"no option '{WORD}{key}'{nearest(key, names)} (there are: {', '.join(names)})")
        try:
            given[key] = yaml_text(text)
        except ValueError:
            given[key] = text
    return Options(**given)


def rebuilt(name: str, logged: TrialRecord, plugins: Sequence[str], words: Sequence[Word]) -> Mapping[str, Any]:
    """Return the configuration to rebuild a trial with; the test split stays closed.

    Args:
        name: STUDY/POINT/SEED, for messages.
        logged: the trial.
        plugins: packages that the command line or a folder of one's own configuration names.
        words: give what the record does not hold.

    Raises:
        ConfigError: a loop of the user's trained it.
    """
    if own_loop(logged.config["trainer"], plugins):
        raise ConfigError(f"trial {name} was trained by a loop of your own: its model is not known here")
    config = read_back(logged.config, plugins, words)
    return {**config, "trainer": {**config["trainer"], "test": False}}


def _weights(name: str, logged: TrialRecord, folder: Path, uri: str | None, run: str) -> Path:
    for file in (folder / WEIGHTS, folder / LAST):
        if file.is_file():
            return file
    fetched = download(uri, run, WEIGHTS) if "/" not in run else None
    if fetched is not None:
        return fetched
    state = f"{logged.state.lower()}: {logged.reason}" if logged.reason else logged.state.lower()
    hint = "" if logged.state is TrialState.COMPLETE else "; a trial keeps weights once an epoch was evaluated"
    raise StorageError(f"trial {name} has no weights ({state}; no {WEIGHTS} and no {LAST} in {folder}{hint})")


def _end_weights(logged: TrialRecord, folder: Path) -> list[Path]:
    """Return the file of the weights that training ended with, where it was kept and they are not the best ones."""
    file = folder / END
    known = logged.reports and logged.facts.get("best_epoch") == logged.reports[-1].epoch
    return [file] if file.is_file() and (folder / WEIGHTS).is_file() and not known else []


def _measured(
    composition: Composition, config: Mapping[str, Any], key: str, files: Sequence[Path], options: Options
) -> list[dict[str, Any]]:
    given = {**asdict(options), "tolerance": {name: TOLERANCES[name] for name in ("float32", "float64")}}
    with Workers(composition.with_values({"launcher.workers": 1})) as workers:
        source = find_source(config, tracking_uri(composition))
        workers.start(config)
        measured: list[dict[str, Any]] = [
            workers.launcher.call(
                partial(measure, "curvature", config, key=key, weights=SentFile(file), source=source, **given)
            )
            for file in files
        ]
        workers.stop(now=True)
    return measured


def _write(
    folder: Path,
    found: Curvature,
    measured: Mapping[str, Any],
    facts: Mapping[str, Any],
    options: Options,
    name: str = "curvature",
) -> tuple[Path, ...]:
    from hpsearch.base.files import replace_text
    from hpsearch.reports.curvature.page import write_curvature

    spectrum = {name: measured[name] for name in ("eigenvalues", "matrices") if name in measured}
    content = {**facts, **asdict(found), **spectrum, "options": asdict(options)}
    text = json.dumps(_plain(content), indent=1, allow_nan=False)
    title = str(facts["run"]) if name == "curvature" else f"{facts['run']}, last weights"
    return replace_text(folder / f"{name}.json", text), *write_curvature(found, title, folder, name)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it, which knows no numbers that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _track(
    composition: Composition,
    study: str,
    logged: TrialRecord,
    run: str,
    both: tuple[Curvature, Curvature | None],
    files: Sequence[Path],
) -> tuple[str, ...]:
    """Put the result into the trial's MLflow run, if it has one; a store that is away costs a note."""
    if "uri" not in composition.config["tracker"]:
        return ()
    uri = tracking_uri(composition)
    try:
        target = run if "/" not in run else run_of(folder_of(study), logged.id.stem, uri)
        if target is None:
            return ("the trial is not in the tracking store: the curvature is in its folder only",)
        found, last = both
        numbers, tags = dict(found.numbers), {"curvature": found.verdict.value}
        if last is not None:
            numbers |= {f"last_{name}": value for name, value in last.numbers.items()}
            tags["curvature_last"] = last.verdict.value
        add_to_run(uri, target, numbers, tags, files)
    except StorageError as error:
        return (f"the curvature is in the trial's folder only ({error})",)
    return ()
