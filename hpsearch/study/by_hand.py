"""Points that a user gives up or adds: told to the driver that runs, or done at once where none does."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import BusyError, ConfigError, SpaceError, StorageError
from hpsearch.base.outcome import GIVEN_UP
from hpsearch.base.types import TrialState
from hpsearch.config.words import parse_word
from hpsearch.search.by_hand import added, give_up, shown
from hpsearch.search.extension import present_study
from hpsearch.search.open_ask_tell import NOT_BY_HAND
from hpsearch.search.requests import Request, leave
from hpsearch.search.space import Space
from hpsearch.search.storage import JOURNAL_NAME, JournalStore
from hpsearch.search.suggested import SUGGESTED
from hpsearch.study.folder import STUDY_FILE, folder_lock, read_yaml, search_folder
from hpsearch.tracking.events import read_study, read_trials
from hpsearch.tracking.record import Record


def skip_point(name: str) -> str:
    """Give up a point of a study: what trains of it is stopped, what waits of it never starts, and it is PRUNED.

    Args:
        name: of the study and number of the point, ``STUDY/POINT``.

    Returns:
        What was done, or asked of the driver that runs.

    Raises:
        ConfigError: `name` is no such name.
        StorageError: there is no such point, or it has ended.
    """
    match = re.fullmatch(r"([A-Za-z0-9._-]+)/(\d+)", name)
    if not match:
        raise ConfigError(f"'{name}': must be STUDY/POINT, such as lr_sweep/7")
    folder, number = search_folder(match[1]), int(match[2])
    records = [record for record in read_trials(folder) if record.id.point == number]
    if len(records) >= _replicates(read_study(folder)) and all(record.state.finished for record in records):
        raise StorageError(f"point {number} of study '{folder.name}' is not given up: it has ended")
    try:
        with folder_lock(folder) as guard:
            with _optuna_study(folder) as study:
                give_up(study, number)
            record = Record(folder, guard=guard)
            for each in records:
                if not each.state.finished:
                    record.state(each.id, TrialState.PRUNED, time_of_day(), reason=GIVEN_UP)
            record.close()
    except BusyError:
        leave(folder, Request(skip=number))
        return f"the running study '{folder.name}' is asked to give up point {number}: it does at its next report"
    return f"point {number} of study '{folder.name}' is {GIVEN_UP}"


def try_point(name: str, words: Sequence[str]) -> str:
    """Add a point to a study.

    Args:
        name: of the study.
        words: ``KEY=VALUE`` for every searched hyperparameter that is active there; the last part of a key will do
            where only one ends with it.

    Returns:
        What was done, or asked of the driver that runs.

    Raises:
        SpaceError: the point is none of the study's space, or was tried before.
    """
    folder = search_folder(name)
    known = read_study(folder)
    if SUGGESTED in known:
        raise SpaceError(f"{name}: {NOT_BY_HAND}")
    space = Space.parse(known["space"])
    params = _params(words, space)
    try:
        space.cell(params)
    except SpaceError as error:
        raise SpaceError(f"{shown(params) or name}: {error}") from None
    try:
        with folder_lock(folder), _optuna_study(folder) as study:
            number = added(study, space, params).number
    except BusyError:
        leave(folder, Request(params=params))
        return f"the running study '{folder.name}' is asked to try {shown(params)}"
    command = read_yaml(folder / STUDY_FILE)["command"]
    return f"point {number} of study '{folder.name}' will be trained, whatever its budget, by\n  {command}"


@contextmanager
def _optuna_study(folder: Path) -> Iterator[optuna.Study]:
    """Open the Optuna study in a folder whose lock is held."""
    if not (folder / JOURNAL_NAME).exists():
        raise StorageError(f"study '{folder.name}' cannot go on: it was searched with storage=memory")
    store = JournalStore().open(folder)
    try:
        yield optuna.load_study(study_name=present_study(store.storage, folder.name), storage=store.storage)
    finally:
        store.close()


def _params(words: Sequence[str], space: Space) -> dict[str, Any]:
    """Return hyperparameters by dotted key as a command line gives them."""
    keys = list(dict.fromkeys(parameter.key for parameter in space.parameters))
    params: dict[str, Any] = {}
    for text in words:
        word = parse_word(text)
        ending = [key for key in keys if key.endswith(f".{word.key}")]
        key = ending[0] if word.key not in keys and len(ending) == 1 else word.key
        if key in params:
            raise SpaceError(f"{text}: {key} is given twice")
        params[key] = word.value
    return params


def _replicates(study: Mapping[str, Any]) -> int:
    """Return how many trials a whole point of a study has."""
    return int(study["config"]["study"]["seeds"]) * int(study["config"].get("data", {}).get("folds") or 1)
