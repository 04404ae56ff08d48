"""The screen of somebody who looks on, at every width, and its lines in a pipe."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hpsearch.base.failures import Failure
from hpsearch.base.observer import Driver, Progress, RunningTrial, StudyStatus
from hpsearch.base.types import BestPoint, TrialId, TrialState
from hpsearch.progress.status import change, lines, screen

NOW = 1_790_000_000.0
COUNTS = {TrialState.COMPLETE: 10, TrialState.FAILED: 3, TrialState.RUNNING: 2, TrialState.WAITING: 1}
PARAMS = {"optimizer.lr": 0.0215, "model": "mlp"}
TRIAL = RunningTrial(TrialId(12, 0), PARAMS, 3, 16, {"valid/acc": 0.9712}, 1, "far.net", 2, 9)
STATUS = StudyStatus(
    Path("/home/ann/studies/lr_sweep"),
    Progress(
        *("lr_sweep", 45, COUNTS),
        (TRIAL, replace(TRIAL, id=TrialId(13, 1), node="h", attempt=1, heard_sec=300.0)),
        BestPoint(7, {"optimizer.lr": 0.1, "model": "lenet"}, 0.975, 0.002, 3, "valid/acc"),
        *(80.0, "valid/acc"),
    ),
    "RUNNING",
    driver=Driver("h", 4242, True),
    heard_sec=1.0,
    left_sec=200.0,
    failures=(Failure("4/0", "ValueError: \x1b[2J\nx" + " x" * 150, "", trials=3),),
    retried=((TrialId(9, 0), "its worker died"),),
    unsent=7,
)  # fmt: skip


def drawn(status, width, rows=8):
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False)
    console.print(screen(status, width, rows, NOW))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_at_80_columns():
    rows = drawn(STATUS, 80)
    assert max(map(len, rows)) <= 80
    assert rows[0].startswith("lr_sweep  ━") and rows[0].endswith("13/45 trials  3 min 20 s left")
    assert rows[1:5] == [
        "  10 complete · 3 failed · 1 waiting · 2 running",
        "  12/0  optim…  epoch 3/16  valid/acc 0.971  worker 1 on far, attempt 2  9 s ago",
        "  13/1  optim…  epoch 3/16  valid/acc 0.971  worker 1  5 min ago",
        "  best  optimizer.lr=0.1 model=lenet  valid/acc 0.975 ± 0.002 (3 trials)",
    ]
    assert rows[5] == "  state   running: process 4242 on this machine"
    assert rows[6].startswith("  ends    about ") and rows[6].endswith(", in 3 min 20 s")
    assert rows[7] == "  queue   1 waiting, 29 not begun"
    assert rows[8].startswith(r"  failed  3 trials (4/0): ValueError: \x1b[2J\nx x x") and rows[10].endswith("…")
    assert rows[11:] == [
        "  again   9/0 is tried again: its worker died",
        "  unsent  7 event files not in the tracking store yet",
    ]


def test_at_40_columns_what_matters_is_still_there():
    rows = drawn(STATUS, 40)
    assert max(map(len, rows)) <= 40
    assert rows[3].startswith("  12/0  lr=0") and rows[3].endswith("3/16  w1  9 s ago")
    assert rows[5].startswith("  best  lr=0.1 model=lenet  valid/acc 0")
    assert rows[6:8] == ["  state   running: process 4242 on this", "          machine"]


def test_more_trials_than_rows_are_counted():
    assert "  and 1 more" in drawn(STATUS, 80, rows=1)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"driver": Driver("far", 7, None, False)}, "running: process 7 on far, last sign of life 1 s ago"),
        (
            {"driver": Driver("far", 7, None, False), "heard_sec": 9_960.0},
            "running: process 7 on far, last sign of life 2 h 46 min ago: it may be gone",
        ),
        ({"state": "TURNS"}, "trials are asked for and told from outside"),
        ({"state": "INTERRUPTED", "heard_sec": 61.0}, "interrupted 1 min 1 s ago"),
        ({"state": "COMPLETE", "why": "all done"}, "complete 1 s ago: all done"),
        ({"state": "DAMAGED", "heard_sec": None}, "damaged"),
    ],
)
def test_how_sure_it_is_that_somebody_works_on_it(changed, said):
    assert f"  state   {said}" in list(lines(replace(STATUS, **changed), NOW))


def test_a_pipe_gets_it_whole():
    said, trained = list(lines(STATUS, NOW)), "optimizer.lr=0.0215 model=mlp  epoch 3/16  valid/acc 0.971"
    assert said[:4] == [
        "lr_sweep  13/45 trials  1 min 20 s",
        "  trials  10 complete, 3 failed, 1 waiting, 2 running",
        f"  running 12/0  {trained}  worker 1 on far, attempt 2  9 s ago",
        f"  running 13/1  {trained}  worker 1  5 min ago",
    ]
    assert any(line.endswith(" x" * 150) and "\x1b" not in line for line in said)


def test_trials_that_were_cut_off_are_said_with_the_way_on():
    said = list(lines(replace(STATUS, state="INTERRUPTED", cut_off=(TrialId(1, 0), TrialId(2, 0))), NOW))
    assert "  cut off 1/0 and 2/0: the same command goes on with them" in said
    assert not any(line.startswith("  queue") for line in said)


def test_a_recipe_counts_stages_and_says_what_is_to_come_first():
    stages = {"look": "pass", "lr_find": "warn", "coarse": "", "fine": ""}
    recipe = replace(STATUS, stages=stages, progress=Progress("r", None, {}, (), None, 80.0), failures=())
    assert drawn(recipe, 100)[0] == "r  2/4 stages  1 min 20 s"
    told = "  stages  to come: coarse, fine; lr_find passed with a warning; 1 passed"
    assert told in list(lines(recipe, NOW)) and told in drawn(recipe, 100)
    assert change(recipe) == "r: 2/4 stages, running: process 4242 on this machine"


def test_a_line_is_for_what_has_changed_and_not_for_time():
    later = replace(STATUS, heard_sec=9.0, left_sec=1.0, progress=replace(STATUS.progress, elapsed_sec=99.0))
    assert change(STATUS) == change(later)
    more = replace(STATUS.progress, counts={TrialState.COMPLETE: 11})
    assert change(replace(STATUS, progress=more)) != change(STATUS) != change(replace(STATUS, state="PAUSED"))
