"""What programs read of a status, and a line for each change."""

import io
import json
from dataclasses import replace
from pathlib import Path

from hpsearch.base.failures import Failure
from hpsearch.base.observer import Driver, Progress, RunningTrial, StudyStatus
from hpsearch.base.types import BestPoint, TrialId, TrialState
from hpsearch.terminal.status import Changes, plain_status, show_status

ROOT = Path(__file__).parents[3]
RUNNING = RunningTrial(TrialId(3, 0), {"lr": 0.1}, 2, 4, {"acc": float("nan")}, 1, "far", 2, 9.0)
BEST = BestPoint(1, {"lr": 0.2}, 0.9, float("inf"), 2, "acc")
STATUS = StudyStatus(
    Path("/home/ann/studies/s"),
    Progress("s", 9, {TrialState.RUNNING: 1, TrialState.COMPLETE: 2}, (RUNNING,), BEST, 80.0, "acc"),
    "RUNNING",
    driver=Driver("h", 7, None, False),
    heard_sec=1.0,
    left_sec=100.0,
    failures=(Failure("0/0", "no answer of http://al:secret@host", "", trials=2),),
    retried=((TrialId(4, 0), "died"),),
    cut_off=(TrialId(5, 0, 1),),
    unsent=3,
    unreadable=("x is damaged",),
    stages={"look": "pass"},
)


def told(found=(STATUS,), **options):
    stream = io.StringIO()
    show_status(found, 1000.0, stream=stream, **options)
    return stream.getvalue()


def test_programs_read_strict_json_of_these_fields():
    def refuse(name):
        raise AssertionError(f"{name} is no JSON")

    (said,) = json.loads(told(as_json=True), parse_constant=refuse)["studies"]
    assert said == {
        **{"study": "s", "folder": "/home/ann/studies/s", "state": "RUNNING", "why": ""},
        "driver": {"host": "h", "pid": 7, "is_alive": None, "is_here": False},
        **{"heard_sec": 1.0, "elapsed_sec": 80.0, "left_sec": 100.0, "ends": 1100.0},
        **{"total": 9, "counts": {"RUNNING": 1, "COMPLETE": 2}},
        "running": [
            {"id": "3/0", "params": {"lr": 0.1}, "epoch": 2, "epochs": 4, "metrics": {"acc": "nan"}}
            | {"worker": 1, "node": "far", "attempt": 2, "heard_sec": 9.0}
        ],
        "best": {"point": 1, "params": {"lr": 0.2}, "mean": 0.9, "sd": "inf", "n": 2, "metric": "acc"},
        "failed": [{"trials": 2, "first": "0/0", "reason": "no answer of http://al:***@host"}],
        **{"again": [{"id": "4/0", "reason": "died"}], "cut_off": ["5/0/1"]},
        **{"unsent": 3, "unreadable": ["x is damaged"], "stages": {"look": "pass"}},
    }
    page = (ROOT / "hpsearch/pages/running.md").read_text()
    assert not [name for name in said if f"`{name}`" not in page]


def test_people_read_no_secret_either():
    assert "secret" not in told() and "http://al:***@host" in told()


def test_a_line_per_study_and_change():
    stream = io.StringIO()
    changes, other = Changes(stream=stream), replace(STATUS, progress=replace(STATUS.progress, study="t"))
    changes.show([STATUS, other], 1.0)
    changes.show([STATUS, replace(other, heard_sec=7.0)], 2.0)
    changes.show([STATUS, replace(other, state="PAUSED")], 3.0)
    assert [line[:2] for line in stream.getvalue().splitlines()] == ["s:", "t:", "t:"]
    assert stream.getvalue().endswith(", paused, failed: no answer of http://al:***@host\n")


def test_followed_by_a_program_each_line_is_a_status():
    stream = io.StringIO()
    Changes(as_json=True, stream=stream).show([STATUS], 1000.0)
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line) == json.loads(json.dumps(plain_status(STATUS, 1000.0)))
