"""A study that goes on in another space: its points as points of that space, its record and its search with them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import optuna

from hpsearch.base import platform
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.keys import ARGS, RUN_TIME
from hpsearch.base.lacking import lacking, lacking_of_record
from hpsearch.base.plain import ABSENT, Change, flatten, get
from hpsearch.config.build import own_loop
from hpsearch.config.compose import PATHS, Composition
from hpsearch.config.record import read_back
from hpsearch.config.words import Word
from hpsearch.search.extension import SPACE, present_study
from hpsearch.search.growth import GIVEN, reaching, regrown
from hpsearch.search.space import Space
from hpsearch.search.storage import Store
from hpsearch.study.folder import STUDY_FILE, read_yaml, search_folder
from hpsearch.study.plan import Search
from hpsearch.study.session import StudySession
from hpsearch.tracking.events import TrialRecord, config_in, read_trials


def check_study(composition: Composition, store: Store) -> None:
    """Refuse to go on in another space with what is no search, or with what was not kept.

    Args:
        composition: of which `study.grow` names a study.
        store: where the study's points are kept.

    Raises:
        ConfigError: the store keeps none.
        StorageError: there is no such search.
    """
    name, where = composition.study_name, composition.where("study.grow")
    if not store.persistent:
        kind = type(store).__name__
        raise ConfigError(f"study.grow = {name}: {kind} keeps no points to go on with (from {where})")
    try:
        search_folder(name)
    except StorageError as error:
        raise StorageError(f"study.grow = {name}: {error} (from {where})") from None


def check_growth(search: Search, store: Store, folder: Path) -> None:
    """Refuse a space in which a point of a study cannot be expressed, by a StorageError that names the first one.

    Args:
        search: in the new space.
        store: where the study's points are kept.
        folder: of the study, whose lock is held.
    """
    storage = store.open(folder)
    try:
        name = present_study(storage.storage, folder.name)
        _points(search, folder, optuna.load_study(study_name=name, storage=storage.storage))
    finally:
        storage.close()


def in_present_space(study: optuna.Study, search: Search, session: StudySession) -> optuna.Study:
    """Return the Optuna study of a search in the space that its words give now.

    Args:
        study: as it was left.
        search: what is searched now.
        session: is open.

    Returns:
        The study itself where the space is the same, else a new one with every point, which are points of the new space
        in the record too. Points that cannot be expressed raise a StorageError.
    """
    words = search.space.to_dict()
    if study.user_attrs.get(GIVEN, words) == words:
        study.set_user_attr(GIVEN, words)
        return study
    space, points = _points(search, session.folder, study)
    for record in read_trials(session.folder):
        if record.params != points[record.id.point]:
            session.record.params(record.id, points[record.id.point])
    session.record.flush()
    session.observer.line(f"study '{session.folder.name}' goes on in another space, with {len(points)} points so far")
    return regrown(study, session.folder.name, search.space, space, points)


def _points(search: Search, folder: Path, study: optuna.Study) -> tuple[Space, dict[int, dict[str, Any]]]:
    """Return a new space as far as it reaches, and what every point of a study that was asked is there, by its number.

    Points that cannot be expressed raise a StorageError.
    """
    words = study.user_attrs.get(GIVEN) or read_yaml(folder / STUDY_FILE)["space"]
    given, present = Space.parse(words), Space.parse(study.user_attrs.get(SPACE, words))
    space = reaching(search.space, present, given)
    points = {record.id.point: expressed(search, space, record) for record in _firsts(read_trials(folder))}
    before = config_in(folder, words)
    points |= {
        trial.number: _untrained(search, space, trial.number, present.active(trial.params), before)
        for trial in study.get_trials(deepcopy=False)
        if trial.number not in points and trial.state is not optuna.trial.TrialState.WAITING
    }
    return space, points


def expressed(search: Search, space: Space, record: TrialRecord) -> dict[str, Any]:
    """Return the hyperparameters that a point has in another space, where its trial is trained as it was.

    Args:
        search: in that space.
        space: as far as it reaches.
        record: of a trial of the point; a key that is searched now has the value that it had there.

    Raises:
        StorageError: there are none.
    """
    why, config = "", _read_back(search, record.config)
    for options in _options(space, record.params):
        values = {**_values(space, config), **options, **record.params}
        try:
            params = space.active(space.picked(values))
            trained = search.composition.trial(params, record.id.seed, record.id.fold).config
        except ConfigError as error:
            why = why or str(error)
            continue
        differences = list(_differences(config, trained, params))
        if not differences:
            return params
        why = why or "; ".join(differences)
    raise StorageError(_no_place(search, record.id.point, why))


def _untrained(
    search: Search, space: Space, number: int, params: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the hyperparameters in another space of a point that has no trial yet, of a study with a configuration."""
    why, config = "", _read_back(search, config)
    for options in _options(space, params):
        try:
            return space.active(space.picked({**_values(space, config), **options, **params}))
        except ConfigError as error:
            why = why or str(error)
    raise StorageError(_no_place(search, number, why))


def _read_back(search: Search, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of a record, where what it does not hold is written as in that of the search."""
    own = search.composition.config
    config = {name: value for name, value in config.items() if name not in RUN_TIME}
    words = [Word(key, key, text, adds=False, deletes=False) for key, text in lacking_of_record(own).items()]
    asked = lacking(config)
    return read_back(config, own["plugins"], [word for word in words if asked.get(word.key) == word.value])


def _no_place(search: Search, point: int, why: str) -> str:
    return (
        f"study.grow = {search.composition.study_name}: point {point} is none of the new space ({why}); "
        "choose a space that holds every point, or another study.name"
    )


def _firsts(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the first trial of every point."""
    firsts: dict[int, TrialRecord] = {}
    for record in records:
        firsts.setdefault(record.id.point, record)
    return list(firsts.values())


def _options(space: Space, params: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the options of groups that a point has no option of, as which its trials say in full what they are."""
    groups = {p.key: p.values or () for p in space.parameters if p.is_group and p.key not in params}
    for options in product(*groups.values()):
        yield dict(zip(groups, options, strict=True))


def _values(space: Space, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial's configuration has at the keys that are searched, or its own training loop by default."""
    function = own_loop(config["trainer"], config["plugins"])
    defaults = {
        f"{ARGS}.{name}": parameter.default
        for name, parameter in (platform.parameters(function) if function else {}).items()
        if parameter.default is not parameter.empty
    }
    values = {parameter.key: get(config, parameter.key) for parameter in space.parameters if not parameter.is_group}
    return defaults | {key: value for key, value in values.items() if value is not ABSENT}


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
    """Yield what two trials do not share, but for where things lie and what a training loop had by default."""
    before, after = flatten(old), flatten(new)
    for key in sorted(before.keys() | after.keys()):
        by_default = key not in before and key in params
        if key not in PATHS and not by_default and before.get(key, ABSENT) != after.get(key, ABSENT):
            yield Change(key, before.get(key, ABSENT), after.get(key, ABSENT)).line()
