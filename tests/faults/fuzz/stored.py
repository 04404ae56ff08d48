# ruff: noqa: E501 - pieces and tables are read as tables
"""What a study left behind, or somebody else wrote in its place: events, journal, description, checkpoints, requests."""

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import yaml
from hypothesis import strategies as st

from hpsearch.base.layer_rows import read_layer_rows
from hpsearch.search import lock, requests
from hpsearch.search.storage import JOURNAL_NAME, JournalStore
from hpsearch.study.folder import STUDY_FILE, read_yaml
from hpsearch.tracking.events import read_study, read_trial
from hpsearch.tracking.lines import last_state
from hpsearch.tracking.query import studies, table_from_events
from hpsearch.trial.checkpoint import LAST, Progress, restore_last, save_last, take_over
from hpsearch.trial.weights import read_weights
from tests.faults.fuzz.harness import EntryPoint, Refusal, read, same
from tests.faults.fuzz.mutate import ODD, VALUES, as_json, changed_tables, mutated

TRIAL = [
    {"event": "spec", "time": 1.0, "point": 3, "seed": 0, "fold": 0, "params": {"optimizer.lr": 0.1}, "key": "k",
     "overrides": ["optimizer.lr=0.1"], "folder": "trials/3-0-0", "config": {"trainer": {"_target_": "t"}}},
    {"event": "start", "time": 2.0, "attempt": 1, "epoch": None, "facts": {"parameters": 3}},
    {"event": "report", "time": 3.0, "epoch": 1, "step": 9, "metrics": {"valid/loss": 0.5}, "steps": [[4, 0.7]]},
    {"event": "report", "time": 4.0, "epoch": 2, "step": 18, "metrics": {"valid/loss": 0.25}, "steps": [],
     "end": [[18, {"valid/loss": 0.2}]]},
    {"event": "state", "time": 5.0, "state": "COMPLETE", "attempt": 1, "score": 0.5, "artifacts": ["log.txt"],
     "facts": {}, "reason": "", "traceback": "", "ended_by": {}},
    {"event": "again", "time": 6.0, "code": "c"},
    {"event": "spec", "time": 7.0, "point": 3, "seed": 0, "fold": 0, "params": {"optimizer.lr": 0.1, "seed": 0}, "key": "k",
     "overrides": ["optimizer.lr=0.1"], "folder": "trials/3-0-0", "config": {}},
]  # fmt: skip
STUDY = [
    {"event": "created", "uid": "u", "time": 1.0},
    {"event": "open", "time": 1.0, "name": "s", "question": "", "space": {"optimizer.lr": "interval(0.1, 1)"}, "config": {}},
    {"event": "suggested", "space": {"x": "choice(1, 2)"}},
    {"event": "extended", "name": "optimizer.lr", "expression": "interval(0.1, 2)", "point": 3},
    {"event": "code", "digest": "d", "modules": {"m": "1"}, "targets": ["t"]},
    {"event": "data", "digest": "d", "time": 1.0, "files": {}},
    {"event": "stage", "name": "lr_find", "state": "passed"},
    {"event": "best", "point": 3, "params": {"optimizer.lr": 0.1}, "mean": 0.5, "sd": 0.1, "n": 3},
    {"event": "confirm", "points": [3], "seeds": [1]},
    {"event": "fused", "width": 3},
    {"event": "system", "time": 1.0, "metrics": {"cpu": 1.0}},
    {"event": "artifact", "time": 1.0, "path": "report.html"},
    {"event": "state", "time": 9.0, "state": "COMPLETE", "as_good": 1},
]  # fmt: skip
LINE_PIECES = [b"\n", b"\0", b"{}", b"[", b'{"event":', b"NaN", b"1e999", b'"', b"\\ud800", b"\xff", b"}\n{", b"9" * 5000, b"\r", b"\xe2\x80\xa8", b'{"event":"state"']  # fmt: skip


@st.composite
def lines(draw: Any, events: list[dict[str, Any]]) -> bytes:
    """Draw lines of JSON: some of those given, in some order, with changed fields, or their bytes changed."""
    kept = (
        draw(st.lists(st.sampled_from(range(len(events))), max_size=8)) if draw(st.booleans()) else range(len(events))
    )
    table = draw(changed_tables(st.just([events[place] for place in kept])))
    texts = [as_json(each) for each in table] if isinstance(table, list) else [as_json(table)]
    raw = b"".join(text + b"\n" for text in texts)
    return draw(mutated(st.just(raw), LINE_PIECES)) if draw(st.booleans()) else raw


def written(name: str, raw: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return path


def _check_trial(raw: bytes) -> None:
    """A trial's events are read as one after the other says, and its table is made of them."""
    path = written("s/events/3-0-0.jsonl", raw)
    written("s/events/study.jsonl", b"".join(as_json(each) + b"\n" for each in STUDY))
    record = read(lambda: read_trial(path))
    if record is None:
        return
    events = [json.loads(line) for line in raw.split(b"\n")[: raw.count(b"\n")] if _is_json(line)]
    specs = [each for each in events if each["event"] == "spec"]
    assert same(record.params, specs[-1]["params"])
    states = [each["event"] for each in events if each["event"] in ("start", "state", "again")]
    if states and states[-1] == "start":
        assert record.state == "RUNNING"
    read(lambda: last_state(path))
    table = read(lambda: table_from_events(Path("s")))
    assert len(table.trials) == 1 and len(table.curves) == len(record.reports)
    read(lambda: studies(Path()))


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _check_study(raw: bytes) -> None:
    written("s/events/study.jsonl", raw)
    found = read(lambda: studies(Path()))
    assert [each.name for each in found] == ["s"]
    study = read(lambda: read_study(Path("s")))
    if study and "name" in study:
        assert table_from_events(Path("s")).trials.empty


def _journal() -> list[dict[str, Any]]:
    """Return the operations of a small search."""
    import optuna

    folder = Path.cwd()
    store = JournalStore().open(folder)
    study = optuna.create_study(storage=store.storage, study_name="s", direction="maximize")
    for number in range(2):
        trial = study.ask({
            "x": optuna.distributions.FloatDistribution(0, 1),
            "n": optuna.distributions.IntDistribution(1, 9, log=True),
        })
        trial.set_user_attr("RUNNING", {"a": 1})
        trial.report(0.5, 1)
        study.tell(trial, 0.25 * number)
    study.enqueue_trial({"x": 0.5})
    store.close()
    return [json.loads(line) for line in (folder / JOURNAL_NAME).read_bytes().splitlines()]


def _made_journal() -> list[dict[str, Any]]:
    import os
    import tempfile

    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            return _journal()
        finally:
            os.chdir(before)


def _check_journal(raw: bytes) -> None:
    written(JOURNAL_NAME, raw)

    def opened() -> Any:
        store = JournalStore().open(Path())
        try:
            return [store.storage.get_all_trials(each._study_id) for each in store.storage.get_all_studies()]
        finally:
            store.close()

    try:
        trials = read(opened)
    except Refusal:
        assert Path(JOURNAL_NAME).read_bytes() == raw
        raise
    assert all(isinstance(each.number, int) for of_one in trials for each in of_one)


DESCRIPTION = {
    "name": "s", "question": "why?", "command": "python -m hpsearch +study=s", "space": {"optimizer.lr": "interval(0, 1)"},
    "config": {"study": {"name": "s"}, "trainer": {"_target_": "t"}, "seed": 0, "data": {"path": "x"}},
}  # fmt: skip
YAML_PIECES = [
    *("\n", ": ", "- ", "  ", "\t", "&a ", "*a", "<<: *a", "!!python/object/apply:os.mkdir [made]", "!!binary ", "!!set ", "? ", "{", "}"),
    *("[", "]", "'", '"', "|", ">", "%YAML 9.9\n", "---\n", "...", "#", "2001-99-99", "2001-01-01", "1:30:60", "0o9", ".inf", ".nan", "~", "yes"),
    *("\0", "\ufeff", "\x85", "\u2028", "é", "${oc.env:HOME}", "${oc.create:x}", "${", "}", "???", "_target_: os.system\n", "@", "`", "!!int x"),
    *("!!timestamp x", "!!float x", "!!omap [a]", "!!merge x", "!!null x", "!x y", "0x", "1e999", "9" * 5000, "[" * 50, "a: " * 3, "\ud800"),
]  # fmt: skip


def as_yaml(value: Any) -> str:
    try:
        return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)
    except yaml.YAMLError:
        return repr(value)


@st.composite
def yaml_texts(draw: Any, tables: Any) -> str:
    """Draw YAML: tables with changed fields, or their text changed."""
    text = as_yaml(draw(changed_tables(tables)))
    return draw(mutated(st.just(text), YAML_PIECES)) if draw(st.booleans()) else text


def _check_description(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    written(STUDY_FILE, raw)
    content = read(lambda: read_yaml(Path(STUDY_FILE)))
    assert not Path("made").exists()
    assert repr(content) == repr(yaml.safe_load(raw.decode("utf-8")))


def _model() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return model, optimizer


TENSORS = st.sampled_from(
    [
        *(lambda: torch.zeros(2, 3), lambda: torch.zeros(2), lambda: torch.zeros(1).expand(10**12), lambda: torch.tensor(1)),
        *(lambda: torch.zeros(2, 3, dtype=torch.complex64), lambda: torch.zeros(2, 3, dtype=torch.int8), lambda: torch.zeros(0)),
        *(lambda: torch.full((2, 3), float("nan")), lambda: torch.zeros(2, 3).to_sparse(), lambda: torch.zeros(2, 3, device="meta")),
        lambda: torch.zeros(2, dtype=torch.bool),
    ]
).map(lambda make: make())  # fmt: skip
ENCODED = [as_json(each) for each in ODD if isinstance(each, str | int) and not isinstance(each, bool)]
PICKLE_PIECES = [b"PK\x03\x04", b"PK\x01\x02", b"cos\nsystem\n", b"\x80\x02", b"R", b".", b"q\x00", b"}", b"]", b"X\x05\0\0\0model", b"torch", b"\xff" * 8, bytes(8)]  # fmt: skip


@st.composite
def _states(draw: Any) -> tuple[str, Any]:
    """Draw what `last.pt` holds with changed fields, or its bytes changed."""
    if draw(st.booleans()):
        return "bytes", draw(mutated(st.just(_last()), PICKLE_PIECES))
    return "table", draw(changed_tables(st.just(_last_state()), VALUES | TENSORS))


def _last() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        save_last(Path(folder), "k", "d", *_model(), Progress(epoch=1))
        return (Path(folder) / LAST).read_bytes()


def _last_state() -> dict[str, Any]:
    state: dict[str, Any] = torch.load(BytesIO(_last()), weights_only=True)
    return {**state, "optimizer": {**state["optimizer"]}, "model": dict(state["model"])}


def _optimizer_with(hyperparameters: dict[str, Any]) -> tuple[str, Any]:
    state = _last_state()
    (group,) = state["optimizer"]["param_groups"]
    return "table", {**state, "optimizer": {**state["optimizer"], "param_groups": [{**group, **hyperparameters}]}}


def _moment(make: Callable[[], torch.Tensor | None]) -> tuple[str, Any]:
    state = _last_state()
    state["optimizer"]["state"][0]["exp_avg"] = make()
    return "table", state


def _check_last(drawn: tuple[str, Any]) -> None:
    kind, content = drawn
    if kind == "bytes":
        written(LAST, content)
    else:
        try:
            torch.save(content, LAST)
        except Exception:
            raise Refusal("nobody could have saved it") from None
    model, optimizer = _model()
    before = [each.clone() for each in model.parameters()]
    progress = read(lambda: restore_last(Path(), "k", "d", model, optimizer))
    if progress is None:
        assert all(map(torch.equal, model.parameters(), before))
    else:
        _train_on(model, optimizer)
    model, optimizer = _model()
    read(lambda: take_over(Path(LAST), model, optimizer))
    _train_on(model, optimizer)


def _train_on(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert all(
        each.dtype == torch.float32 and each.shape == other.shape
        for each, other in zip(model.parameters(), _model()[0].parameters(), strict=True)
    )


@st.composite
def _safetensors(draw: Any) -> bytes:
    """Draw a file of tensors whose header has changed fields, or whose bytes are changed."""
    weights = (
        {
            name: torch.arange(
                6, dtype=draw(st.sampled_from([torch.float32, torch.int64, torch.bfloat16, torch.float64]))
            ).reshape(2, 3)
            for name in ("a", "b.c")
        }
        if draw(st.booleans())
        else {"é": torch.zeros(0)}
    )
    raw = safetensors.torch.save(weights, {"key": "k"})
    size = int.from_bytes(raw[:8], "little")
    if draw(st.booleans()):
        header = as_json(draw(changed_tables(st.just(json.loads(raw[8 : 8 + size])))))
        raw = len(header).to_bytes(8, "little") + header + raw[8 + size :]
    return (
        draw(
            mutated(st.just(raw), [*ENCODED[:20], b'"dtype":"F32"', b"\xff" * 8, bytes(8), b"__metadata__", b"[", b"{"])
        )
        if draw(st.booleans())
        else raw
    )


def _check_safetensors(raw: bytes) -> None:
    path = written("w.safetensors", raw)
    weights = read(lambda: read_weights(path))
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    assert weights.keys() == header.keys()
    for name, tensor in weights.items():
        low, high = header[name]["data_offsets"]
        assert list(tensor.shape) == header[name]["shape"]
        assert (
            tensor.contiguous().view(torch.uint8).numpy().tobytes() == raw[8 + size + low : 8 + size + high]
            if tensor.numel()
            else low == high
        )


def _check_weights(raw: bytes) -> None:
    path = written("w.pt", raw)
    weights = read(lambda: read_weights(path))
    assert all(isinstance(each, torch.Tensor) for each in weights.values())


def _saved(state: Any) -> bytes:
    made = BytesIO()
    torch.save(state, made)
    return made.getvalue()


REQUEST = {"skip": None, "params": {"optimizer.lr": 0.1}}
OWNER = {"host": "h", "boot": "b", "pid": 1, "started": 1.0}


def _json_texts(table: Any) -> Any:
    return mutated(changed_tables(st.just(table)).map(as_json), LINE_PIECES)


def _check_request(raw: bytes) -> None:
    path = written("requests/1-1.json", raw)
    (request,) = read(lambda: list(requests.left(Path())))
    assert request.skip is None or type(request.skip) is int
    assert not path.exists()


def _check_owner(raw: bytes) -> None:
    written("owner.json", raw)
    said = read(lambda: lock._holder(Path()))
    assert said == "in another process" or said.startswith("process ")


LAYER_ROW = {"epoch": 1, "step": 1, "loss": 2.3, "gradient": {"a": 0.3}, "weight": {"a": 4.5}, "update": {"a": 0.1}, "outputs": {"b": {"sd": 0.1, "dead": None}}}  # fmt: skip


def _check_rows(raw: bytes) -> None:
    path = written("layers.json", raw)
    assert isinstance(read(lambda: read_layer_rows(path)), list | tuple)


ENTRIES = (
    EntryPoint("events of a trial", lines(TRIAL), _check_trial),
    EntryPoint(
        "events of a study",
        lines(STUDY),
        _check_study,
        found=(
            as_json(STUDY[1])
            + b"\n"
            + as_json({"event": "best", "params": {}, "mean": 0.5, "sd": 0.1, "n": 3})
            + b"\n",
            as_json({**STUDY[1], "extensions": 3}) + b"\n" + as_json(STUDY[3]) + b"\n",
        ),
    ),
    EntryPoint("Optuna's journal", st.deferred(lambda: lines(_made_journal())), _check_journal),
    EntryPoint(
        "study.yaml of a record",
        yaml_texts(st.just(DESCRIPTION)),
        _check_description,
        found=("!!timestamp x", "!!bool x", "a: &a [*a]", "2001-99-99: 1"),
    ),
    EntryPoint(
        "last.pt",
        _states(),
        _check_last,
        found=(
            *map(_optimizer_with, ({"capturable": {}}, {"betas": 0.9}, {"params": [[], 1]}, {"params": [0, 0]})),
            _moment(lambda: torch.zeros(2, 3, device="meta")),
            _moment(lambda: None),
            _moment(lambda: torch.zeros(3, 2)),
        ),
    ),
    EntryPoint("safetensors", _safetensors(), _check_safetensors),
    EntryPoint(
        "a state dict",
        st.deferred(lambda: mutated(st.just(_saved({"state_dict": {"a": torch.ones(2)}})), PICKLE_PIECES)),
        _check_weights,
    ),
    EntryPoint("requests", _json_texts(REQUEST), _check_request),
    EntryPoint("owner.json", _json_texts(OWNER), _check_owner),
    EntryPoint("layers.json", _json_texts([LAYER_ROW]), _check_rows),
)
