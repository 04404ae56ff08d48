"""What a session creates, and what it leaves when a step fails: a table of steps and files."""

from contextlib import nullcontext

import pytest

from hpsearch.base.errors import BusyError, ConfigError, StorageError
from hpsearch.base.journal import read_lines
from hpsearch.base.types import TrialState
from hpsearch.config.compose import compose
from hpsearch.progress.display import Silent
from hpsearch.study import session as module
from hpsearch.study.folder import STUDY_FILE, description, folder_lock, keep_description
from hpsearch.study.session import StudySession, question_of
from hpsearch.tracking.base import NoTracker
from hpsearch.tracking.record import Record
from tests.support.session import ScriptedLauncher, ScriptedTracker

WORDS = ("+study=lr_sweep", "study.name=s", "tracker=none")
SPACE = {"optimizer.lr": "choice(0.1, 0.2)"}
SOUND = {"metrics": ["valid/acc"], "loss": 1.0}
EVENTS = "events/study.jsonl"
HELD = ("lock", "owner.json")
"""What a lock leaves."""


class Lines(Silent):
    def __init__(self):
        self.lines = []

    def line(self, text):
        self.lines.append(text)

    def conclude(self, outcome):
        self.lines.append(outcome)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "environment", dict)
    monkeypatch.setattr(module, "git_state", lambda folder: {})
    return tmp_path / "studies" / "s"


def make(log, *words, answer=SOUND, start=None, copy=None, flushes=(), problem=None, observer=None):
    made = StudySession(compose([*WORDS, *words]), observer or Silent())
    made.workers.launcher = ScriptedLauncher(log, [answer], start)
    made.tracker = ScriptedTracker(log, flushes, problem, copy)
    return made


def work(made, inside=nullcontext):
    """What a command does, in its order."""
    with made as session:
        if session.is_new:
            session.check({"": session.composition.trial({}, 0).config})
        session.open(SPACE, sampler="Grid")
        inside()
        session.workers.stop()
        session.conclude(TrialState.COMPLETE, answer="It is found.", why="")


def files(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name not in HELD
    )


def events(folder):
    return [event["event"] for event in read_lines(folder / EVENTS)[0]]


def interrupt():
    raise KeyboardInterrupt


def busy(folder, wait_sec):
    raise BusyError("somebody else runs it")


def refused_lock(folder):
    with pytest.raises(BusyError), folder_lock(folder):
        pass


def full(*args, **kwargs):
    raise StorageError("the disk is full")


@pytest.mark.parametrize(
    ("step", "error", "left", "log"),
    [
        ("start", OSError, [], ["start"]),
        ("check", ConfigError, [], ["start", "call", "kill"]),
        ("lock", BusyError, [], ["start", "call", "kill"]),
        ("description", StorageError, [], ["start", "call", "kill"]),
        ("record", StorageError, [STUDY_FILE], ["start", "call", "kill"]),
        ("copy", StorageError, [EVENTS, STUDY_FILE], ["start", "call", "copy", "kill"]),
        ("inside", KeyboardInterrupt, [EVENTS, STUDY_FILE], ["start", "call", "copy", "end copy", "kill"]),
        (None, None, [EVENTS, STUDY_FILE], ["start", "call", "copy", "stop", "end copy"]),
    ],
)
def test_what_is_there_when_a_step_fails(folder, monkeypatch, step, error, left, log):
    done, options = [], {}
    match step:
        case "start":
            options = {"start": OSError("no more processes")}
        case "check":
            options = {"answer": ConfigError("no such layer")}
        case "lock":
            monkeypatch.setattr(module, "folder_lock", busy)
        case "description":
            monkeypatch.setattr(module, "keep_description", full)
        case "record":
            monkeypatch.setattr(Record, "study", full)
        case "copy":
            options = {"copy": StorageError("no store")}
    session = make(done, **options)
    with pytest.raises(error) if error else nullcontext():
        work(session, interrupt if step == "inside" else nullcontext)
    assert (files(folder), done) == (left, log)
    with folder_lock(folder):  # nobody holds it any more
        pass


def test_a_store_that_cannot_be_used_is_refused_before_anything(folder, monkeypatch):
    monkeypatch.setattr(NoTracker, "check", full)
    with pytest.raises(StorageError, match="the disk is full"):
        StudySession(compose(WORDS), Silent())
    assert not folder.parent.exists()


def test_the_record_says_how_it_ended(folder):
    with pytest.raises(KeyboardInterrupt):
        work(make([]), interrupt)
    work(make([]))
    lines = read_lines(folder / EVENTS)[0]
    assert [line["event"] for line in lines] == ["created", "open", "state", "open", "state"]
    cut, end = (line for line in lines if line["event"] == "state")
    assert (cut["state"], cut["answer"], cut["why"]) == ("PAUSED", "", "cut off")
    assert (end["state"], end["answer"], end["why"]) == ("COMPLETE", "It is found.", "")
    opened = lines[1]
    keys = "event time name question space objective sampler config command git environment seed format"
    assert list(opened) == keys.split()
    assert (opened["name"], opened["space"], opened["objective"]["metric"]) == ("s", SPACE, "valid/acc")


def test_a_study_that_goes_on_is_not_checked_again(folder):
    first, again = [], []
    work(make(first))
    work(make(again))
    assert first[:2] == ["start", "call"] and again == ["copy", "end copy"]


def test_a_restart_moves_the_old_study_aside_after_the_check(folder):
    work(make([]))
    old = (folder / STUDY_FILE).read_bytes()
    with pytest.raises(ConfigError):
        work(make([], "study.restart=true", "seed=1", answer=ConfigError("no such layer")))
    assert (folder / STUDY_FILE).read_bytes() == old
    observer = Lines()
    work(make([], "study.restart=true", "seed=1", observer=observer), lambda: refused_lock(folder))
    (aside,) = (path for path in folder.parent.iterdir() if path != folder)
    assert observer.lines == [f"the earlier study is kept in {aside}"]
    assert (aside / STUDY_FILE).read_bytes() == old
    assert read_lines(folder / EVENTS)[0][1]["restart"] is True
    assert events(aside) == events(folder) == ["created", "open", "state"]


def test_another_configuration_is_refused_and_leaves_the_study_as_it_was(folder):
    work(make([]))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(StorageError, match="seed"):
        work(make([], "seed=1"))
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_single_trials_share_a_folder_without_a_description(folder):
    composition = compose(["tracker=none", "study.name=mine"])
    made = StudySession(composition, Silent())
    made.workers.launcher = ScriptedLauncher([], [SOUND])
    with made as session:
        session.open()
        session.conclude(TrialState.COMPLETE)
    single = folder.with_name("single")
    assert files(single) == [EVENTS] and events(single) == ["created", "open", "state"]
    assert "space" not in read_lines(single / EVENTS)[0][1]


@pytest.mark.parametrize(
    ("flushes", "problem", "lines", "notes"),
    [
        ([True], None, 0, ()),
        ([False, False, True], None, 1, ()),
        ([False] * 4 + [True], "no route", 1, ()),
        ([False] * 5 + [True], "no route", 1, ("no route",)),
        ([False] * 30 + [True], None, 1, ()),
        ([False] * 31 + [True], None, 1, ("it is slow",)),
    ],
)
def test_a_store_is_waited_for_longer_when_it_answers(flushes, problem, lines, notes):
    observer = Lines()
    told = make([], flushes=flushes, problem=problem, observer=observer).send()
    assert len(observer.lines) == lines and len(told) == len(notes)
    assert all(f"({note})" in line for note, line in zip(notes, told, strict=True))


@pytest.mark.parametrize(
    ("flushes", "note"),
    [
        ([True], ()),
        ([False], ("not everything reached the tracking store yet (tracker.wait=false); `python -m hpsearch sync",)),
    ],
)
def test_without_waiting_a_line_says_that_the_rest_is_left(flushes, note):
    observer = Lines()
    made = make([], flushes=flushes, observer=observer)
    made.tracker.wait = False
    told = made.finish("the result")
    assert len(told) == len(note) and all(line.startswith(each) for line, each in zip(told, note, strict=True))
    assert observer.lines == ["the result", *told]
    assert made.tracker.flushes == []


def test_the_result_is_shown_before_the_store_is_waited_for():
    observer = Lines()
    told = make([], flushes=[False, False, KeyboardInterrupt], observer=observer).finish("the result")
    assert [line.partition("; ")[0] for line in observer.lines] == [
        "the result",
        "sending the rest to the tracking store",
        "not everything reached the tracking store yet (interrupted)",
    ]
    assert told == (observer.lines[-1],)


def test_a_description_that_stands_there_decides_whether_it_is_new(folder):
    assert make([]).is_new
    folder.mkdir(parents=True)
    keep_description(folder, description(compose(WORDS), SPACE))
    assert not make([]).is_new
    assert make([], "study.restart=true").is_new
    assert StudySession(compose(WORDS), Silent(), restart=True).is_new


@pytest.mark.parametrize(
    ("words", "detached", "said"),
    [
        ((), False, ""),
        (("budget.trial_seconds=5",), True, ""),
        (("budget.trial_seconds=5",), False, "budget.trial_seconds: "),
        (("budget.seconds=9", "budget.silent_seconds=5"), False, "budget.silent_seconds, budget.seconds: "),
    ],
)
def test_it_is_said_where_limits_in_time_are_looked_at_between_reports_only(words, detached, said):
    observer = Lines()
    made = make([], *words, observer=observer)
    made.workers.launcher.detached = detached
    work(made)
    lines = [line for line in observer.lines if "between reports only" in line]
    assert [line.partition("looked")[0] for line in lines] == ([said] if said else [])


@pytest.mark.parametrize(
    ("nuisance", "mode", "more"),
    [
        ({"optimizer.lr": "x"}, "held", " (Here with one learning rate for every arm.)"),
        ({"optimizer.lr": "x", "args.k": "y"}, "held", " (Here with one learning rate and one k for every arm.)"),
        ({"optimizer.lr": "x"}, "retuned", ""),
        ({}, "held", ""),
    ],
)
def test_a_held_ablation_asks_with_what_it_holds(nuisance, mode, more):
    config = {"study": {"question": "Does it help?"}, "ablation": {"nuisance": mode}, "nuisance": nuisance}
    assert question_of(config) == f"Does it help?{more}"
    assert question_of({"study": {"question": None}}) == ""
