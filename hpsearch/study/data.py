"""The data that a study's trials are trained on: what of it changed since, put on record and looked at again."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hpsearch.base.clock import time_of_day
from hpsearch.base.contents import DataState, contents_of
from hpsearch.base.environment import revealed
from hpsearch.base.errors import StorageError
from hpsearch.base.types import TrialSpec
from hpsearch.study.changes import OF_DATA, Changes
from hpsearch.study.session import StudySession
from hpsearch.tracking.events import TrialRecord, read_study, read_trials
from hpsearch.tracking.record import Record
from hpsearch.trial.reading import source_key


class OwnData:
    """Knows the data that trials are trained on, as a worker read them for this command or as they are on record."""

    def __init__(self) -> None:
        self._found: dict[str, DataState] = {}
        self._recorded: set[str] = set()

    def learn(self, states: Mapping[str, DataState]) -> None:
        """Take in what a worker read, by what `source_key` says of a configuration."""
        self._found.update(states)

    @property
    def known(self) -> bool:
        """Whether a worker has read any for this command."""
        return bool(self._found)

    def of(self, config: Mapping[str, Any]) -> DataState:
        """Return what a trial of this configuration is trained on; an empty state where no worker has read it yet."""
        return self._found.get(source_key(config), DataState()) if self._found else DataState()

    def stamped(self, spec: TrialSpec, record: Record) -> TrialSpec:
        """Return what a worker is given with the digests of its data, whose state is put on record."""
        digest = self.recorded(spec.config, record)
        return replace(spec, data=digest, files=self.of(spec.config).of_files.digest)

    def recorded(self, config: Mapping[str, Any], record: Record) -> str:
        """Put what a configuration is trained on on record, unless it is there; return its digest."""
        state = self.of(config)
        if state.digest and state.digest not in self._recorded:
            self._recorded.add(state.digest)
            fields = {**state.fields, "key": source_key(config)}
            known = revealed(read_study(record.folder).get("data", {}).get(state.digest))
            if known != json.loads(json.dumps(fields)):
                record.study("data", time_of_day(), **fields)
        return state.digest

    def changes(self, folder: Path) -> Changes:
        """Return what has changed since the trials in a study's folder were trained."""
        changed = {
            before.digest: (now.digest, now.differences(before))
            for before, now in self.compared(folder)
            if now.digest != before.digest
        }
        if not changed:
            return Changes(OF_DATA)
        found = [(record, changed[record.data][0]) for record in read_trials(folder) if record.data in changed]
        what = {line: None for record, _ in found for line in changed[record.data][1]}
        return Changes(OF_DATA, folder.name, tuple(found), "; ".join(what))

    def samples_matter(self, folder: Path) -> bool:
        """Return whether only a worker can tell if the data of a study are the same: it reads the samples."""
        return any(fields["samples"] for fields in read_study(folder).get("data", {}).values())

    def changed_since(self, folder: Path, record: TrialRecord) -> str:
        """Return what of a trial's data changed since it was trained, in words; empty where nothing did."""
        for before, now in self.compared(folder):
            if before.digest == record.data and now.digest != before.digest:
                return f"the data changed since the trial was trained ({'; '.join(now.differences(before))})"
        now = self.of(record.config)
        if record.data and now.digest and now.digest != record.data:
            return f"the data changed since the trial was trained (digest {record.data} -> {now.digest})"
        return ""

    def other_than(self, configs: Iterable[Mapping[str, Any]], folder: Path) -> str:
        """Return what differs between the data of configurations and that of a study, in words; empty for nothing."""
        befores = list(read_study(folder).get("data", {}).values())
        lines = {
            line: None
            for config in configs
            for fields in befores
            if (now := self.of(config)).digest not in ("", fields["digest"]) and fields["key"] == source_key(config)
            for line in now.differences(DataState.of(fields))
        }
        return "; ".join(lines)

    def compared(self, folder: Path) -> list[tuple[DataState, DataState]]:
        """Return each state on record with the present one; a file that is as it was left is not read."""
        pairs = []
        for fields in read_study(folder).get("data", {}).values():
            before = DataState.of(fields)
            now = self._found.get(fields["key"])
            if now is None:
                places = {role: content.place for role, content in before.files.items()}
                now = replace(before, files=contents_of(places, before.files))
            pairs.append((before, now))
        return pairs


def refuse_other_data(data: OwnData, session: StudySession, goes_on: bool) -> None:
    """Refuse that a recipe goes on whose stages looked at other data; say it where nothing is to be trained.

    Args:
        data: has seen what there is now.
        session: of the recipe, claimed.
        goes_on: whether stages are yet to run.

    Raises:
        StorageError: stages looked at other data, and others are yet to run.
    """
    study = read_study(session.folder)
    changed = {
        before.digest: now.differences(before)
        for before, now in data.compared(session.folder)
        if now.digest != before.digest
    }
    names = [name for name, each in study.get("stages", {}).items() if each.get(OF_DATA) in changed]
    if not names:
        return
    what = "; ".join({line: None for name in names for line in changed[study["stages"][name][OF_DATA]]})
    said = f"the data changed since {', '.join(names)} of study '{session.folder.name}' ran ({what})"
    if goes_on:
        raise StorageError(f"{said}; study.restart=true starts again, another study.name is another study")
    session.observer.line(f"{said}: what they found is of the old data")
