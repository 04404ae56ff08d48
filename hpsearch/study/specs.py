"""What a worker needs to train a trial, and trials on record: by their name, by their run, by their weights."""

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hpsearch.base.commands import is_outside
from hpsearch.base.errors import ConfigError, HpsearchError, StorageError
from hpsearch.base.files import is_file
from hpsearch.base.keys import ARGS
from hpsearch.base.plain import ABSENT, get, list_of
from hpsearch.base.sent import SentFile
from hpsearch.base.types import TrialId, TrialSpec
from hpsearch.base.words import assignments
from hpsearch.config.compose import Composition, TrialConfig, compose
from hpsearch.config.words import BLOCKS, COMMAND_LINE, Word, keys_of, parse_word
from hpsearch.study.folder import study_folder
from hpsearch.tracking.events import TrialRecord, read_trial
from hpsearch.tracking.query import download, find_run

STORE = ("tracker", "plugins")
PLACE = ("launcher", *STORE)
"""Parts of a configuration that say where something is written down, and where it runs."""
WEIGHTS = "best.safetensors"
"""The artifact of a trial that holds its best weights."""

_SHOWN = 12
"""Trials that a message lists."""


def make_spec(
    composition: Composition, folder: Path, point: int, params: Mapping[str, Any], seed: int, fold: int
) -> TrialSpec:
    """Return what a worker needs for one trial of a study, of which arguments may be searched that it does not name."""
    lacking = [key for key in params if key.startswith(f"{ARGS}.") and get(composition.config, list_of(key)) is ABSENT]
    composition = composition.with_arguments(lacking) if lacking else composition
    return spec_of(composition, composition.trial(params, seed, fold), folder, TrialId(point, seed, fold), params)


def spec_of(
    composition: Composition, filled: TrialConfig, folder: Path, trial: TrialId, params: Mapping[str, Any]
) -> TrialSpec:
    """Return the same for a configuration that is filled in."""
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


def compose_place(
    command: str, overrides: Sequence[str], config_dirs: Sequence[str | Path], parts: Sequence[str]
) -> Composition:
    """Compose where a command runs and where it looks, of a command that trains no configuration of its own.

    Args:
        command: its name.
        overrides: as on its command line.
        config_dirs: folders with configuration of the user's own.
        parts: root keys that its words may be of.

    Returns:
        The composition.

    Raises:
        ConfigError: a word is of another part.
    """
    composition = compose(overrides, config_dirs)
    word = composition.idle_word(lambda key: key.partition(".")[0] in parts)
    if word is not None:
        raise ConfigError(f"{word}: `{command}` takes words of {', '.join(parts)} alone (from {COMMAND_LINE})")
    return composition


def compose_again(
    command: str, overrides: Sequence[str], config_dirs: Sequence[str | Path]
) -> tuple[Composition, list[Word]]:
    """Compose where a command that makes a trial of a record again runs and looks.

    Args:
        command: its name.
        overrides: as on its command line.
        config_dirs: folders with configuration of the user's own.

    Returns:
        The composition, and the words that give what the record does not hold.
    """
    place, given = list[str](), list[Word]()
    for text in overrides:
        roots = {key.partition(".")[0] for key in keys_of(text)}
        if roots.isdisjoint({*PLACE, *BLOCKS}) and "." in text.partition("=")[0] and text[0] not in "+~":
            given.append(parse_word(text))
        else:
            place.append(text)
    return compose_place(command, place, config_dirs, PLACE), given


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
    logged = read_trial(path) if is_file(path) else None
    if logged is None:
        stems = (each.stem.split("-") for each in (folder / "events").glob("*-*-*.jsonl"))
        known = sorted(tuple(map(int, stem)) for stem in stems)
        shown = ", ".join(str(TrialId(*each)) for each in known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        raise StorageError(f"study '{name}' has no trial {trial} (it has: {shown or 'none'})")
    return name, logged


def check_inside(study: str, record: TrialRecord) -> None:
    """Refuse a trial that was trained outside.

    Args:
        study: its name.
        record: the trial.

    Raises:
        ConfigError: it was.
    """
    if is_outside(record.config):
        raise ConfigError(
            f"trial {study}/{record.id} was trained outside: nothing here can train it again, with "
            f"{assignments(record.params)}"
        )


def find_source(config: Mapping[str, Any], uri: str | None) -> SentFile | None:
    """Return the absolute path of the checkpoint that a trial starts from.

    Args:
        config: the trial's configuration; `finetune.source` is a file, an MLflow run id or STUDY/POINT/SEED.
        uri: tracking store of the run id; None for the default one.

    Returns:
        The path, None when the trial starts from scratch.
    """
    options = config.get("finetune", {})
    source = options.get("source")
    return None if options.get("mode") == "none" or source is None else SentFile(_weights(source, uri, Path.cwd()))


def with_source(config: Mapping[str, Any], uri: str | None) -> Mapping[str, Any]:
    """Return a configuration with the path of the checkpoint that it starts from, for what is measured of a trial."""
    source = find_source(config, uri)
    return config if source is None else {**config, "finetune": {**config["finetune"], "source": source}}


@functools.lru_cache(maxsize=32)
def _weights(source: str, uri: str | None, working_folder: Path) -> str:
    if Path(source).suffix or is_file(source):
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
