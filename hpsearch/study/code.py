"""The code of a user's own that trains a study's trials: what of it changed since, put on record."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.errors import StorageError
from hpsearch.base.types import TrialSpec
from hpsearch.config.code import Code, CodeReader
from hpsearch.study.changes import ALLOWED, Changes
from hpsearch.study.session import StudySession
from hpsearch.tracking.events import CODE, TrialRecord, read_study, read_trials
from hpsearch.tracking.record import Record

_MOST_NAMES = 5


class OwnCode:
    """Reads the code that trials are trained by, each file once for a command, and puts it on record."""

    def __init__(self) -> None:
        self._reader = CodeReader()
        self._recorded: set[str] = set()

    def of(self, config: Mapping[str, Any]) -> Code:
        """Return the code that trains a trial of this configuration."""
        return self._reader.of(config)

    def stamped(self, spec: TrialSpec, record: Record) -> TrialSpec:
        """Return what a worker is given with the digest of its code, whose modules are put on record."""
        code = self.of(spec.config)
        return replace(spec, code=self._put(code, record), targets=code.targets)

    def recorded(self, config: Mapping[str, Any], record: Record) -> str:
        """Put the modules of the code that trains a configuration on record; return its digest."""
        return self._put(self.of(config), record)

    def _put(self, code: Code, record: Record) -> str:
        digest = code.digest
        if digest and digest not in self._recorded:
            self._recorded.add(digest)
            if digest not in read_study(record.folder).get("codes", {}):
                fields = {"digest": digest, "modules": dict(code.modules), "targets": code.targets}
                record.study("code", time_of_day(), **fields)
        return digest

    def changes(self, folder: Path) -> Changes:
        """Return what has changed since the trials in a study's folder were trained."""
        codes = read_study(folder).get("codes", {})
        if all(self._reader.at(code["targets"]).digest == digest for digest, code in codes.items()):
            return Changes(CODE)
        found, names = [], set[str]()
        for record in read_trials(folder):
            now = self.of(record.config)
            if is_other(record.code, now):
                found.append((record, now.digest))
                names.update(changed_names(codes, record.code, now))
        return Changes(CODE, folder.name, tuple(found), shown(names))

    def changed_since(self, folder: Path, record: TrialRecord) -> str:
        """Return what of a trial's code changed since it was trained, in words; empty where nothing did."""
        now = self.of(record.config)
        if not is_other(record.code, now):
            return ""
        names = changed_names(read_study(folder).get("codes", {}), record.code, now)
        return f"the code changed since the trial was trained ({shown(names)})"

    def other_than(self, configs: Iterable[Mapping[str, Any]], folder: Path) -> str:
        """Return what differs between the code of configurations and that of a study, in words; empty for nothing."""
        nows = [code for code in map(self.of, configs) if code.digest]
        others = {record.code for record in read_trials(folder)} - {now.digest for now in nows} - {""}
        codes = read_study(folder).get("codes", {})
        return shown({name for each in others for now in nows for name in changed_names(codes, each, now)})


def is_other(digest: str, now: Code) -> bool:
    """Return whether a digest on record is that of other code; of code that was not or is not known nothing is said."""
    return bool(digest and now.digest) and digest != now.digest


def changed_names(codes: Mapping[str, Mapping[str, Any]], digest: str, now: Code) -> list[str]:
    """Return the names of what differs from code on record: all of the present ones where its modules are not known."""
    return now.differences(codes.get(digest, {}).get("modules", {}))


def shown(names: Iterable[str]) -> str:
    """Return names in one line, the first few of many."""
    listed: Sequence[str] = sorted(names)
    more = len(listed) - _MOST_NAMES
    return ", ".join(listed[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def look_again(code: OwnCode, session: StudySession, stages: Iterable[str], goes_on: bool) -> frozenset[str]:
    """Return the stages of a recipe that look again, because the code changed since; say what becomes of the others.

    Args:
        code: reads that of the user's own.
        session: of the recipe, claimed.
        stages: their names.
        goes_on: whether some of them are yet to run; else what was found is kept.

    Returns:
        The names of those on record; none where `study.code` allows to go on beside what they found.

    Raises:
        StorageError: the recipe goes on, that is not allowed, and a stage has searched.
    """
    study, config = read_study(session.folder), session.composition.config
    now, codes = code.of(session.composition.trial({}, config["seed"]).config), study.get("codes", {})
    recorded = {name: str(each.get(CODE, "")) for name, each in study.get("stages", {}).items()}
    others = {name: digest for name, digest in recorded.items() if is_other(digest, now)}
    if not others:
        return frozenset()
    names = shown({name for digest in others.values() for name in changed_names(codes, digest, now)})
    what = f"the code changed since {', '.join(others)} of study '{session.folder.name}' ran ({names})"
    if not goes_on or config["study"]["code"] == ALLOWED:
        session.observer.line(f"{what}: what they found is of the old code")
        return frozenset()
    if any(_has_searched(session.folder, name, study["uid"]) for name in stages):
        raise StorageError(f"{what}; study.code={ALLOWED} goes on beside it, study.restart=true starts again")
    session.observer.line(f"{what}: they look again")
    return frozenset(others)


def _has_searched(folder: Path, stage: str, recipe: str) -> bool:
    """Return whether a stage of the recipe with this uid has a study of its own."""
    within = read_study(folder.with_name(f"{folder.name}.{stage}")).get("within") or {}
    return bool(within.get("uid") == recipe)
