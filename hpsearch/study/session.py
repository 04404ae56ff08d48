"""A study while a command works on it: its folder and lock, its record and the copy of that, its workers."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Protocol, Self, TypeVar

from hpsearch.base import clock
from hpsearch.base.borrowed import quiet
from hpsearch.base.clock import time_of_day
from hpsearch.base.commands import is_program, ui_command
from hpsearch.base.conditions import split_name
from hpsearch.base.environment import TAKEN, as_recorded
from hpsearch.base.errors import StorageError
from hpsearch.base.keys import HELD, SECONDS, SILENT_SECONDS, SINGLE, TRIAL_SECONDS
from hpsearch.base.observer import Observer
from hpsearch.base.types import Objective, TrialState
from hpsearch.base.words import label
from hpsearch.config.build import build
from hpsearch.config.compose import Composition
from hpsearch.launch.base import Launcher
from hpsearch.search.interrupts import note_interrupt
from hpsearch.search.lock import LOCK_SEC
from hpsearch.search.loggers import SPEAK
from hpsearch.study.folder import (
    STUDY_FILE,
    UID,
    description,
    folder_lock,
    has_no_score,
    keep_description,
    move_aside,
    read_yaml,
    restore_description,
    single_lock,
    studies_folder,
)
from hpsearch.study.workers import Checked, Workers
from hpsearch.tracking.base import Tracker
from hpsearch.tracking.damage import mend_events, strangers
from hpsearch.tracking.events import STUDY, read_study
from hpsearch.tracking.identity import SUPERSEDES, lineage
from hpsearch.tracking.machine import environment, git_state
from hpsearch.tracking.record import Record, uid_on_record
from hpsearch.trial.build import objective_of

T = TypeVar("T")
QUICK_SEC = 1.0
"""What is sent within this time needs no word."""
SEND_SEC = 30
"""How long a slow tracking store is waited for at the end."""
UNANSWERED_SEC = 3
"""How long one that does not answer is: the record is complete without it."""
TURN_SEC = 120.0
"""How long a command waits for its turn, while others that take turns have the study."""
CLOSE_SEC = 2.0
"""How long one is waited for after an error; the user waits for the prompt."""


class Home(Protocol):
    """Where a study's folder is kept that several drivers write, one at a time; see `hpsearch.search.shared.copied`."""

    def pull(self) -> None:
        """Bring the folder here, whose lock is held, to what is kept."""

    def push_all(self) -> None:
        """Bring everything of it there."""

    def push(self, files: Iterable[str]) -> None:
        """Bring what was appended to files there."""

    def clear(self) -> None:
        """Forget what is kept: the study starts again."""


class StudySession:
    """Opens and closes what every command needs that trains; a study, or the folder of single trials.

    Entering it creates nothing. `check` lets the workers build what is to be trained, so that bad input is refused
    while there is no trace of it; `claim` locks the folder and keeps the study's description, `open` begins the record;
    `conclude` records how the study stands, and `finish` shows the result and waits for the tracking store. Whatever is
    open is closed at the end of the block; after an error the record says that it was cut off, and the workers are
    killed.

    Args:
        composition: the configuration; a tracking store that cannot be used is a StorageError.
        observer: is told what happens.
        launcher: with workers that are there already, and stay.
        restart: move an earlier study of this name aside, whatever the configuration says.
        in_turn: whether this is one of many short commands that work on the study by turns: it waits for its turn, and
            is no news in the record, neither that it began nor that it was cut off.
        options: of the launcher, in the place of those that it is configured with.

    Attributes:
        home: where the study's folder is kept, of which the one here is a copy; None where it lies here alone.
        told: by whom and where the study is reported, for the other drivers of it; empty until it is.
    """

    def __init__(
        self,
        composition: Composition,
        observer: Observer,
        launcher: Launcher | None = None,
        restart: bool = False,
        in_turn: bool = False,
        options: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        config = composition.config
        self.composition = composition
        self.folder: Path = studies_folder() / (composition.study_name if composition.study_option else SINGLE)
        self.objective = objective_of(config)
        self.workers = Workers(composition, launcher, options)
        self.tracker: Tracker = build("tracker", config["tracker"], config["plugins"])
        self.tracker.check()
        self.record: Record
        self.home: Home | None = None
        self.told = ""
        self.observer = observer
        self._restart = restart or config["study"]["restart"] or has_no_score(self.folder, config)
        self._claimed = False
        self._guard: Callable[[], None]
        self._superseded: list[str] = []
        self._in_turn = in_turn
        self._stack = ExitStack()
        self._concluded = False
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        clock.restart()
        self._stack.enter_context(quiet(SPEAK))
        self._stack.enter_context(self.workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def is_new(self) -> bool:
        """Whether the study starts from nothing: there is none of its name, or it is moved aside."""
        return self._restart or not self._is_there

    @property
    def _is_there(self) -> bool:
        return (self.folder / STUDY_FILE).exists() or (self.folder / "events" / f"{STUDY}.jsonl").exists()

    def check(self, configs: Mapping[str, Mapping[str, Any]], within: bool = False) -> Checked:
        """Let a worker build every configuration, by the words that an error adds; see `Workers.check`.

        Args:
            configs: as there.
            within: whether this is a stage of a recipe, which has said how its data was read.

        Returns:
            What a worker said of them.
        """
        checked = self.workers.check(configs)
        self.say_notes(() if within else checked.notes)
        return checked

    def say_notes(self, notes: Sequence[str]) -> None:
        """Show once what was guessed or left out in reading the data, is wrong with columns or not told a program."""
        of = "program" if is_program(self.composition.config) else "data"
        for note in notes:
            if note not in self._said:
                self._said.add(note)
                self.observer.line(f"{of}: {note}")

    def go_on(self) -> None:
        """Start nothing again, whatever the configuration says: another driver of the study has done so."""
        self._restart = False

    def claim(self, space: Mapping[str, str] | None = None, grow: Callable[[], None] | None = None) -> None:
        """Lock the folder, and compare or write `STUDY_FILE`; nothing is on record yet.

        Args:
            space: expressions by flat name; None for single trials, which share a folder and are no study.
            grow: called before the study goes on in another space, see `keep_description`.
        """
        if self.composition.study_option:
            wait_sec = TURN_SEC if self._in_turn else LOCK_SEC
            self._guard = self._stack.enter_context(folder_lock(self.folder, wait_sec))
        else:
            self.folder, self._guard = self._stack.enter_context(single_lock(self.folder.parent))
        if self.home is not None:
            self.home.pull()
        if space is not None:
            self._superseded = self._describe(space, grow)
        uid = None if space is None else read_yaml(self.folder / STUDY_FILE).get(UID)
        self.record = Record(self.folder, self._changed, self._guard, uid)
        if self.home is not None:
            self.home.push_all()
        self._claimed = True

    def _changed(self, names: Collection[str]) -> None:
        """Bring event files that have new lines to where the folder is kept, and let the tracker know."""
        if self.home is not None:
            self.home.push(f"events/{name}.jsonl" for name in names)
        self.tracker.changed(names)

    def enter(self, context: AbstractContextManager[T]) -> T:
        """Enter a context that is left with the session: after its record is closed, before its workers stop."""
        return self._stack.enter_context(context)

    def open(
        self, space: Mapping[str, str] | None = None, grow: Callable[[], None] | None = None, **fields: Any
    ) -> None:
        """Begin the record and its copy, in a folder that is claimed first unless it is.

        Args:
            space: as for `claim`.
            grow: as for `claim`.
            fields: more of the record's ``open`` line.
        """
        self._say_where_time_is_looked_at()
        if not self._claimed:
            self.claim(space, grow)
        opened: dict[str, Any] = {"name": self.folder.name}
        if space is not None:
            opened |= {
                "question": question_of(self.composition.config),
                "space": dict(space),
                **_objective_fields(self.objective),
            }
            fields |= {"restart": True, SUPERSEDES: self._superseded} if self._superseded else {}
        said = read_study(self.folder) if self._in_turn else {}
        if "created" not in said or said.get("space") != opened.get("space"):
            self.record.study("open", time_of_day(), **opened, **fields, **_provenance(self.composition))
        self.record.flush()
        self.tracker.open(self.folder)
        self._stack.push(self._close)

    def _say_where_time_is_looked_at(self) -> None:
        budget = self.composition.config["budget"]
        limits = [key for key in (TRIAL_SECONDS, SILENT_SECONDS, SECONDS) if budget[key.partition(".")[2]] is not None]
        if limits and not self.workers.launcher.detached:
            self.observer.line(
                f"{', '.join(limits)}: looked at between reports only, as trials run in this process; none is killed"
            )

    def _describe(self, space: Mapping[str, str], grow: Callable[[], None] | None) -> list[str]:
        """Make the locked folder this study's; return who an earlier one is, and was before, that was moved aside."""
        superseded = list[str]()
        if self._restart and self._is_there:
            superseded = lineage(self.folder)
            self.observer.line(f"the earlier study is kept in {move_aside(self.folder)}")
            if self.home is not None:
                self.home.clear()
            self._guard = self._stack.enter_context(folder_lock(self.folder))
        mended = () if self._in_turn else mend_events(self.folder)
        for line in (*mended, *restore_description(self.folder), *strangers(self.folder)):
            self.observer.line(line)
        uid = uid_on_record(self.folder) or uuid.uuid4().hex
        keep_description(self.folder, {**description(self.composition, space), UID: uid}, grow)
        return superseded

    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        del error, trace
        try:
            if kind is not None and not self._concluded and not self._in_turn:
                with suppress(StorageError):
                    self.record.study("state", time_of_day(), state=TrialState.PAUSED, answer="", why="cut off")
        finally:
            with suppress(StorageError):
                self.record.close()
            self.tracker.close(CLOSE_SEC if self.tracker.wait else 0.0)

    def conclude(self, state: TrialState, **fields: Any) -> None:
        """Record how the study stands now: its state, and what was found."""
        self._concluded = True
        self.record.study("state", time_of_day(), state=state, **fields)
        self.record.flush()

    def ui_command(self) -> str | None:
        """Return the command that opens the tracking store, as its address was written; None without a store."""
        config = self.composition.config
        from_environment = "uri" in config.get(TAKEN, {}).get("tracker", {})
        return ui_command(as_recorded(config)) if from_environment else self.tracker.hint()

    def finish(self, outcome: object) -> tuple[str, ...]:
        """Show the result, then wait for the tracking store; return what the user should know of that, shown too."""
        self.observer.conclude(outcome)
        notes = self.send()
        for note in notes:
            self.observer.line(note)
        return notes

    def send(self) -> tuple[str, ...]:
        """Wait for the tracking store; return what the user should know when something did not get there."""
        if self.tracker.flush(QUICK_SEC if self.tracker.wait else 0.0):
            refused = self.tracker.problem()
            return () if refused is None else (f"not in the tracking store: {refused}",)
        later = f"`{self.composition.about('sync')}`"
        if self.tracker.wait:
            self.observer.line(f"sending the rest to the tracking store; Ctrl-C leaves it to {later}")
        why = self._why_not() if self.tracker.wait else "tracker.wait=false"
        return (f"not everything reached the tracking store yet ({why}); {later} sends the rest",) if why else ()

    def _why_not(self) -> str:
        """Wait until everything is sent; return why it is not, empty if it is."""
        try:
            return "" if self._arrives() else self.tracker.problem() or "it is slow"
        except KeyboardInterrupt:
            note_interrupt()
            return "interrupted"

    def _arrives(self) -> bool:
        """Wait until everything is sent, but only shortly for a store that does not answer."""
        for second in range(SEND_SEC):
            if self.tracker.flush(1.0):
                return True
            if self.tracker.problem() and second >= UNANSWERED_SEC:
                break
        return False


def question_of(config: Mapping[str, Any]) -> str:
    """Return what a study asks: of an ablation whose nuisance values are held, of these.

    Args:
        config: of the study.

    Returns:
        The question of the configuration; ``... tuned for it? (Here with one learning rate for every arm.)``.
    """
    question = str(config["study"]["question"] or "")
    names = dict.fromkeys(label(split_name(name)[0]) for name in config.get("nuisance") or {})
    held = dict(config.get("ablation") or {}).get("nuisance") == HELD
    if not (question and held and names):
        return question
    return f"{question} (Here with one {' and one '.join(names)} for every arm.)"


def _objective_fields(objective: Objective) -> dict[str, Any]:
    """Return what a record says of the objective: the first one, and all of them where there are several."""
    fields = [{k: v for k, v in asdict(one).items() if k != "others"} for one in objective.each]
    return {"objective": fields[0], **({"objectives": fields} if objective.others else {})}


def _provenance(composition: Composition) -> dict[str, Any]:
    """Return what a record says of the code, the machine and the command."""
    return {
        "config": composition.config,
        "command": composition.command,
        "git": git_state(Path.cwd()),
        "environment": environment(),
        "seed": composition.config["seed"],
    }
