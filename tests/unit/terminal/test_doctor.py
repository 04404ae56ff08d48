"""The doctor's screen, on a terminal, in a pipe and for programs."""

import io
import json
import re
from pathlib import Path

import pytest

from hpsearch.study.doctor.examine import Examined
from hpsearch.study.doctor.findings import note, ok, problem
from hpsearch.terminal.doctor import in_json, show_examined

MEND = "python -m hpsearch doctor --repair a_study_of_a_long_name"
FOUND = Examined(
    Path("/work"),
    (
        ok("versions", "python 3.11.7, hpsearch 0.1.0, torch 2.13.0+cpu, optuna 5.0.0, mlflow 3.17.2, hydra-core 1"),
        problem("store", "http://al:secret@host does not answer", "tracker.uri=http://al:secret@host"),
        ok("a_study_of_a_long_name", "complete: 7 complete"),
        note("a_study_of_a_long_name", "left: \x1b[2Jx\r\nsecond", MEND),
    ),
    ("lr_sweep: removed a\x1b[1mfile",),
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, width, found=FOUND, stream=None):
    for name in ("NO_COLOR", "CI", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    stream = stream or Terminal()
    show_examined(found, stream)
    return re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).splitlines()


def test_a_pipe_gets_a_line_for_each_thing(monkeypatch):
    assert shown(monkeypatch, 40, stream=io.StringIO()) == [
        "hpsearch doctor: /work",
        r"repair   lr_sweep: removed a\x1b[1mfile",
        f"ok       versions  {FOUND.findings[0].text}",
        "problem  store     http://al:***@host does not answer",
        "  -> tracker.uri=http://al:***@host",
        "ok       a_study_of_a_long_name  complete: 7 complete",
        r"note               left: \x1b[2Jx\r\nsecond",
        f"  -> {MEND}",
        "1 problem and 1 note",
    ]


def test_a_terminal_wraps_texts_and_never_commands(monkeypatch):
    lines = shown(monkeypatch, 80)
    assert lines[2:4] == [
        "ok       versions  python 3.11.7, hpsearch 0.1.0, torch 2.13.0+cpu, optuna",
        "                   5.0.0, mlflow 3.17.2, hydra-core 1",
    ]
    narrow = shown(monkeypatch, 40)
    assert narrow[2:5] == [
        "ok       versions",
        "  python 3.11.7, hpsearch 0.1.0, torch",
        "  2.13.0+cpu, optuna 5.0.0, mlflow",
    ]
    assert max(len(line) for line in narrow if "->" not in line and line[:6] != "repair") <= 40
    assert f"  -> {MEND}" in narrow


def test_all_is_well(monkeypatch):
    assert shown(monkeypatch, 80, Examined(Path("/work"), (ok("device", "none"),)))[-1] == "all is well"


def test_programs_get_everything_without_secrets():
    text = in_json(FOUND)
    told = json.loads(text)
    assert "secret" not in text and told["folder"] == "/work" and told["exit_code"] == FOUND.exit_code == 1
    assert told["findings"][3] == {
        **{"level": "note", "subject": "a_study_of_a_long_name", "way": MEND},
        "text": "left: \x1b[2Jx\r\nsecond",
    }
    assert told["done"] == list(FOUND.done)


@pytest.mark.parametrize(
    ("found", "code"), [((ok("a", ""), note("a", "")), 0), ((ok("a", ""), problem("a", "", "")), 1)]
)
def test_only_problems_give_exit_code_1(found, code):
    assert Examined(Path(), found).exit_code == code
