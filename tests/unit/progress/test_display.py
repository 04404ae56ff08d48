import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from hpsearch.base.observer import Progress, RunningTrial
from hpsearch.base.types import BestPoint, TrialId, TrialState
from hpsearch.progress.display import LineProgress, LiveProgress, Pace, Silent, describe, done, progress, render, shown


def snapshot(complete=4, total=39, epoch=5, elapsed=10.0, running=1, best=True, study="lr_sweep") -> Progress:
    trials = tuple(
        RunningTrial(
            TrialId(4, seed), {"optimizer.lr": 0.01}, epoch, 20, {"lr": 0.01, "valid/loss": 1, "valid/acc": 0.9}
        )
        for seed in range(running)
    )
    counts = {TrialState.COMPLETE: complete, TrialState.INFEASIBLE: 1, TrialState.RUNNING: running}
    point = BestPoint(2, {"optimizer.lr": 0.1}, 0.97, 0.004, 3) if best else None
    return Progress(study, total, counts, trials, point, elapsed)


def drawn(progress: Progress, left_sec=None, width=100, rows=10) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    console.print(render(progress, left_sec, width, rows))
    return console.file.getvalue()


class Ticks:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_done_counts_what_the_running_trials_have_trained():
    assert done(snapshot(complete=4, epoch=5, running=2)) == 4 + 1 + 2 * 0.25


def test_pace_knows_nothing_at_first():
    pace = Pace()
    assert pace.left_sec(snapshot(elapsed=0.0)) is None
    assert pace.left_sec(snapshot(complete=5, elapsed=1.0)) is None
    assert pace.left_sec(snapshot(complete=4, elapsed=9.0)) is None


def test_pace_counts_only_what_this_driver_did():
    pace = Pace()
    pace.left_sec(snapshot(complete=20, total=41, running=0, elapsed=0.0))
    assert pace.left_sec(snapshot(complete=30, total=41, running=0, elapsed=10.0)) == pytest.approx(10.0)


def test_pace_is_silent_when_nothing_is_left():
    pace = Pace()
    pace.left_sec(snapshot(complete=20, total=41, running=0, elapsed=0.0))
    assert pace.left_sec(snapshot(complete=40, total=41, running=0, elapsed=10.0)) is None


def test_pace_needs_an_end():
    pace = Pace()
    pace.left_sec(snapshot(total=None, elapsed=0.0))
    assert pace.left_sec(snapshot(complete=9, total=None, elapsed=10.0)) is None


def test_picture_shows_share_counts_trials_and_best():
    text = drawn(snapshot(running=2), left_sec=75)
    assert "5/39 trials" in text
    assert "10 s, about 1 min 15 s left" in text
    assert "4 complete · 1 infeasible · 2 running" in text
    assert "4/1  optimizer.lr=0.01  epoch 5/20  valid/acc 0.900  valid/loss 1.00" in text
    assert "optimizer.lr=0.1  0.970 ± 0.004 (3 trials)" in text


def test_picture_of_a_search_without_an_end():
    assert "5 trials" in drawn(snapshot(total=None))


def test_picture_before_anything_happened():
    assert "0/3 trials" in drawn(Progress("s", 3, {}, (), None, 0.0))


def test_picture_hides_trials_that_do_not_fit():
    text = drawn(snapshot(running=12), rows=4)
    assert text.count("epoch 5/20") == 4
    assert "and 8 more" in text


@pytest.mark.parametrize(("size", "listed"), [((80, 24), 8), ((120, 40), 8), ((80, 9), 4)])
def test_a_display_of_dozens_of_trials_is_short_and_keeps_the_bar_and_the_best(size, listed):
    console = Console(file=io.StringIO(), width=size[0], height=size[1])
    live = SimpleNamespace(console=console, update=console.print)
    LiveProgress(live).update(snapshot(running=39))
    lines = console.file.getvalue().splitlines()
    assert len(lines) == listed + 4 < size[1]
    assert "5/39 trials" in lines[0] and f"and {39 - listed} more" in lines[-2] and "0.970 ± 0.004" in lines[-1]


@pytest.mark.parametrize("width", [40, 62, 80, 200])
def test_picture_fits_its_terminal(width):
    text = drawn(snapshot(study="lr_sweep__data-fashion_mnist__" * 3, running=3), left_sec=5, width=width)
    lines = text.splitlines()
    assert len(lines) == 6
    assert max(map(len, lines)) <= width
    assert "4/0" in text
    assert "5/39 trials" in text


def test_names_are_not_markup():
    params = {"space[model=lenet]": "[bold]x[/bold]"}
    text = drawn(Progress("s", 3, {}, (RunningTrial(TrialId(0, 0), params, 0, None, {}),), None, 0.0))
    assert "space[model=lenet]=[bold]x[/bold]" in text


def test_training_loss_is_shown_where_nothing_is_validated():
    trial = RunningTrial(TrialId(0, 0), {}, 1, 2, {"train/loss": 0.5, "lr": 1.0})
    assert "train/loss 0.500" in drawn(Progress("s", 3, {}, (trial,), None, 0.0))


def test_line_describes_a_study():
    assert describe(snapshot()) == (
        "lr_sweep: 5/39 trials, 4 complete, 1 infeasible, 1 running, best 0.970 ± 0.004 (3 trials) at optimizer.lr=0.1"
    )


def test_line_describes_a_single_trial_by_its_epoch():
    trial = RunningTrial(TrialId(0, 0), {}, 3, 20, {"valid/acc": 0.9})
    single = Progress("single", 1, {TrialState.RUNNING: 1}, (trial,), None, 1.0)
    assert describe(single) == "single: 0/1 trial, epoch 3/20 valid/acc 0.900"


def test_lines_come_at_intervals_and_only_when_something_changed():
    stream, clock = io.StringIO(), Ticks()
    lines = LineProgress(stream, clock)
    for second in range(60):
        clock.now = second / 2
        lines.update(snapshot(complete=min(second, 30), elapsed=clock.now))
    written = stream.getvalue().splitlines()
    assert [line.partition(" trials")[0] for line in written] == [f"lr_sweep: {n}/39" for n in (11, 21, 31)]
    assert written[0].endswith("about 14 s left")


def test_last_line_is_always_written():
    stream, clock = io.StringIO(), Ticks()
    lines = LineProgress(stream, clock)
    lines.update(snapshot(complete=38))
    lines.finish()
    lines.finish()
    assert stream.getvalue().count("39/39 trials") == 1


def test_the_longer_a_study_takes_the_rarer_are_its_lines():
    stream, clock = io.StringIO(), Ticks()
    lines = LineProgress(stream, clock)
    for second in range(4 * 3600):
        clock.now = float(second)
        lines.update(snapshot(complete=second, total=10**6, elapsed=clock.now))
    assert 90 < len(stream.getvalue().splitlines()) < 200


def test_from_python_progress_is_shown_beside_what_a_script_prints(capsys):
    with shown(None) as observer:
        print("mine")
        observer.line("a remark")
        observer.update(snapshot())
    printed = capsys.readouterr()
    assert printed.out == "mine\n" and printed.err.startswith("a remark\nlr_sweep: 5/39 trials")


def test_whoever_brings_an_observer_is_asked_alone(capsys):
    silent = Silent()
    with shown(silent) as observer:
        assert observer is silent
        observer.line("a remark")
        observer.update(snapshot())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_prints_stand_above_a_display_on_the_same_terminal_and_elsewhere_are_left_alone(monkeypatch, is_terminal):
    monkeypatch.setenv("TERM", "xterm-256color")
    screen = Terminal()
    output = screen if is_terminal else io.StringIO()
    monkeypatch.setattr("sys.stdout", output)
    with progress(screen, {}) as observer:
        observer.update(snapshot())
        print("mine")
    assert output.getvalue() == "mine\n" or is_terminal
    assert ("mine" in screen.getvalue()) == is_terminal


def test_remark_is_written_at_once():
    stream = io.StringIO()
    LineProgress(stream, Ticks()).line("trial 3/1 is trained again")
    assert stream.getvalue() == "trial 3/1 is trained again\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_plain_lines_are_written_where_they_are_asked_for(environ, monkeypatch):
    with progress(Terminal(), environ) as observer:
        assert isinstance(observer, LineProgress)


def test_plain_lines_are_written_into_a_file(tmp_path):
    with (tmp_path / "log").open("w") as stream, progress(stream, {}) as observer:
        observer.update(snapshot())
    assert "5/39 trials" in (tmp_path / "log").read_text()


def test_terminal_is_redrawn_and_left_clean_with_remarks_kept(monkeypatch):
    for name in ("NO_COLOR", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    with progress(stream, {}) as observer:
        assert isinstance(observer, LiveProgress)
        observer.line("optimizer.momentum is fixed " + "x" * 150)
        observer.update(snapshot())
    text = stream.getvalue()
    assert "optimizer.momentum is fixed " + "x" * 150 in text
    assert "5/39 trials" in text
    assert text.rstrip("\n").endswith("\x1b[2K")


def test_the_result_stands_below_the_last_snapshot_and_above_what_is_said_of_sending():
    stream = io.StringIO()
    with progress(stream, show=lambda outcome: print(f"result {outcome}", file=stream)) as observer:
        observer.update(snapshot())
        observer.conclude(7)
        observer.line("sending the rest")
    first, *others = stream.getvalue().splitlines()
    assert "5/39 trials" in first and others == ["result 7", "sending the rest"]


def test_the_display_is_gone_when_the_result_is_printed(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with progress(stream, {}, show=lambda outcome: print(f"result {outcome}", file=stream)) as observer:
        observer.update(snapshot())
        observer.conclude(7)
        observer.line("sending the rest")
    before, _, after = stream.getvalue().partition("result 7")
    assert before.endswith("\x1b[2K") and after == "\nsending the rest\n"


def test_error_inside_leaves_the_terminal_usable(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    with pytest.raises(KeyboardInterrupt), progress(stream, {}) as observer:
        observer.update(snapshot())
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()
