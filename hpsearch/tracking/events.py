"""The record of a study: one append-only event file per trial and one for the study itself.

`<study folder>/events/POINT-SEED-FOLD.jsonl` holds a trial's lines in the order they happened:

- ``spec``: what is trained; the first line. A later one says that the same training has other keys searched, or that
  the trial has asked for more hyperparameters since.
- ``start``: an attempt begins, on which ``worker`` of which ``node``. It is also a cut: reports of epochs after its
  ``epoch`` that stand before it are void.
- ``report``: an epoch's metrics; ``end``, in the last one: the evaluations at the end of the trial.
- ``state``: a new state, with score and reason.
- ``again``: a trial that a limit in time ended is given another chance, as if it had not failed; with ``code`` or
  ``data``, one whose code or data have changed is trained from the beginning, and what stands before it is void.

`study.jsonl` holds the study's own: ``created`` once, ``open`` at each start of the driver, then ``best``, ``system``
(while it runs, every few seconds: the load, and how many trials there are at most), ``artifact``, ``state``;
``confirm`` where points are trained over fresh seeds: which ones, and why not all; ``suggested`` where trials say
themselves what is searched: the space so far; and ``code`` where code of a user's own trains trials: its digest, and
one for each module.
Each line says its format, see `hpsearch.base.formats`. Only the driver's process writes; a tracking store is a copy.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hpsearch.base.commands import (
    command,
    from_outside,
    from_python,
    is_outside,
    local_function,
    own_words,
    script_command,
)
from hpsearch.base.errors import StorageError
from hpsearch.base.formats import KEY as FORMAT_KEY
from hpsearch.base.journal import Event
from hpsearch.base.lacking import lacking_words
from hpsearch.base.outcome import REPEATED, Failures, repeated_epochs
from hpsearch.base.types import DATA, Report, TrialId, TrialSpec, TrialState, end_values
from hpsearch.base.widths import PATH, fuse_words
from hpsearch.tracking.lines import STUDY_RULES, check_trial, is_stem, read_events

STUDY = "study"
CODE = "code"
"""The fact of a trial that is the digest of the code of a user's own that trained it."""
PURPOSE, CONFIRM = "purpose", "confirm"
"""The fact of a trial that says what it is for where it is no part of its point's score, and what it then says; the
second is also the line of a study that says which points are trained over which fresh seeds."""
RENEWING = frozenset({CODE, "data"})
"""Fields of an ``again`` line that say what a trial is trained from the beginning for, each with its new digest."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """What the record knows of one trial.

    Attributes:
        id: which trial.
        key: hash of its configuration.
        params: searched hyperparameters by dotted key.
        overrides: Hydra overrides that compose its configuration.
        config: the resolved configuration.
        folder: its files, relative to the study's folder.
        state: the newest state; RUNNING after a start.
        attempts: number of its newest attempt.
        reports: by epoch, after cuts.
        score: of a finished trial, if it has one.
        reason: of the newest state.
        traceback: of the newest state.
        facts: scalars measured once.
        artifacts: files it wrote, relative to its folder.
        queued: when it was specified.
        started: when its first attempt began.
        ran_sec: how long its attempts ran, together and without the time between them; one that was cut off, or still
            runs, until its last report.
        ended: when its state became final.
        ended_by: the limits that led to its newest state, by key; see `hpsearch.base.types.TrialResult`.
        heard: when an attempt that runs was heard of last; None where none runs.
    """

    id: TrialId
    key: str
    params: Mapping[str, Any]
    overrides: tuple[str, ...]
    config: Mapping[str, Any]
    folder: str
    state: TrialState
    attempts: int
    reports: tuple[Report, ...]
    score: float | None
    reason: str
    traceback: str
    facts: Mapping[str, str | int | float]
    artifacts: tuple[str, ...]
    queued: float
    started: float | None
    ran_sec: float
    ended: float | None
    ended_by: Mapping[str, float] = field(default_factory=dict)
    heard: float | None = None

    def curve(self, metric: str) -> dict[float, float]:
        """Return one metric by epoch."""
        return {report.epoch: report.metrics[metric] for report in self.reports if metric in report.metrics}

    def end(self, metric: str) -> list[float]:
        """Return one metric at the end, see `hpsearch.base.types.end_values`."""
        return end_values(self.reports[-1] if self.reports else None, metric)

    @property
    def code(self) -> str:
        """Digest of the code of a user's own that trained it; empty where there is none."""
        return str(self.facts.get(CODE, ""))

    @property
    def data(self) -> str:
        """Digest of what it was trained on; empty where that is not known."""
        return str(self.facts.get(DATA, ""))


@dataclass(slots=True)
class TrialFold:
    """A trial's lines folded one after the other; `record` is what they say so far.

    `running` holds when the present attempt began and when it was heard of last.
    """

    spec: Event | None = None
    state: TrialState = TrialState.WAITING
    attempts: int = 0
    reports: dict[float, Event] = field(default_factory=dict)
    last: Event = field(default_factory=dict)
    facts: dict[str, str | int | float] = field(default_factory=dict)
    artifacts: tuple[str, ...] = ()
    started: float | None = None
    ended: float | None = None
    ran_sec: float = 0.0
    running: tuple[float, float] | None = None

    def apply(self, event: Event) -> None:
        """Take in the next line; events of kinds it does not know are passed over."""
        match event["event"]:
            case "spec":
                self.spec = event
            case "start":
                self._start(event)
            case "report":
                self.reports[event["epoch"]] = event
                if self.running is not None:
                    self.running = (self.running[0], event["time"])
            case "state":
                self._state(event)
            case "again":
                self._again(event)

    def _start(self, event: Event) -> None:
        cut = event["epoch"]
        if (again := max(self.reports, default=0) - (cut or 0)) > 0:
            self.facts[REPEATED] = repeated_epochs(self.facts) + again
        self.reports = {} if cut is None else {e: r for e, r in self.reports.items() if e <= cut}
        self.attempts = max(self.attempts, event["attempt"])
        begins = cut is None  # by another path, perhaps, than the attempt that is lost
        self.facts = {k: v for k, v in self.facts.items() if not (begins and k in PATH)} | event["facts"]
        self.state, self.last, self.ended = TrialState.RUNNING, {}, None
        self.ran_sec, self.running = self._ran_sec(), (event["time"], event["time"])
        if self.started is None:
            self.started = event["time"]

    def _state(self, event: Event) -> None:
        self.state, self.last = TrialState(event["state"]), event
        self.attempts = max(self.attempts, event["attempt"])
        self.facts.update(event["facts"])
        self.artifacts = tuple(event["artifacts"]) or self.artifacts
        self.ended = max(event["time"], self.started or 0.0) if self.state.finished else None  # clocks are set back
        if self.running is not None:
            self.running = (self.running[0], event["time"])
        self.ran_sec, self.running = self._ran_sec(), None
        if self.started is None and self.state is not TrialState.WAITING:
            self.started = event["time"]

    def _ran_sec(self) -> float:
        """Return how long the attempts ran, the one that runs until the last that is known of it."""
        began, latest = self.running or (0.0, 0.0)
        return self.ran_sec + max(latest - began, 0.0)

    def _again(self, event: Event) -> None:
        self.state, self.last, self.ended = TrialState.WAITING, {}, None
        self.ran_sec, self.running = 0.0, None
        if RENEWING & event.keys():
            self.spec = {**(self.spec or {}), **{name: event[name] for name in RENEWING & event.keys()}}
            self.reports, self.facts, self.artifacts, self.started = {}, {}, (), None
        self.facts = {name: value for name, value in self.facts.items() if name not in Failures().facts}

    def record(self) -> TrialRecord:
        """Return the trial as its lines describe it so far.

        Raises:
            StorageError: there was no ``spec`` line.
        """
        if self.spec is None:
            raise StorageError("an event file without its first line, `spec`")
        spec = _checked(self.spec, self.artifacts)
        return TrialRecord(
            id=TrialId(spec["point"], spec["seed"], spec["fold"]),
            key=spec["key"],
            params=spec["params"],
            overrides=tuple(spec["overrides"]),
            config=spec["config"],
            folder=spec["folder"],
            state=self.state,
            attempts=self.attempts,
            reports=tuple(_report(self.reports[epoch]) for epoch in sorted(self.reports)),
            score=self.last.get("score"),
            reason=self.last.get("reason", ""),
            traceback=self.last.get("traceback", ""),
            facts={**_origins(spec), **self.facts},
            artifacts=self.artifacts,
            queued=spec["time"],
            started=self.started,
            ran_sec=round(self._ran_sec(), 3),
            ended=self.ended,
            ended_by=self.last.get("ended_by", {}),
            heard=self.running[1] if self.running else None,
        )


def _checked(spec: Event, artifacts: Sequence[str]) -> Event:
    """Return a ``spec`` line whose fields lead nowhere: anybody may have written it.

    Raises:
        StorageError: its fields are not what stands there.
    """
    texts = [spec.get("key"), spec.get("folder"), *artifacts, *_listed(spec.get("overrides"))]
    config = spec.get("config")
    if (
        not all(type(spec.get(name)) is int for name in ("point", "seed", "fold"))
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(spec.get("params"), Mapping)
        or not isinstance(config, Mapping)
        or not isinstance(config.get("trainer", {}), Mapping)
    ):
        raise StorageError("an event file whose first line, `spec`, is no specification of a trial")
    return spec


def _listed(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list | tuple) else [value]


def _origins(spec: Event) -> dict[str, str]:
    """Return the facts that a specification holds: the digests of code and data."""
    return {fact: spec[name] for fact, name in ((CODE, "code"), (DATA, "data"), (PURPOSE, PURPOSE)) if name in spec}


def replay_command(study: str, trained: TrialRecord | TrialSpec) -> str:
    """Return the command that trains a trial of a study again as it was trained, or the call of Python."""
    fuse = fuse_words(trained.facts) if isinstance(trained, TrialRecord) else ()
    words = ("replay", f"{study}/{trained.id}", *own_words(trained.overrides), *lacking_words(trained.config))
    return _without_shell(study, trained) or command(*(words if fuse is None else (*trained.overrides, *fuse)))


def check_command(study: str, trained: TrialRecord | TrialSpec) -> str:
    """Return the command that trains a trial from the record and compares the curves, or the call of Python."""
    words = ("replay", f"{study}/{trained.id}", "--check", *own_words(trained.overrides))
    return _without_shell(study, trained) or command(*words, *lacking_words(trained.config))


def _without_shell(study: str, trained: TrialRecord | TrialSpec) -> str | None:
    """Return what is said in place of a command where no shell can train a trial; None where one can."""
    if is_outside(trained.config):
        return from_outside(trained.params)
    if (script := script_command(trained.config)) is not None:
        return script
    function = local_function(trained.config)
    return None if function is None else from_python(f"hpsearch.replay('{study}/{trained.id}', {function})")


def _report(event: Event) -> Report:
    steps = tuple((step, value) for step, value in event["steps"])
    end = tuple((step, metrics) for step, metrics in event.get("end", ()))
    return Report(event["epoch"], event["step"], event["metrics"], steps, event["time"], end=end)


def fold_trial(events: Iterable[Event]) -> TrialFold:
    """Return a trial's lines folded one after the other."""
    fold = TrialFold()
    for event in events:
        fold.apply(event)
    return fold


def read_trial(path: Path) -> TrialRecord | None:
    """Read one trial's event file.

    Returns:
        What it says, or None when it holds no whole line.

    Raises:
        StorageError: it is no event file of a trial.
    """
    events, _ = read_events(path)
    check_trial(events, path)
    fold = fold_trial(events)
    try:
        return fold.record() if fold.spec is not None else None
    except StorageError as error:
        raise StorageError(f"{path}: {error}") from None


def trial_files(folder: Path) -> list[Path]:
    """Return the event files of a study's trials, in order of point, seed and fold."""
    files = [path for path in (folder / "events").glob("*-*-*.jsonl") if is_stem(path.stem)]
    return sorted(files, key=lambda path: [int(part) for part in path.stem.split("-")])


def read_trials(folder: Path) -> list[TrialRecord]:
    """Read every trial of a study folder, in order of point, seed and fold."""
    return [record for path in trial_files(folder) if (record := read_trial(path)) is not None]


_FOLDED = {"uid", "created", "suggested", "extensions", "codes", "data", "stages", "best", "confirm", "fused"}
"""What other lines than ``open`` say of a study."""


def fold_study(events: Iterable[Event], study: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return what a study recorded of itself: the newest value of each field.

    Args:
        events: lines of its own file.
        study: what earlier lines said; it is updated.

    Returns:
        The fields of ``open`` lines, the ranges of ``space`` as they were widened since; ``created`` (time of the
        first one), ``uid``, and the newest ``best``, ``confirm``, ``fused`` (how many trials its workers train at once)
        and ``state`` (none after a new ``open``) as dictionaries of their own; ``extensions``, the list of the
        widenings, if any; ``stages``, what those of a recipe found, by name; ``codes``, the code of trials by its
        digest: ``modules`` and the ``targets`` that it was found by; ``data``, what they were trained on by its digest,
        see `hpsearch.base.contents.DataState`.
    """
    study = {} if study is None else study
    for event in events:
        fields = {name: value for name, value in event.items() if name not in ("event", FORMAT_KEY)}
        match event["event"]:
            case "created":
                study["uid"] = fields["uid"]
            case "open":
                time = fields.pop("time")
                study.setdefault("created", time)
                study.update({name: value for name, value in fields.items() if name not in _FOLDED})
                study.pop("state", None)
                study["space"] = _extended(study.get("space"), study.get("extensions", [])) | study.get("suggested", {})
            case "suggested":
                study["suggested"] = fields["space"]
                study["space"] = {**(study.get("space") or {}), **fields["space"]}
            case "extended":
                study["extensions"] = [*study.get("extensions", []), fields]
                study["space"] = _extended(study.get("space"), [fields])
            case "code":
                study["codes"] = {**study.get("codes", {}), fields.pop("digest"): fields}
            case "data":
                earlier = {k: v for k, v in study.get("data", {}).items() if k != fields["digest"]}
                study["data"] = {**earlier, fields["digest"]: {k: v for k, v in fields.items() if k != "time"}}
            case "stage":
                study["stages"] = {**study.get("stages", {}), fields["name"]: fields}
            case "best" | "state" | "confirm" | "fused":
                study[event["event"]] = fields
    return study


def _extended(space: Mapping[str, str] | None, extensions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return a space with the ranges that were widened since."""
    return {**(space or {}), **{each["name"]: each["expression"] for each in extensions}}


def read_study(folder: Path) -> dict[str, Any]:
    """Read what a study recorded of itself; empty when there is no record."""
    return fold_study(read_events(folder / "events" / f"{STUDY}.jsonl", rules=STUDY_RULES)[0])


def last_open(folder: Path) -> Event | None:
    """Return the newest ``open`` line of a study; None where there is none."""
    lines, _ = read_events(folder / "events" / f"{STUDY}.jsonl", rules=STUDY_RULES)
    return next((line for line in reversed(lines) if line["event"] == "open"), None)


def config_in(folder: Path, space: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration with which a study was last run in a space.

    Args:
        folder: of the study, which was run in it.
        space: expressions by flat name, as its command gave them.
    """
    lines, _ = read_events(folder / "events" / f"{STUDY}.jsonl", rules=STUDY_RULES)
    return next(line["config"] for line in reversed(lines) if line["event"] == "open" and line["space"] == space)
