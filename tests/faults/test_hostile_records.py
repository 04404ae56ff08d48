"""Stored files that are broken, strange or made to harm: one line each, or the trial starts anew."""

import json
import os
import pathlib
import zipfile

import pytest
import torch

from hpsearch.base import intake
from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.journal import Journal, read_lines
from hpsearch.base.layer_rows import read_layer_rows
from hpsearch.base.types import TrialId
from hpsearch.progress.status import change
from hpsearch.progress.status import lines as status_lines
from hpsearch.search import lock, requests
from hpsearch.search.storage import JournalStore
from hpsearch.study.doctor.examine import examine
from hpsearch.study.doctor.findings import Level
from hpsearch.study.folder import read_yaml
from hpsearch.study.status import Onlooker
from hpsearch.terminal.status import plain_status
from hpsearch.tracking.events import read_study, read_trial, trial_files
from hpsearch.tracking.lines import last_state
from hpsearch.tracking.sent import Sent, sent_file, sent_runs
from hpsearch.trial import settings_file
from hpsearch.trial.checkpoint import LAST, Progress, restore_last, save_last, take_over
from hpsearch.trial.weights import read_weights
from tests.support.bounds import bounded_memory

MEMORY = 2**29
SPEC = {
    **{"event": "spec", "time": 1.0, "point": 3, "seed": 0, "fold": 0, "params": {"optimizer.lr": 0.1}, "key": "k"},
    **{"overrides": ["optimizer.lr=0.1"], "folder": "trials/3-0-0", "config": {}},
}
START = {"event": "start", "time": 2.0, "attempt": 1, "epoch": None, "facts": {"parameters": 3}}
REPORT = {"event": "report", "time": 3.0, "epoch": 1, "step": 9, "metrics": {"valid/loss": 0.5}, "steps": [[4, 0.7]]}
STATE = {
    **{"event": "state", "time": 4.0, "state": "COMPLETE", "attempt": 1, "score": 0.5, "artifacts": ["log.txt"]},
    **{"facts": {}, "reason": "", "traceback": ""},
}
DEEP = "[" * 200_000


def written(path, *events):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join((each if isinstance(each, str) else json.dumps(each, separators=(",", ":"))) + "\n" for each in events)
    )
    return path


def refused(read, said, error=StorageError):
    with bounded_memory(MEMORY), pytest.raises(error) as raised:
        read()
    (line,) = str(raised.value).splitlines()
    assert said in line and raised.value.exit_code == 2, line


def without(event, name):
    return {key: value for key, value in event.items() if key != name}


LINES = {
    "unknown state": (
        (SPEC, STATE | {"state": "FINISHED"}),
        "line 2 is damaged (state is 'FINISHED', must be WAITING,",
    ),
    "state of a number": ((SPEC, STATE | {"state": 3}), "state is 3"),
    "state of a list": ((SPEC, STATE | {"state": []}), "state is []"),
    "no name of a kind": ((SPEC, {"time": 1.0}), "line 2 is damaged (event is None"),
    "a kind of a table": ((SPEC, {"event": {}}), "event is {}"),
    "no point": ((without(SPEC, "point"),), "line 1 is damaged (spec without point)"),
    "a text for a point": ((SPEC | {"point": "3"},), "point is '3', must be a count"),
    "a fraction for a seed": ((SPEC | {"seed": 0.5},), "seed is 0.5"),
    "a negative fold": ((SPEC | {"fold": -1},), "fold is -1"),
    "a point beyond all numbers": ((SPEC | {"point": 10**30},), "point is 1000"),
    "true for a point": ((SPEC | {"point": True},), "point is True"),
    "no configuration": ((SPEC | {"config": None},), "config is None, must be a table"),
    "overrides of a text": ((SPEC | {"overrides": "lr=1"},), "overrides is 'lr=1', must be a list of texts"),
    "overrides of numbers": ((SPEC | {"overrides": [1]},), "overrides is [1]"),
    "parameters of a list": ((SPEC | {"params": []},), "params is []"),
    "a time of a text": ((SPEC | {"time": "now"},), "time is 'now', must be a time"),
    "a time that is none": ((SPEC, START | {"time": float("nan")}), "time is nan"),
    "a time without an end": ((SPEC, START | {"time": float("inf")}), "time is inf"),
    "a time of the year 300,000": ((SPEC, START | {"time": 1e13}), "time is 1"),
    "a time before 1970": ((SPEC, START | {"time": -1.0}), "time is -1.0"),
    "no facts": ((SPEC, without(START, "facts")), "start without facts"),
    "facts that nest": ((SPEC, START | {"facts": {"device": [[]]}}), "facts is {'device': [[]]}"),
    "an epoch that is none": ((SPEC, REPORT | {"epoch": float("nan")}), "epoch is nan"),
    "an epoch without an end": ((SPEC, REPORT | {"epoch": float("inf")}), "epoch is inf"),
    "an epoch of a text": ((SPEC, REPORT | {"epoch": "last"}), "epoch is 'last', must be a number from 0 on"),
    "no metrics": ((SPEC, without(REPORT, "metrics")), "report without metrics"),
    "a metric of a text": ((SPEC, REPORT | {"metrics": {"valid/acc": "<b>"}}), "must be a table of numbers"),
    "a metric of nothing": ((SPEC, REPORT | {"metrics": {"valid/acc": None}}), "must be a table of numbers"),
    "steps of one number": ((SPEC, REPORT | {"steps": [1, 2]}), "steps is [1, 2], must be pairs of numbers"),
    "steps of texts": ((SPEC, REPORT | {"steps": [["1", "2"]]}), "must be pairs of numbers"),
    "an end of texts": ((SPEC, REPORT | {"end": [[1, "x"]]}), "end is [[1, 'x']]"),
    "a score of a text": ((SPEC, STATE | {"score": "best"}), "score is 'best', must be a number, or null"),
    "a reason of a table": ((SPEC, STATE | {"reason": {}}), "reason is {}, must be a text"),
    "limits of texts": ((SPEC, STATE | {"ended_by": {"trial_seconds": "x"}}), "ended_by is"),
    "an attempt of a text": ((SPEC, STATE | {"attempt": "1"}), "attempt is '1'"),
    "code of a number": ((SPEC, {"event": "again", "time": 5.0, "code": 3}), "code is 3"),
    "the events of another trial": ((SPEC | {"point": 4},), "holds the events of trial 4/0/0"),
    "a garbled line": ((SPEC, '{"event":"report",', STATE), "line 2 is damaged and lines after it are not"),
    "a line that nests": ((SPEC, DEEP, STATE), "line 2 is damaged and lines after it are not"),
    "a first line that nests": ((DEEP,), "is no record of hpsearch's"),
    "a list for a line": ((SPEC, "[1]", STATE), "line 2 is damaged and lines after it are not"),
    "a number of many digits": ((SPEC, '{"event":"start","time":' + "9" * 5000 + "}", STATE), "line 2 is damaged"),
    "another program's text": (("[INFO] started",), "is no record of hpsearch's"),
    "another program's table": (("a,b,c", "1,2,3"), "is no record of hpsearch's"),
}


@pytest.mark.parametrize("case", LINES)
def test_events_of_a_trial(tmp_path, case):
    events, said = LINES[case]
    path = written(tmp_path / "events" / "3-0-0.jsonl", *events)
    refused(lambda: read_trial(path), said)


def test_events_that_are_sound_are_read_though_doubled_or_of_a_later_version(tmp_path):
    later = {"event": "tomorrow", "what": [1]}
    nan = REPORT | {"metrics": {"valid/loss": float("nan")}, "new": 1}
    path = written(tmp_path / "events" / "3-0-0.jsonl", SPEC, START, REPORT, REPORT, nan, later, STATE, STATE)
    trial = read_trial(path)
    assert (trial.state, trial.score, [report.epoch for report in trial.reports]) == ("COMPLETE", 0.5, [1])
    assert last_state(path) == "COMPLETE"
    written(tmp_path / "events" / "3-0-0 copy.jsonl", SPEC)
    assert trial_files(tmp_path) == [path]


@pytest.mark.parametrize("change", [{"state": "DONE"}, {"attempt": None}])
def test_a_last_state_that_is_none(tmp_path, change):
    path = written(tmp_path / "3-0-0.jsonl", SPEC, STATE | change)
    refused(lambda: last_state(path), "a line is damaged (")


STUDY = {
    "no uid": ({"event": "created"}, "line 1 is damaged (created without uid)"),
    "a uid of a table": ({"event": "created", "uid": {}}, "uid is {}"),
    "a configuration of a text": ({"event": "open", "time": 1.0, "config": "x"}, "config is 'x', must be a table"),
    "a space of a list": ({"event": "open", "time": 1.0, "space": []}, "space is []"),
    "a widening without a name": ({"event": "extended", "expression": "x"}, "extended without name"),
    "a stage without a name": ({"event": "stage", "time": 1.0}, "stage without name"),
    "a time of a text": ({"event": "open", "time": "x"}, "time is 'x'"),
    "code without a digest": ({"event": "code", "modules": {}}, "code without digest"),
    "an artifact without a path": ({"event": "artifact", "time": 1.0}, "artifact without path"),
    "a state of a number": ({"event": "state", "time": 1.0, "state": 3}, "state is 3"),
}


@pytest.mark.parametrize("case", STUDY)
def test_events_of_a_study(tmp_path, case):
    event, said = STUDY[case]
    written(tmp_path / "events" / "study.jsonl", event)
    refused(lambda: read_study(tmp_path), said)


JOURNALS = {
    "another program's events": ({"op": "insert"}, "is no operation of Optuna's"),
    "an unknown operation": ({"op_code": 99, "worker_id": "w"}, "is damaged"),
    "an operation without its fields": ({"op_code": 0}, "is damaged"),
    "text": ("SQLite format 3", "is no record of hpsearch's"),
}


@pytest.mark.parametrize("case", JOURNALS)
def test_a_journal_that_is_none_of_ours_is_refused_and_stays(tmp_path, case):
    event, said = JOURNALS[case]
    path = written(tmp_path / "optuna.journal", event)
    before = path.read_bytes()
    refused(lambda: JournalStore().open(tmp_path), said)
    assert path.read_bytes() == before


@pytest.mark.timeout(30)
def test_a_pipe_in_a_studys_folder_is_waited_for_by_nobody(tmp_path):
    (tmp_path / "events").mkdir()
    for name in ("events/study.jsonl", "events/3-0-0.jsonl", "optuna.journal", "study.yaml", LAST):
        os.mkfifo(tmp_path / name)
    readers = (
        lambda: read_study(tmp_path),
        lambda: read_trial(tmp_path / "events" / "3-0-0.jsonl"),
        lambda: last_state(tmp_path / "events" / "3-0-0.jsonl"),
        lambda: JournalStore().open(tmp_path),
        lambda: read_yaml(tmp_path / "study.yaml"),
    )
    for read in readers:
        refused(read, "is a pipe, expected a file")
    assert restored(tmp_path) is None


@pytest.mark.parametrize(
    "note", [{}, {"name": 3}, {"name": "study", "run": {}}, {"name": "s", "run": "r", "offset": "x"}]
)
def test_notes_of_what_was_sent_are_dropped_where_they_say_something_else(tmp_path, note):
    path = written(sent_file(tmp_path, "sqlite:///m.db"), note)
    assert sent_runs(tmp_path) == {}
    assert Sent(tmp_path, "sqlite:///m.db").run("s") is None
    assert not path.exists()


YAML = {
    "nested": ("a: " + "[" * 5_000, "nested too deeply"),
    "aliases of aliases": (
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)),
        "more than 100,000 values",
    ),
    "a long one": ("a: 1\n" * 2**17, "more than 512 KiB"),
    "an object": ("a: !!python/object/apply:os.mkdir [made]", "could not determine a constructor"),
    "a list": ("[1, 2]", "it holds [1, 2] and no table"),
    "a long list": (f"[{'1, ' * 9_999}]", "and no table"),
    "bytes": (b"\xff\xfe\x00", "is damaged"),
    "a cut one": ("a: {b: 1", "is damaged"),
}


@pytest.mark.parametrize("case", YAML)
def test_description_of_a_study(tmp_path, case, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text, said = YAML[case]
    (tmp_path / "study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(lambda: read_yaml(tmp_path / "study.yaml"), said)
    assert not (tmp_path / "made").exists()


def model_and(optimizer=torch.optim.SGD, **options):
    model = torch.nn.Linear(3, 2)
    made = optimizer(model.parameters(), lr=0.1, **options)
    model(torch.ones(1, 3)).sum().backward()
    made.step()
    return model, made


def restored(folder):
    return restore_last(folder, "k", "d", *model_and(torch.optim.Adam))


def repacked(path, method=zipfile.ZIP_DEFLATED, more=b""):
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if more:
            archive.writestr("archive/data/9", more)


def changed(path, change):
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)


def widen(state):
    state["optimizer"]["state"][0]["exp_avg"] = torch.zeros(1).expand(10**12)


CHECKPOINTS = {
    **{f"without {key}": (lambda path, key=key: changed(path, lambda state: state.pop(key))) for key in (
        "key", "data", "model", "optimizer", "epoch", "reports", "best", "samples", "widths",
    )},
    "compressed": repacked,
    "a bomb": lambda path: repacked(path, more=bytes(2**26)),
    "of text": lambda path: path.write_text("hello"),
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-99]),
    "a list": lambda path: torch.save([1], path),
    "a model of texts": lambda path: changed(path, lambda state: state.update(model={"weight": "x", "bias": "y"})),
    "no model": lambda path: changed(path, lambda state: state.update(model=None)),
    "no optimizer": lambda path: changed(path, lambda state: state.update(optimizer=None)),
    "an optimizer of nothing": lambda path: changed(path, lambda state: state.update(optimizer={})),
    "reports of numbers": lambda path: changed(path, lambda state: state.update(reports=[1])),
    "a limit of others": lambda path: changed(path, lambda state: state.update(limit={"x": 1})),
    "tensors of terabytes": lambda path: changed(path, widen),
    "another optimizer": lambda path: save_last(path.parent, "k", "d", *model_and(), Progress()),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_last_state_that_does_not_fit_is_none_and_the_model_stays(tmp_path, case):
    save_last(tmp_path, "k", "d", *model_and(torch.optim.Adam), Progress())
    assert restored(tmp_path) is not None
    CHECKPOINTS[case](tmp_path / LAST)
    model, optimizer = model_and(torch.optim.Adam)
    before = model.weight.clone()
    with bounded_memory(MEMORY):
        assert restore_last(tmp_path, "k", "d", model, optimizer) is None
    assert torch.equal(model.weight, before)


@pytest.mark.parametrize("case", [*CHECKPOINTS])
def test_an_end_that_does_not_fit_is_refused(tmp_path, case):
    save_last(tmp_path, "k", "d", *model_and(torch.optim.Adam), Progress())
    CHECKPOINTS[case](tmp_path / LAST)
    refused(lambda: take_over(tmp_path / LAST, *model_and(torch.optim.Adam)), str(tmp_path / LAST), ConfigError)


WEIGHTS = {
    "a bomb": ("w.pt", lambda path: (torch.save({"a": torch.ones(1)}, path), repacked(path, more=bytes(2**26)))),
    "tables in tables": ("w.pt", lambda path: torch.save({"state_dict": {"a": {"b": 1}}}, path)),
    "a header of exabytes": ("w.safetensors", lambda path: path.write_bytes(b"\xff" * 8 + b"{}")),
    "a header that nests": (
        "w.safetensors",
        lambda path: path.write_bytes((9_000).to_bytes(8, "little") + b"[" * 9_000),
    ),
    "a tensor of terabytes": (
        "w.safetensors",
        lambda path: path.write_bytes(
            (71).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'.ljust(71)
        ),
    ),
    "a negative shape": (
        "w.safetensors",
        lambda path: path.write_bytes(
            (61).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}'.ljust(61)
        ),
    ),
    "a pipe of torch": ("w.pt", os.mkfifo),
    "a pipe": ("w.safetensors", os.mkfifo),
    "a folder": ("w.safetensors", os.mkdir),
    "a device": ("w.safetensors", lambda path: path.symlink_to("/dev/zero")),
}


@pytest.mark.timeout(60)
def test_the_doctor_says_of_each_what_is_wrong_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("hpsearch.study.repair.rebuild_report", lambda name: name)
    studies, sound = tmp_path / "studies", {"event": "created", "uid": "u"}
    for number, (events, _) in enumerate(LINES.values()):
        written(studies / f"lines{number}/events/3-0-0.jsonl", *events)
        written(studies / f"lines{number}/events/study.jsonl", sound)
    for number, (event, _) in enumerate(STUDY.values()):
        written(studies / f"study{number}/events/study.jsonl", event)
    for number, text in enumerate(YAML[case][0] for case in ("an object", "a list", "bytes", "a cut one")):
        written(studies / f"yaml{number}/events/study.jsonl", sound)
        (studies / f"yaml{number}/study.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    written(studies / "pipes/events/3-0-0.jsonl", sound).unlink()
    for name in ("events/study.jsonl", "events/3-0-0.jsonl", "study.yaml", "owner.json", "lock"):
        os.mkfifo(studies / "pipes" / name)
    pathlib.Path(studies / "folders/events/study.jsonl").mkdir(parents=True)
    for name in ("study.yaml", "owner.json", "lock"):
        (studies / "folders" / name).mkdir()
    with bounded_memory(MEMORY):
        found = examine(str(tmp_path)).findings
        examine(str(tmp_path), repair=True)
    wrong = {each.subject for each in found if each.level is Level.PROBLEM}
    assert {path.name for path in studies.iterdir()} <= wrong
    assert not [each for each in found if "cannot be looked at" in each.text]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(tmp_path, case):
    name, make = WEIGHTS[case]
    make(tmp_path / name)
    refused(lambda: read_weights(tmp_path / name), str(tmp_path / name), ConfigError)


def test_what_json_nests_is_no_value():
    with pytest.raises(ValueError, match="nested too deeply"):
        intake.json_value(DEEP)


def test_a_torn_start_of_a_journal_is_cut_off(tmp_path):
    for left in (b'{"event":"cre', b"\0" * 4096, b"\0" * 99 + b'"}\n', b""):
        (tmp_path / "a.jsonl").write_bytes(left)
        assert read_lines(tmp_path / "a.jsonl") == ([], 0)
        assert Journal(tmp_path / "a.jsonl").events == []


LAYER_ROW = {
    **{"epoch": 1, "step": 1, "loss": 2.3, "gradient": {"a": 0.3}, "weight": {"a": 4.5}, "update": {"a": 0.1}},
    "outputs": {"b": {"sd": 0.1, "dead": None}},
}
ROWS = {
    "a table": LAYER_ROW,
    "a list of texts": ["a"],
    "no epoch": [without(LAYER_ROW, "epoch")],
    "an epoch of a text": [LAYER_ROW | {"epoch": "1"}],
    "a gradient of a text": [LAYER_ROW | {"gradient": {"a": "<b>"}}],
    "a gradient of a list": [LAYER_ROW | {"gradient": [1]}],
    "a gradient without its weight": [LAYER_ROW | {"gradient": {"c": 1.0}}],
    "outputs of numbers": [LAYER_ROW | {"outputs": {"b": 1}}],
    "outputs of tables": [LAYER_ROW | {"outputs": {"b": {"sd": {}}}}],
    "nests": DEEP,
    "text": "hello",
}


@pytest.mark.parametrize("case", ROWS)
def test_layers_that_are_none_are_left_out(tmp_path, case):
    found = ROWS[case]
    file = written(tmp_path / "layers.json", found if isinstance(found, str) else json.dumps(found))
    assert not read_layer_rows(file)
    written(file, json.dumps([LAYER_ROW]))
    assert len(read_layer_rows(file)) == 1
    file.unlink()
    os.mkfifo(file)
    assert not read_layer_rows(file)


@pytest.mark.parametrize("content", [DEEP, "{", "[]", "{}", '{"skip":"1","params":null}', '{"skip":1,"params":[]}'])
def test_a_request_that_is_none_is_named(tmp_path, content):
    path = written(tmp_path / requests.FOLDER / "1-1.json", content)
    refused(lambda: list(requests.left(tmp_path)), f"{path}: is no request")
    requests.leave(tmp_path, requests.Request(skip=3))
    path.unlink()
    assert [request.skip for request in requests.left(tmp_path)] == [3]


@pytest.mark.parametrize("content", [DEEP, "[]", "3", '{"pid":1}', "\0"])
def test_a_lock_whose_owner_says_nothing_is_held_all_the_same(tmp_path, content):
    written(tmp_path / "owner.json", content)
    assert lock._holder(tmp_path) == "in another process"


@pytest.mark.parametrize(
    ("name", "content"), [("s.json", DEEP), ("s.yaml", DEEP), ("s.toml", "a = " + DEEP), ("s.json", "[]")]
)
def test_settings_of_a_program_that_are_none(tmp_path, name, content):
    refused(lambda: settings_file.read(written(tmp_path / name, content[:20_000])), "trainer.file = ", ConfigError)


@pytest.mark.timeout(60)
def test_whoever_looks_on_is_told_of_each_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    studies, sound = tmp_path / "studies", {"event": "created", "uid": "u"}
    open_ = {"event": "open", "time": 1.0, "config": [], "objective": 3, "recipe": 5, "stages": 7, "state": "x"}
    for number, (events, _) in enumerate(LINES.values()):
        written(studies / f"lines{number}/events/3-0-0.jsonl", *events)
        written(studies / f"lines{number}/events/4-0-0.jsonl", SPEC | {"point": 4}, START, REPORT)
        written(studies / f"lines{number}/events/study.jsonl", sound, open_ | {"config": {}})
    for number, (event, _) in enumerate(STUDY.values()):
        written(studies / f"study{number}/events/study.jsonl", event)
    written(studies / "odd/events/study.jsonl", sound, open_ | {"config": {"trainer": 3, "tracker": []}})
    (studies / "pipes/events").mkdir(parents=True)
    for name in ("events/study.jsonl", "events/3-0-0.jsonl", "owner.json"):
        os.mkfifo(studies / "pipes" / name)
    pathlib.Path(studies / "folders/events/3-0-0.jsonl").mkdir(parents=True)
    pathlib.Path(studies / "folders/events/study.jsonl").mkdir()
    with bounded_memory(MEMORY):
        for folder in studies.iterdir():
            onlooker = Onlooker(folder.name)
            for _ in range(3):  # damage stays said
                (found,) = onlooker.look(9.0)
                said = "\n".join([*status_lines(found, 9.0), json.dumps(plain_status(found, 9.0)), change(found)])
                assert "\x1b" not in said
            if folder.name.startswith("lines"):
                assert found.cut_off[-1:] == (TrialId(4, 0),), "the sound one beside it"
            else:
                assert (found.state == "DAMAGED" and found.unreadable) or folder.name == "odd"
        wrong = {folder.name for folder in studies.glob("lines*") if Onlooker(folder.name).look(9.0)[0].unreadable}
    states = {f"lines{number}" for number, case in enumerate(LINES) if "state" in case or "start" in case}
    assert states <= wrong
