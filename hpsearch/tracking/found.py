"""Which study of a tracking store a name means: names are for display, and two studies may have the same one.

A name is that of the study's folder when it was last sent, that its runs carry, or that its experiment has by now; with
the beginning of a uid behind it, ``lr_sweep@1a2b3c4d``, it is that of one among several.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hpsearch.base.errors import StorageError, nearest
from hpsearch.base.passwords import without_password
from hpsearch.tracking import store
from hpsearch.tracking.home import SHORT, FoundExperiment
from hpsearch.tracking.runs import STUDY_NAME, SUPERSEDED, TRIAL, UID, WITHIN

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


def experiments(client: "MlflowClient") -> list[FoundExperiment]:
    """Return the experiments of a store that are not deleted, the one changed last first."""
    found, token = list[FoundExperiment](), None
    while True:
        page = client.search_experiments(order_by=["last_update_time DESC"], page_token=token)
        found += [FoundExperiment(str(each.experiment_id), each.name, False, dict(each.tags)) for each in page]
        token = page.token
        if not token:
            return found


def uid_of(name: str) -> tuple[str, str]:
    """Return a name without the beginning of the uid behind it, and that; empty where there is none."""
    plain, _, uid = name.partition("@")
    return plain, uid


def study_runs(client: "MlflowClient", uri: str, name: str, uid: str | None = None) -> "list[Run]":
    """Return the runs of a study, without those that are deleted or superseded, the oldest first.

    Args:
        client: of the store.
        uri: its address.
        name: of the study; the stages of a recipe are in its experiment.
        uid: of the one that is meant where several have the name; None where that is not known. Of studies that were
            sent from one folder, one after the other, the newest is meant.

    Raises:
        StorageError: there is no study of this name, or there are several.
    """
    plain, wanted = uid_of(name)
    there = experiments(client)
    found = {each: _runs_in(client, each) for each in there if _may_hold(each, plain)}
    named = {key for experiment, runs in found.items() for key in _uids_called(experiment, runs, plain, wanted)}
    every = [run for runs in found.values() for run in runs]
    places = {key: place for experiment in found for key, place in experiment.places.items()}
    meant = [uid] if uid in named else _newest(every, named, places)
    if not meant:
        known = sorted({each.name for each in there} - {"Default"})
        listed = f"{nearest(name, known)} (there are: {', '.join(known) or 'none'})"
        raise StorageError(f"no study '{name}' in {without_password(uri)}{listed}")
    if len(meant) > 1:
        told = "; ".join(_told(plain, each, places, [run for run in every if _is_of(run, each)]) for each in meant)
        raise StorageError(f"{len(meant)} studies in {without_password(uri)} are called '{plain}'; say which: {told}")
    return [run for run in every if _is_of(run, meant[0])]


def _is_of(run: "Run", uid: str) -> bool:
    return bool(run.data.tags[UID] == uid)


def _newest(runs: "Iterable[Run]", named: Collection[str], places: Mapping[str, str]) -> list[str]:
    """Return the uids of studies, of those from one folder that which was begun last; the oldest first."""
    newest = dict[str, str]()
    for run in sorted(runs, key=lambda run: int(run.info.start_time)):
        uid = run.data.tags[UID]
        if uid in named:
            newest[places.get(uid, uid)] = uid
    return [*newest.values()]


def _may_hold(experiment: FoundExperiment, name: str) -> bool:
    whole = (name, name.rpartition(".")[0])
    called = (experiment.name, uid_of(experiment.name)[0])
    return any(each in called or experiment.uids_called(each) for each in whole if each)


def _runs_in(client: "MlflowClient", experiment: FoundExperiment) -> "list[Run]":
    found = store.search(client, experiment.id)
    return [
        run
        for run in found
        if UID in run.data.tags and SUPERSEDED not in run.data.tags and run.info.lifecycle_stage == "active"
    ]


def _uids_called(experiment: FoundExperiment, runs: "Iterable[Run]", name: str, wanted: str) -> Iterator[str]:
    """Yield the uids of the studies of an experiment that a name may mean."""
    here = experiment.uids_called(name)
    for tags in (run.data.tags for run in runs):
        uid = tags[UID]
        if name not in _names(experiment, tags) and uid not in here:
            continue
        if uid.startswith(wanted) or tags.get(WITHIN, "").startswith(wanted or " "):
            yield uid


def _names(experiment: FoundExperiment, tags: Mapping[str, str]) -> tuple[str, str]:
    """Return what a run's study is called by itself, and after its experiment, which may have another name by now."""
    name = tags.get(STUDY_NAME, "")
    stage = f".{name.rpartition('.')[2]}" if WITHIN in tags else ""
    return name, f"{uid_of(experiment.name)[0]}{stage}"


def _told(name: str, uid: str, places: Mapping[str, str], runs: "Sequence[Run]") -> str:
    trials = sum(TRIAL in run.data.tags for run in runs)
    begun = datetime.fromtimestamp(min(run.info.start_time for run in runs) / 1000, UTC)
    where = places.get(uid) or f"{runs[0].data.tags.get('env.host', 'an unknown machine')}"
    return f"{name}@{uid[:SHORT]} ({where}, begun {begun:%Y-%m-%d %H:%M} UTC, {trials} trials)"
