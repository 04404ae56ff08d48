"""A study of a stranger's, whose texts are no more than text wherever they are read."""

import csv
import math
import re
import sqlite3

import pytest

from hpsearch.base.types import TrialState
from hpsearch.cli import run
from hpsearch.tracking.mlflow import sync
from hpsearch.tracking.record import Record
from tests.support import fake_study as fake

EVIL = "=1+1 <script>alert(1)</script> [x](javascript:alert(1)) ![](http://a/b.png) \x1b[2J\x1b]0;x\x07\r\u202e"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]")
"""What a terminal would obey."""
MARKUP = re.compile("<script>alert|(?<!\\\\)\\]\\(javascript|!\\[\\]\\(")
"""What a reader of HTML or Markdown would."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder into which a study was copied."""
    monkeypatch.chdir(tmp_path)
    record = Record(tmp_path / "studies" / "theirs")
    fake.open_study(
        record,
        question=EVIL,
        command=EVIL,
        sampler=EVIL,
        space={"optimizer.lr": "choice(0.1, 0.2)", "model.act": "choice(a, b)"},
        git={"branch": EVIL},
    )
    for point in range(3):
        spec = fake.spec(record.folder, point, **{"model.act": f"{EVIL}{point}", "optimizer.lr": 0.1 + point})
        fake.start(record, spec)
        for epoch in range(3):
            fake.report(record, spec, epoch)
        fake.finish(record, spec)
    failed = fake.spec(record.folder, 3, **{"model.act": EVIL, "optimizer.lr": 4.0})
    fake.start(record, failed)
    fake.finish(record, failed, TrialState.FAILED, reason=EVIL, traceback=f"{EVIL}\n```\n{EVIL}")
    best = {"point": 2, "params": {"model.act": f"{EVIL}\nours  complete"}, "mean": 0.9, "sd": math.nan, "n": 1}
    record.study("best", fake.TIME, **best)
    record.study("state", fake.TIME, state="COMPLETE", answer=EVIL)
    record.close()
    return tmp_path


def test_everything_printed_shows_control_characters(folder, capfd):
    assert [run(words) for words in (["list"], ["report", f"theirs{EVIL[1:]}"], ["list", EVIL])] == [0, 2, 2]
    out, err = capfd.readouterr()
    assert not OBEYED.search(out + err), out + err
    assert r"\x1b[2J\x1b]0;x\x07\r\u202e\nours  complete" in out and err.count(r"\x1b[2J") >= 2


def test_what_is_written_for_people_is_text(folder):
    assert [run(["report", "theirs", *option]) for option in ((), ("--tables",), ("--print",))] == [0, 0, 0]
    texts = {
        path.name: path.read_text(encoding="utf-8")
        for path in (folder / "studies" / "theirs").iterdir()
        if path.suffix in (".md", ".tex", ".csv", ".svg", ".html")
    }
    assert {"README.md", "tables.md", "tables.tex", "trials.csv", "report.html", "print.html", "score.svg"} <= set(
        texts
    )
    for name, text in texts.items():
        assert name.endswith((".md", ".tex", ".csv")) or "<script>alert" not in text, name
        assert not name.endswith(".md") or not MARKUP.search(without_blocks(text)), name
        assert name.endswith(".html") or not OBEYED.search(text), name
    cells = [cell for row in csv.reader(texts["trials.csv"].splitlines()) for cell in row]
    assert any(cell.startswith("'=1+1") for cell in cells)
    assert not [cell for cell in cells if cell.startswith(("=", "@", "+"))]


def without_blocks(text):
    """Markdown without its blocks of code, where HTML and links are text."""
    return re.sub(r"(?ms)^(```+)\w*\n.*?^\1$", "", text)


def test_a_note_in_the_tracking_store_is_text(folder):
    file = folder / "mlflow.db"
    sync(folder / "studies" / "theirs", f"sqlite:///{file}", str(folder / "mlartifacts"))
    notes = [
        value
        for (value,) in sqlite3.connect(file).execute(
            "SELECT value FROM tags WHERE key = 'mlflow.note.content' UNION "
            "SELECT value FROM experiment_tags WHERE key = 'mlflow.note.content'"
        )
    ]
    assert notes and all("&lt;script&gt;" in note and not MARKUP.search(note) for note in notes)
