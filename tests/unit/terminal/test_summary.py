import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hpsearch.base.failures import Failure
from hpsearch.base.observer import StudySummary
from hpsearch.base.types import BestPoint, Report, TrialState
from hpsearch.reports.curvature.numbers import judge
from hpsearch.reports.summary.parts import Parts
from hpsearch.study.curvature import CurvatureOutcome
from hpsearch.study.outcome import StudyOutcome
from hpsearch.study.recipe import RecipeOutcome
from hpsearch.study.single import ReplayOutcome, TrialOutcome
from hpsearch.study.stages.base import Finding, Verdict
from hpsearch.terminal.curvature import show_curvature
from hpsearch.terminal.summary import show_recipe, show_replay, show_studies, show_study, show_trial

REPLAY = "python -m hpsearch data=digits model=mlp 'model.hidden=[64]' optimizer.lr=0.1 " + " ".join(
    f"key{i}=value{i}" for i in range(30)
)
COMMAND = "python -m hpsearch +study=lr_sweep 'space.optimizer.lr=tag(log, interval(1e-3, 1))'"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def colourful(monkeypatch):
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")


def study_outcome(**changes) -> StudyOutcome:
    fields = {
        "name": "lr_sweep",
        "folder": Path.cwd() / "studies" / "lr_sweep",
        "counts": {TrialState.COMPLETE: 33, TrialState.INFEASIBLE: 6},
        "best": BestPoint(8, {"optimizer.lr": 0.1}, 0.9722, 0.0041, 3),
        "answer": "The best of 13 learning rates is 0.1.",
        "trains": "optimizer.lr 0.00316 to 1",
        "replay_command": REPLAY,
        "check_command": "python -m hpsearch replay lr_sweep/8/1 --check",
        "report": Path.cwd() / "studies" / "lr_sweep" / "report.html",
        "ui_command": "python -m hpsearch ui",
        "elapsed_sec": 13.4,
        "ended": "all 13 cells of the grid are done",
        "interrupted": False,
        "already_complete": False,
        "notes": (),
    }
    return StudyOutcome(**(fields | changes))


def shown(show, *args, terminal=False) -> str:
    stream = Terminal() if terminal else io.StringIO()
    show(*args, stream)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", stream.getvalue())


def test_study_in_plain_lines():
    assert shown(show_study, study_outcome(), COMMAND).splitlines() == [
        "",
        "lr_sweep  complete, 13 s",
        "The best of 13 learning rates is 0.1.",
        "best      optimizer.lr=0.1  0.972 ± 0.004 (3 trials)",
        "trains    optimizer.lr 0.00316 to 1",
        "trials    33 complete, 6 infeasible; all 13 cells of the grid are done",
        "report    studies/lr_sweep/report.html",
        "",
        "train the best trial again",
        f"  {REPLAY}",
        "train it from the record and compare the curves",
        "  python -m hpsearch replay lr_sweep/8/1 --check",
        "look at every trial in MLflow",
        "  python -m hpsearch ui",
    ]


def test_the_clauses_of_the_answer_stand_in_rows():
    told = Parts(
        "A rate of 0.1 is best: 0.97 (n = 3)", "0.2 may be as good", "every seed trains from 0.1 to 1", "More."
    )
    lines = shown(show_study, study_outcome(told=told), COMMAND).splitlines()
    assert lines[2:5] == [
        "A rate of 0.1 is best: 0.97 (n = 3). More.",
        "best      optimizer.lr=0.1  0.972 ± 0.004 (3 trials); 0.2 may be as good",
        "trains    every seed trains from 0.1 to 1",
    ]
    assert len(lines) == 14
    assert "others    0.2 may be as good" in shown(show_study, study_outcome(told=told, best=None), COMMAND)


def test_study_on_a_terminal_says_the_same_with_the_answer_in_a_box(colourful):
    text = shown(show_study, study_outcome(), COMMAND, terminal=True)
    assert "╭─ lr_sweep  complete, 13 s ─" in text
    assert "│ The best of 13 learning rates is 0.1. " in text
    assert f"\n  {REPLAY}\n" in text
    assert "\nbest      optimizer.lr=0.1  0.972 ± 0.004 (3 trials)\n" in text


def test_interrupted_study_says_how_to_go_on():
    outcome = study_outcome(interrupted=True, report=None, best=None, replay_command=None, check_command=None)
    text = shown(show_study, outcome, COMMAND)
    assert "interrupted after 13 s" in text
    assert f"go on where it stopped\n  {COMMAND}\n" in text
    assert "report" not in text


def test_study_that_was_complete_says_so():
    text = shown(show_study, study_outcome(already_complete=True), COMMAND)
    assert "complete before, nothing to train (study.restart=true starts again)" in text
    assert "13 s" not in text


def test_notes_and_failures_are_shown():
    counts = {TrialState.COMPLETE: 1, TrialState.FAILED: 2}
    text = shown(show_study, study_outcome(counts=counts, notes=("`hpsearch sync` sends the rest",)), COMMAND)
    assert "trials    1 complete, 2 failed" in text
    assert "note      `hpsearch sync` sends the rest" in text


def trial_outcome(**changes) -> TrialOutcome:
    fields = {
        "run": "single/3/0",
        "state": TrialState.COMPLETE,
        "reason": "",
        "metrics": {"lr": 0.05, "valid/acc": 0.97, "train/loss": 0.1},
        "epochs": 20,
        "folder": Path.cwd() / "studies/single/trials/3-0-0",
        "replay_command": REPLAY,
        "check_command": "python -m hpsearch replay single/3/0 --check",
        "ui_command": None,
        "elapsed_sec": 3.21,
        "notes": (),
    }
    return TrialOutcome(**(fields | changes))


def test_trial_shows_its_last_metrics():
    text = shown(show_trial, trial_outcome(), COMMAND)
    assert "single/3/0  complete, 20 epochs, 3.2 s\n" in text
    assert re.findall(r"^  (\S+) +(\d\S+)$", text, re.MULTILINE) == [
        ("train/loss", "0.100"),
        ("valid/acc", "0.970"),
        ("lr", "0.0500"),
    ]
    assert "  python -m hpsearch replay single/3/0 --check\n" in text


def test_a_metric_of_a_long_name_stands_apart_from_its_value():
    text = shown(show_trial, trial_outcome(metrics={"valid/precision_binary": 1.0, "lr": 0.05}), COMMAND)
    assert "  valid/precision_binary 1.00\n" in text
    assert "  lr                     0.0500\n" in text


def test_trial_says_which_weights_its_metrics_are_of():
    text = shown(show_trial, trial_outcome(weights="averaged (EMA of 1 epoch)"), COMMAND)
    assert "weights   averaged (EMA of 1 epoch); train/ is of those that are trained\n" in text
    assert "weights" not in shown(show_trial, trial_outcome(), COMMAND)


def test_diverged_trial_says_why():
    text = shown(show_trial, trial_outcome(state=TrialState.INFEASIBLE, reason="loss inf at step 12"), COMMAND)
    assert "infeasible" in text
    assert "reason    loss inf at step 12" in text


TRACE = """Traceback (most recent call last):
  File "/a/train.py", line 3, in train
    1 / 0
ZeroDivisionError: no
"""


def test_what_failed_most_is_shown_with_the_lines_that_led_to_it_and_its_log():
    first = Failure("2/0", "ZeroDivisionError: no", TRACE, Path.cwd() / "studies" / "s" / "log.txt", 3)
    lines = shown(show_study, study_outcome(failures=(first, Failure("1/0", "no", ""))), "x").splitlines()
    place = lines.index("failed    3 trials, first 2/0: ZeroDivisionError: no")
    assert lines[place + 1 : place + 4] == [
        "          train.py, line 3, in train: 1 / 0",
        "log       studies/s/log.txt",
        "          and 1 other kind of failure, which the report shows",
    ]
    single = Failure("2/0", "its worker died", "out of\nluck")
    assert "\n          out of\n          luck\n" in shown(show_trial, trial_outcome(failure=single), "x")


def test_paused_trial_says_how_to_go_on():
    text = shown(show_trial, trial_outcome(state=TrialState.PAUSED, reason="interrupted"), COMMAND)
    assert f"go on where it stopped\n  {COMMAND}\n" in text


def replay_outcome(differences=(), largest=0.0) -> ReplayOutcome:
    curve = (Report(0, 0, {}), Report(1, 10, {}))
    return ReplayOutcome(
        "lr_sweep/8/1", curve, curve, TrialState.COMPLETE, TrialState.COMPLETE, "", differences, largest
    )


def test_replay_that_is_the_same():
    assert "the same curve, bit for bit (2 reports)" in shown(show_replay, replay_outcome())


def test_replay_says_what_changed_of_code_and_data_alike():
    outcome = replace(replay_outcome(), changed="the data changed since the trial was trained (rows 9 -> 10)")
    assert "changed   the data changed since" in shown(show_replay, outcome)


def test_replay_that_differs_shows_the_first_differences():
    differences = tuple(f"epoch {epoch}: valid/acc logged 0.5, now 0.6" for epoch in range(14))
    text = shown(show_replay, replay_outcome(differences, 0.1))
    assert "the curve differs" in text
    assert text.count("valid/acc logged") == 10
    assert "and 4 more" in text
    assert "largest   0.1" in text


def test_studies_are_listed_in_columns_that_are_never_cut():
    best = BestPoint(2, {"optimizer.lr": 0.1}, 0.97, 0.004, 3)
    rows = [
        StudySummary("s" * 70, Path(), "", "COMPLETE", {TrialState.COMPLETE: 39}, best, 0.0, 880.0),
        StudySummary("lr_sweep", Path(), "", "PAUSED", {TrialState.COMPLETE: 3}, None, 0.0, 995.0),
        StudySummary("single", Path(), "", "COMPLETE", {}, None, 0.0, 0.0, {"1/0": "single/0/0", "2/0": "a/7/0"}),
    ]
    header, first, second, third = shown(show_studies, rows, 1000.0).splitlines()
    assert header.split() == ["study", "state", "trials", "best", "changed"]
    best_text = "0.970 ± 0.004 (3 trials) at optimizer.lr=0.1"
    assert first.split("   ") == ["s" * 70, "complete", "39 complete", best_text, "2 min ago"]
    assert "2/0 goes on from a/7/0, 1 more from others" in third
    assert second.index("5 s ago") == first.index("2 min ago") == header.index("changed")


@pytest.mark.parametrize(("rivals", "said"), [(2, "; 2 others may be as good"), (1, "; 1 other may be as good")])
def test_the_best_is_never_named_without_those_that_may_be_as_good(rivals, said):
    best = BestPoint(2, {"optimizer.lr": 0.1}, 0.97, 0.004, 3)
    row = StudySummary("s", Path(), "", "COMPLETE", {}, best, 0.0, 0.0, as_good=rivals)
    assert f"at optimizer.lr=0.1{said}" in shown(show_studies, [row], 0.0)
    assert f"(3 trials){said}\n" in shown(show_study, study_outcome(as_good=({"optimizer.lr": 0.2},) * rivals), "go on")
    assert "may be as good" not in shown(show_study, study_outcome(as_good=()), "go on")


def test_eigenvalues_are_told_with_three_digits_as_every_number(tmp_path):
    measured = {
        **{"method": "lanczos", "precision": "float64", "products": 4, "parameters": 3, "samples": 5, "loss": 1.0},
        **{"gradient_norm": 0.0, "elsewhere": [], "matrices": [([0.5, 1.0], [0.2, 0.0])] * 2},
        **{"top": [(1234.5678, 0.012)], "bottom": [(-0.123456789, 2e-7)]},
        "line": {"distances": [-1.0, 0.0, 1.0], "losses": [1.0, 1.0, 1.0], "slope": 0.0},
    }
    outcome = CurvatureOutcome("single/0/0", "best.safetensors", 3, 90, judge(measured), (), 1.0, ())
    assert "  1235      0.01        −0.123     2e-07\n" in shown(show_curvature, outcome)


def test_empty_folder_says_how_to_start():
    assert "+study=lr_sweep" in shown(show_studies, [], 0.0)


def test_a_warning_whose_sentence_is_the_answer_still_tells_its_cause(tmp_path):
    finding = Finding(Verdict.WARN, "a is best", cause="no finished trial of b", action="look at its trials")
    outcome = RecipeOutcome(
        name="s", folder=tmp_path, findings={"arms": finding}, failed=None, answer="a is best; look at arms",
        winner=None, replay_command=None, report=None, ui_command=None, elapsed_sec=1.0, notes=(),
    )  # fmt: skip
    stream = io.StringIO()
    show_recipe(outcome, stream)
    assert "warn: no finished trial of b" in " ".join(stream.getvalue().split())


def test_the_best_point_is_told_from_the_others():
    told = Parts("0.123456 is best", setting="optimizer.momentum=0.123456")
    lines = shown(show_study, study_outcome(told=told), COMMAND)
    assert "best      optimizer.momentum=0.123456  " in lines
