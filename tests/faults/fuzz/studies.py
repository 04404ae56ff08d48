# ruff: noqa: E501 - pieces and tables are read as tables
"""Files of a user's configuration, a program's settings and its lines, and what a tracking store gives back."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from hypothesis import strategies as st

from hpsearch.base.plain import copied
from hpsearch.config.compose import compose
from hpsearch.config.groups import read_plugins
from hpsearch.search.space import Space
from hpsearch.study.option_files import read_option
from hpsearch.study.options import available_options
from hpsearch.tracking import names as metric_names
from hpsearch.tracking import query, runs
from hpsearch.tracking.read_back import trial_of
from hpsearch.trial.printed import Printed
from hpsearch.trial.program import LONGEST_LINE, Lines
from hpsearch.trial.settings_file import read as read_settings
from hpsearch.trial.settings_file import write as write_settings
from tests.faults.fuzz.harness import EntryPoint, read, same
from tests.faults.fuzz.mutate import as_json, changed_tables, mutated
from tests.faults.fuzz.stored import LINE_PIECES, written, yaml_texts

STUDY = {
    "defaults": [{"override /sampler": "random"}, {"override /model": "mlp"}],
    "study": {"question": "Which rate?", "seeds": 2},
    "space": {"optimizer.lr": "tag(log, interval(1e-3, 1))", "model": "choice(mlp, softmax)", "model=mlp": {"model.hidden": "choice([8], [16, 8])"}, "where": ["optimizer.lr < 0.5"]},
    "budget": {"points": 4},
    "trainer": {"epochs": 2},
}  # fmt: skip
OVERLAY = {
    "_target_": "hpsearch.optim.SGD",
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": "${trainer.epochs}",
}
PLUGINS = {"plugins": ["my_package"]}


def _check_study(text: str) -> None:
    """A study's file composes to the same twice, and holds what it says of its own table."""
    raw = f"# @package _global_\n{text}".encode("utf-8", "surrogatepass")
    written("conf/study/mine.yaml", raw)
    available_options(["conf"])
    read_option("study", "mine", ["conf"])
    composition = read(lambda: compose(["+study=mine"], ["conf"]))
    space = read(lambda: Space.parse(composition.space, composition.where))
    read(lambda: composition.check_space(space.ends()))
    said = yaml.safe_load(raw.decode("utf-8"))
    if isinstance(said, dict) and isinstance(said.get("budget"), dict) and type(said["budget"].get("points")) is int:
        assert composition.config["budget"]["points"] == said["budget"]["points"]
    assert compose(["+study=mine"], ["conf"]).config == composition.config or "nan" in repr(composition.config)


def _check_overlay(text: str) -> None:
    """An option of a user's group is composed as its file says."""
    raw = text.encode("utf-8", "surrogatepass")
    written("conf/optimizer/mine.yaml", raw)
    read_option("optimizer", "mine", ["conf"])
    composition = read(lambda: compose(["optimizer=mine"], ["conf"]))
    said = yaml.safe_load(raw.decode("utf-8"))
    if isinstance(said, dict) and isinstance(said.get("lr"), float) and "defaults" not in said and "# @" not in text:
        assert composition.config["optimizer"]["lr"] == said["lr"]


def _check_plugins(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    written("conf/plugins.yaml", raw)
    names = read(lambda: read_plugins([Path("conf").absolute()]))
    assert list(names) == list(dict.fromkeys(yaml.safe_load(raw.decode("utf-8"))["plugins"]))


SETTINGS = {"lr": 0.1, "model": {"width": 8, "act": "relu"}, "layers": [1, 2], "name": "a b"}


def _check_settings(drawn: tuple[str, str]) -> None:
    """A program's settings are written as they were read, in the same format."""
    ending, text = drawn
    path = written(f"s{ending}", text.encode("utf-8", "surrogatepass"))
    content = read(lambda: read_settings(path))
    read(lambda: write_settings(path, copied(content)))
    assert same(read_settings(path), content)


SAID_LINES = [
    "epoch 3: loss=0.5 acc=0.9",
    '{"epoch": 3, "acc": 0.9, "valid": {"loss": 1}}',
    "acc: 0.5",
    "step=4 acc 1e-3",
    "Epoch [2/10] acc=.9",
]
PRINTED_PIECES = ["acc", "epoch", "=", ":", "1e999", "nan", "inf", "-", "9" * 5000, "{", "}", "[", "0,5", "٣", "\r", "\n", "\0", "\x1b[2J", "NaN", "1_0", '"acc"', "e5", ".", "--", "infinity", "\u2028"]  # fmt: skip


def _check_printed(drawn: tuple[bytes, Any]) -> None:
    """Lines come out whole, however the bytes are cut, and numbers in them are Python's."""
    raw, pattern = drawn
    whole, cut = Lines(), Lines()
    expected = [*whole.take(raw), *whole.end()]
    lines = [line for place in range(0, len(raw), 7) for line in cut.take(raw[place : place + 7])] + cut.end()
    assert lines == expected or len(raw) > LONGEST_LINE
    printed = Printed(pattern, ["acc"])
    for line in lines:
        found = read(lambda line=line: printed.read(line))
        if found is not None:
            assert all(type(value) is float for value in found.metrics.values())
            assert all(type(count) is int or count is None for count in (found.epoch, found.step))


PATTERNS = st.sampled_from([
    "auto",
    "auto",
    None,
    r"acc[=: ]+([-\w.]+)",
    {"acc": r"(?P<epoch>\d+).*acc=(?P<value>\S+)"},
])
RECORD = {
    "params": {"optimizer.lr": 0.1}, "overrides": ["optimizer.lr=0.1"], "folder": "trials/3-0-0", "state": "COMPLETE", "attempts": 1,
    "nonfinite": {}, "score": 0.5, "reason": "", "facts": {"parameters": 3}, "artifacts": ["log.txt"], "queued": 1.0,
    "started": 2.0, "ran_sec": 1.0, "ended": 3.0,
}  # fmt: skip


class _Client:
    """Stands for MLflow's client: a run with tags and metrics that anybody may have written."""

    def __init__(self, metrics: dict[str, Any]) -> None:
        self._metrics = metrics

    def get_metric_history(self, _: str, key: str) -> list[Any]:
        return [
            SimpleNamespace(step=step, value=value, timestamp=1000) for step, value in enumerate(self._metrics[key])
        ]


METRICS = {
    metric_names.STEP: [9.0, 18.0],
    "valid/loss": [0.5, 0.25],
    metric_names.STEP_LOSS: [0.7, 0.6],
    f"{metric_names.END}valid/loss": [0.2],
}
FLOATS = st.floats() | st.sampled_from([float("nan"), float("inf"), -1.0, 1e300, 0.5])


@st.composite
def _mlflow_runs(draw: Any) -> tuple[dict[str, str], dict[str, list[float]]]:
    record = draw(changed_tables(st.just(RECORD)))
    tags = {**(runs.chunks(record) if isinstance(record, dict) else {}), runs.TRIAL: "3-0-0", "key": "k"}
    for name in sorted(tags):
        if draw(st.integers(0, 5)) == 0:
            tags[name] = draw(mutated(st.just(tags[name]), [piece.decode("utf-8", "replace") for piece in LINE_PIECES]))
    if draw(st.integers(0, 8)) == 0:
        tags.pop(draw(st.sampled_from(sorted(tags))))
    metrics = {key: draw(st.just(values) | st.lists(FLOATS, max_size=3)) for key, values in METRICS.items()}
    return tags, metrics


def _check_mlflow(drawn: Any) -> None:
    """A run of a trial reads as the record that was written."""
    tags, metrics = drawn
    run = SimpleNamespace(
        info=SimpleNamespace(run_id="r"), data=SimpleNamespace(tags=tags, metrics=dict.fromkeys(metrics, 0.0))
    )
    record = read(lambda: trial_of(_Client(metrics), run, {}))
    kept = runs.joined(tags, "r")
    assert record.params == kept["params"] and record.state == kept["state"]
    table = query._table({"name": "s"}, [record], ["r"], {}, {})
    assert len(table.trials) == 1 and len(table.curves) == len(record.reports)


SETTINGS_TEXTS = st.one_of(
    st.tuples(st.sampled_from([".yaml", ".yml"]), yaml_texts(st.just(SETTINGS))),
    st.tuples(st.just(".json"), mutated(changed_tables(st.just(SETTINGS)).map(lambda table: as_json(table).decode("utf-8", "surrogatepass")), ["{", "]", "NaN", "\\u", "1e999"])),
    st.tuples(st.just(".toml"), mutated(st.just('lr = 0.30000000000000004\nname = "a b"\nwhen = 2026-01-31T10:00:00Z\n[model]\nwidth = 8\n"a.b" = [1, {x = 2}]\n[[t]]\ny = inf\n'), ["[", "]", "{", "=", "\n", '"""', "'", "nan", "0x1", "1e999", "é", ".", "\\u0000"])),
)  # fmt: skip
ENTRIES = (
    EntryPoint(
        "study files",
        yaml_texts(st.just(STUDY)),
        _check_study,
        found=(
            "args: " + "[" * 120 + "]" * 120,
            "study: {x: [{a b: 1}]}",
            "budget: [{a b: 1}]",
            "trainer: null",
            "space: true",
            "defaults: [{'': a}]",
            "space: {optimizer.lr: 'choice(1)', model=mlp: null}",
        ),
    ),
    EntryPoint(
        "options of a user's",
        yaml_texts(st.just(OVERLAY)),
        _check_overlay,
        found=("lr: " + "[" * 120 + "]" * 120, "_target_: hpsearch.optim.SGD\nlr: 1" + "0" * 400),
    ),
    EntryPoint("plugins.yaml", yaml_texts(st.just(PLUGINS)), _check_plugins, found=("plugins: !!int x", "[" * 3000)),
    EntryPoint("a program's settings", SETTINGS_TEXTS, _check_settings),
    EntryPoint(
        "lines of a program",
        st.tuples(
            mutated(st.sampled_from(SAID_LINES), PRINTED_PIECES).map(lambda text: text.encode("utf-8", "replace")),
            PATTERNS,
        ),
        _check_printed,
        found=(
            (b"infinity" * 8000, "auto"),
            (b"epoch" + b" " * 60_000, "auto"),
            (b"9" * 64_000, {"acc": r"(?P<epoch>\d+).*acc=(?P<value>\S+)"}),
            (b'{"acc": 0.5, "epoch": 1e999}', "auto"),
            (b'{"acc": 1' + b"0" * 400 + b"}", "auto"),
            (b"epoch " + b"9" * 5000 + b" acc=1", "auto"),
            (b"epoch x acc=1", {"acc": r"epoch (?P<epoch>\S+) acc=(?P<value>\S+)"}),
        ),
    ),
    EntryPoint(
        "MLflow runs read back",
        _mlflow_runs(),
        _check_mlflow,
        found=(({}, {}), ({f"{runs.RECORD}.0": "[", runs.TRIAL: "a", "key": "k"}, {})),
    ),
)
