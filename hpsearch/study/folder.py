"""The folder of a study: where it lies, its lock, and the configuration that the study was started with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hpsearch.base import platform
from hpsearch.base.conditions import split_name
from hpsearch.base.environment import as_recorded
from hpsearch.base.errors import BusyError, DamageError, StorageError, nearest
from hpsearch.base.files import replacement
from hpsearch.base.formats import stamped, upgraded
from hpsearch.base.inside import check_links, check_name
from hpsearch.base.intake import yaml_value
from hpsearch.base.keys import MARGIN, RUN_TIME, SINGLE
from hpsearch.base.leftovers import sweep
from hpsearch.base.plain import ABSENT, copied, diff, get, remove
from hpsearch.search.lock import LOCK_SEC, study_lock
from hpsearch.tracking.events import last_open, read_study, read_trials
from hpsearch.tracking.record import uid_on_record

if TYPE_CHECKING:
    from hpsearch.config.compose import Composition

STUDY_FILE = "study.yaml"
UID = "uid"
"""The key of `STUDY_FILE` that tells a study from all others."""
_SHOWN = 60
_NOT_COMPARED = ("restart", "question", "grow", "code", "confirm")
"""Keys of the group `study` that may change while a study goes on."""


def studies_folder() -> Path:
    """Return the folder of all studies: ``studies`` in the working folder."""
    return Path.cwd() / "studies"


def folder_of(name: str) -> Path:
    """Return where the folder of a study of this name lies; a name that leads elsewhere is refused."""
    return studies_folder() / check_name(name)


def study_folder(name: str) -> Path:
    """Return the folder of an existing study.

    Raises:
        StorageError: there is none of this name, or links in it lead out of it.
    """
    folder = folder_of(name)
    if not (folder / "events").is_dir():
        names = sorted(p.parent.name for p in studies_folder().glob("*/events"))
        raise StorageError(
            f"no study '{name}' in {studies_folder()}{nearest(name, names)} (there are: {', '.join(names) or 'none'})"
        )
    check_links(folder)
    return folder


def search_folder(name: str) -> Path:
    """Return the folder of an existing study that is a search, and not a recipe or the single trials.

    Raises:
        StorageError: there is no search of this name.
    """
    folder = study_folder(name)
    study = read_study(folder)
    if "space" not in study or "recipe" in study:
        raise StorageError(f"study '{name}' is no search: it has no points; see `python -m hpsearch list`")
    return folder


@contextmanager
def folder_lock(folder: Path, wait_sec: float = LOCK_SEC) -> Iterator[Callable[[], None]]:
    """Create a study's folder if need be and hold its lock.

    Args:
        folder: of the study.
        wait_sec: how long another driver is waited for.

    Yields:
        What is called before each write, see `study_lock`; the lock is held inside the block.

    Raises:
        StorageError: the folder cannot be written, or another driver holds the lock.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot create {folder}: {error.strerror}") from None
    check_links(folder)
    with study_lock(folder, f"study '{folder.name}'", wait_sec) as guard:
        sweep(folder)
        yield guard


@contextmanager
def single_lock(studies: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """Hold the lock of a folder of single trials: ``single``, or while another trial has that ``single_2`` and so on.

    Args:
        studies: the folder of studies.

    Yields:
        The folder, and what is called before each write, see `study_lock`.
    """
    with ExitStack() as stack:
        for number in count(1):
            folder = studies / (SINGLE if number == 1 else f"{SINGLE}_{number}")
            try:
                guard = stack.enter_context(folder_lock(folder))
            except BusyError:
                continue
            yield folder, guard
            return


def move_aside(folder: Path) -> Path:
    """Rename a study's folder after the present time, so that the study can start again."""
    target = folder.with_name(f"{folder.name}.{datetime.now(UTC):%Y%m%dT%H%M%S}")
    return platform.move_folder(folder, target, held="lock", last=STUDY_FILE)


def description(composition: "Composition", space: Mapping[str, str]) -> dict[str, Any]:
    """Return what `STUDY_FILE` says of a study: its name, question and command, its space and its configuration."""
    return {
        "name": composition.study_name,
        "question": composition.config["study"]["question"],
        "command": composition.command,
        "space": dict(space),
        "config": as_recorded(composition.config),
    }


def has_no_score(folder: Path, config: Mapping[str, Any]) -> bool:
    """Return whether a study was started for an objective that no trial of it has, as a misspelt one.

    Args:
        folder: of the study.
        config: that it is to go on with: another one in nothing but its objective.
    """
    there = _there(folder).get("config")
    config = as_recorded(config)
    if there is None or there["objective"] == config["objective"]:
        return False
    if {**_compared_config(there), "objective": None} != {**_compared_config(config), "objective": None}:
        return False
    asked = there["objective"]
    names = {asked["metric"], *(other["metric"] for other in asked.get("others") or ()), *(asked.get("limits") or ())}
    trials = read_trials(folder)
    found = {name for trial in trials for report in trial.reports for name in report.metrics}
    return not names <= found.union(*(trial.facts for trial in trials))


def restore_description(folder: Path) -> list[str]:
    """Write `STUDY_FILE` again where it is lost, damaged, or not what the record says the study was opened with.

    Args:
        folder: of the study; its lock is held.

    Returns:
        What is said of it, a line; none where nothing was to be done.
    """
    opened, file = last_open(folder), folder / STUDY_FILE
    if opened is None or not {"config", "space"} <= opened.keys():
        return []
    on_record: dict[str, Any] = {
        name: opened[name] for name in ("name", "question", "command", "space", "config") if name in opened
    }
    there = _there(folder)
    if there and _is_same(there, on_record):
        return []
    write_yaml(file, {**on_record, UID: uid_on_record(folder)})
    return [f"{file} was {'another one' if there else 'lost'}: written again from the record"]


def _is_same(study: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    try:
        return _identity(study) == _identity(other)
    except (KeyError, TypeError, AttributeError):  # a configuration that this version would not write
        return all(study[name] == other[name] for name in ("config", "space"))


def _there(folder: Path) -> dict[str, Any]:
    """Return what `STUDY_FILE` says; nothing where it is lost or damaged."""
    try:
        there = read_yaml(folder / STUDY_FILE)
    except DamageError:
        return {}
    return there if {"config", "space"} <= there.keys() else {}


def keep_description(folder: Path, study: Mapping[str, Any], grow: Callable[[], None] | None = None) -> None:
    """Write what a study is into its folder, or compare it with what stands there.

    Args:
        folder: of the study; its lock is held.
        study: what it is; see `description`.
        grow: called before another space takes the place of the one that stands there, raises an error where it cannot;
            None where another one is refused with a StorageError.
    """
    file = folder / STUDY_FILE
    if not file.exists():
        write_yaml(file, study)
        return
    there = read_yaml(file)
    if _identity(there) == _identity(study):
        return
    if grow is None or _beside_the_space(there, study) != _beside_the_space(study, there):
        check_same(folder.name, there, study)
    else:
        grow()
        write_yaml(file, {**study, UID: study.get(UID) or there.get(UID)})


def check_same(name: str, there: Mapping[str, Any], study: Mapping[str, Any]) -> None:
    """Refuse to go on with a study under another configuration.

    Args:
        name: of the study.
        there: what it is, see `description`.
        study: what it is taken for.

    Raises:
        StorageError: naming the differences.
    """
    old, new = _identity(there), _identity(study)
    if old != new:
        grows = _beside_the_space(there, study) == _beside_the_space(study, there)
        changes = "; ".join(diff(old, new).splitlines())
        hint = f", study.grow={name} to go on in the other space" if grows else ""
        raise StorageError(
            f"study '{name}' was started with another configuration ({changes}); "
            f"choose another study.name{hint}, or study.restart=true to start again"
        )


def _beside_the_space(study: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a study's identity that is not its space: no key that it or another one searches."""
    config: dict[str, Any] = copied(_identity(study)["config"])
    for key in {split_name(name)[0].partition("[")[0] for each in (study, other) for name in each["space"]}:
        if get(config, key) is not ABSENT:
            remove(config, key)
    return {key: value for key, value in config.items() if key not in ("sampler", "extend")}


def _identity(study: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a study's description that a resumed one must share."""
    return {"config": _compared_config(study["config"]), "space": dict(study["space"])}


def _compared_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a configuration that a resumed study must share."""
    kept = {key: value for key, value in config.items() if key not in RUN_TIME}
    kept["study"] = {key: value for key, value in kept["study"].items() if key not in _NOT_COMPARED}
    if "objective" in kept:
        kept["objective"] = {key: value for key, value in kept["objective"].items() if f"objective.{key}" != MARGIN}
    if "trainer" in kept:
        kept["trainer"] = {key: value for key, value in kept["trainer"].items() if key != "keep_predictions"}
    if "stages" in kept:  # what a failed gate does may change after it failed
        kept["stages"] = {name: {**stage, "on_fail": ""} for name, stage in kept["stages"].items()}
    return kept


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file.

    Returns:
        Its table, of the present format; empty when there is no file.

    Raises:
        DamageError: it holds no table. One of a newer format is a StorageError.
    """
    try:
        content = yaml_value(path)
    except FileNotFoundError:
        return {}
    if not isinstance(content, dict):
        raise DamageError(f"{path} is damaged: it holds {repr(content)[:_SHOWN]} and no table")
    return upgraded(content, "study", path)


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a YAML file, its format, then keys in the order given, by a temporary file that is on the disk first."""
    with replacement(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        yaml.safe_dump({**stamped({}), **content}, file, sort_keys=False, allow_unicode=True)
