"""Who a study is in tracking stores: a uid of its own, whatever its folder is called and wherever it lies.

It is kept in ``tracking/identity.json`` of the study's folder and goes with it when the folder is moved. A copy of a
folder has the same one: of two that send to one store, the second gets a uid of its own, and its own runs.
"""

import hashlib
import json
import math
import os
import socket
import threading
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from hpsearch.base.errors import StorageError
from hpsearch.base.files import DATABASE, replace_text
from hpsearch.base.intake import json_file
from hpsearch.base.passwords import without_password
from hpsearch.tracking.events import read_study, read_trial, trial_files

SUPERSEDES = "supersedes"
"""Field of a study's record: uids of those of its name that it was started in place of."""
_SETTLING = threading.Lock()
"""A recipe and its stage may be opened at once."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells a study in a store from others of its name.

    Attributes:
        uid: that its runs carry.
        record: uid of the record that it was made for.
        places: where it was sent from, see `place_of`; the last one at last.
    """

    uid: str
    record: str
    places: tuple[str, ...] = ()

    def at(self, place: str) -> "Identity":
        """Return the same, sent from a place."""
        return replace(self, places=(*(each for each in self.places if each != place), place))

    def renewed(self) -> "Identity":
        """Return that of a copy, which has runs of its own."""
        return Identity(uuid.uuid4().hex, self.record)


def sent_file(folder: Path, uri: str) -> Path:
    """Return the file that keeps what a study has sent to a store."""
    return folder / "tracking" / f"{hashlib.sha256(without_password(uri).encode()).hexdigest()[:12]}.jsonl"


def is_untracked(config: Mapping[str, Any]) -> bool:
    """Return whether the configuration of a study names no tracking store."""
    tracker = config.get("tracker")
    return isinstance(tracker, dict) and str(tracker.get("_target_")).endswith(".NoTracker")


def place_of(folder: Path) -> str:
    """Return the machine and the folder that a study is sent from: ``HOST:/home/me/studies/lr_sweep``."""
    return f"{socket.gethostname()}:{os.path.realpath(folder)}"


def name_at(place: str) -> str:
    """Return the name of the study at a place: that of its folder."""
    return place.replace("\\", "/").rpartition("/")[2]


def identity_of(folder: Path, study: Mapping[str, Any] | None = None) -> Identity:
    """Return who the study in a folder is.

    Args:
        folder: of the study.
        study: what it recorded of itself; None to read it.

    Returns:
        What is kept; else, and for another study than it was kept for, who its record says it is. A record of trials
        whose study's own lines were lost belongs to the runs that it was sent to.
    """
    study = read_study(folder) if study is None else study
    recorded, kept = str(study.get("uid", "")), _kept(folder)
    if kept is None or (kept.record != recorded and not _has_older_trials(folder, study)):
        return Identity(recorded, recorded)
    return replace(kept, record=recorded)


def _has_older_trials(folder: Path, study: Mapping[str, Any]) -> bool:
    """Return whether trials are on record that were specified before the study's own lines begin."""
    begun = study.get("created", math.inf)
    return any((trial := read_trial(path)) is not None and trial.queued < begun for path in trial_files(folder))


def keep(folder: Path, identity: Identity) -> None:
    """Keep who a study is."""
    if identity != _kept(folder):
        replace_text(_file(folder), json.dumps(asdict(identity)))


def _file(folder: Path) -> Path:
    return folder / "tracking" / "identity.json"


def _kept(folder: Path) -> Identity | None:
    """Return what is kept; damaged, it is as good as lost."""
    try:
        kept = json_file(_file(folder))
        uid, record, places = kept["uid"], kept["record"], kept["places"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    texts = isinstance(places, list) and all(isinstance(text, str) for text in (uid, record, *places))
    return Identity(uid, record, tuple(places)) if texts else None


def earlier(study: Mapping[str, Any], identity: Identity) -> list[str]:
    """Return the uids of the studies that a study superseded; a copy superseded none, they belong to its original."""
    return [*study.get(SUPERSEDES, ())] if identity.uid == identity.record else []


def lineage(folder: Path) -> list[str]:
    """Return the uid of the study in a folder and those of the studies that it superseded; none without a study."""
    try:
        study = read_study(folder)
        identity = identity_of(folder, study)
    except StorageError:  # its record is damaged
        kept = _kept(folder)
        return [kept.uid] if kept else []
    return [identity.uid, *earlier(study, identity)] if study else []


def settled(folder: Path, uri: str) -> Identity:
    """Return who the study in a folder is in a store; a copy of one that sends there too becomes somebody else.

    Args:
        folder: of the study.
        uri: absolute address of the store.
    """
    with _SETTLING:
        identity = identity_of(folder)
        if _is_copy(folder, identity, uri):
            identity = identity.renewed()
            keep(folder, identity)
        return identity


def _is_copy(folder: Path, identity: Identity, uri: str) -> bool:
    """Return whether a folder is a copy of one that is still there and sends to the same store.

    Those of one study in a database are one study, whichever of its drivers sends.
    """
    if (folder / DATABASE).exists():
        return False
    others = (_folder_here(place) for place in identity.places if place != place_of(folder))
    return any(other is not None and sent_file(other, uri).is_file() and _is(other, identity) for other in others)


def is_taken(there: str | None, folder: Path, identity: Identity) -> bool:
    """Return whether another folder than this one sends under its uid.

    Args:
        there: where the store says that the runs come from; None where it does not.
        folder: of the study.
        identity: who it is.
    """
    shared = (folder / DATABASE).exists()
    if shared or there is None or there in (place_of(folder), *identity.places):
        return False
    other = _folder_here(there)
    return other is None or _is(other, identity)


def _folder_here(place: str) -> Path | None:
    """Return the folder of a place on this machine; None for one on another."""
    host, _, folder = place.partition(":")
    return Path(folder) if host == socket.gethostname() else None


def _is(folder: Path, identity: Identity) -> bool:
    try:
        return (folder / "events").is_dir() and identity_of(folder).uid == identity.uid
    except (OSError, ValueError):
        return False
