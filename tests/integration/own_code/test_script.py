"""A script that reports and is run by itself trains as ever, and is tracked as a single trial."""

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import hpsearch
from hpsearch import load_curves, load_trials
from hpsearch.base.errors import ConfigError
from hpsearch.study.single import replay

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(text, *words, code=0):
    Path("train.py").write_text(textwrap.dedent(text))
    Path("plain.py").write_text(PLAIN)
    done = subprocess.run(
        [sys.executable, "plain.py", *words], capture_output=True, text=True, timeout=250, env=environment()
    )
    assert done.returncode == code, done.stderr
    return done


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT)}


PLAIN = """
import sys
import hpsearch.config.compose as composing

original = composing.compose
import hpsearch.study.script as script
script.compose = lambda words: original([*words, "tracker=none"])
sys.argv[0] = "train.py"
exec(compile(open("train.py").read(), "train.py", "exec"))
"""
"""Runs train.py without a tracking store."""

TRAINS = """
import hpsearch

for epoch in range(1, 4):
    decision = hpsearch.report({"valid/acc": epoch / 10, "loss": 1 / epoch}, epoch=epoch, step=5 * epoch)
    assert decision == "continue"
(hpsearch.folder() / "model.txt").write_text("of its own")
print(hpsearch.params(), hpsearch.checkpoint())
"""


def test_it_is_tracked_with_its_curve_its_command_and_a_folder(folder):
    done = run(TRAINS, "--lr", "0.1")
    assert done.stdout == "{} None\n" and done.stderr == ""
    (trial,) = load_trials("single").to_dict("records")
    assert (trial["state"], trial["point"], trial["loss"]) == ("COMPLETE", 0, 1 / 3)
    assert trial["command"] == "python train.py --lr 0.1"
    curve = load_curves("single")
    assert curve[["epoch", "step", "valid/acc"]].values.tolist() == [[1, 5, 0.1], [2, 10, 0.2], [3, 15, 0.3]]
    assert (folder / "studies" / "single" / "trials" / "0-0-0" / "model.txt").read_text() == "of its own"
    with pytest.raises(ConfigError, match=r"is a script that reported by itself; run it again: python train\.py"):
        replay("single/0/0", overrides=["tracker=none"])


def test_run_again_it_is_another_trial_and_one_that_fails_is_on_record():
    run(TRAINS)
    done = run(TRAINS + "\nraise ValueError('at its end')\n", code=1)
    assert done.stderr.endswith("ValueError: at its end\n")
    trials = load_trials("single")
    assert trials["state"].tolist() == ["COMPLETE", "FAILED"]
    assert trials["reason"].tolist()[1] == "ValueError: at its end"


def test_functions_tried_by_hand_are_trials_each():
    run(
        """
        import hpsearch

        def objective(lr):
            for epoch in range(1, 4):
                hpsearch.report({"valid/acc": lr * epoch}, epoch=epoch)

        objective(1.0), objective(2.0)
        """
    )
    assert load_trials("single")["valid/acc"].tolist() == [3.0, 6.0]


def test_one_that_cannot_be_tracked_trains_all_the_same(folder):
    (folder / "studies").write_text("a file in the way")
    done = run(TRAINS)
    assert done.stdout == "{} None\n"
    assert done.stderr.startswith("hpsearch: this run is not tracked: cannot create ")
    assert len(done.stderr.splitlines()) == 1


def test_a_script_that_only_asks_is_no_trial(folder):
    run("import hpsearch\nassert hpsearch.params() == {} and hpsearch.checkpoint() is None\n")
    assert not (folder / "studies").exists()


def test_a_report_of_a_child_process_or_of_another_thread_is_one_clear_error():
    done = run(
        """
        import multiprocessing, threading
        import hpsearch

        def report():
            try:
                hpsearch.report({"valid/acc": 0.5})
            except Exception as error:
                print(error, flush=True)

        if __name__ == "__main__":
            thread = threading.Thread(target=report, name="loader")
            thread.start(), thread.join()
            process = multiprocessing.get_context("fork").Process(target=report)
            process.start(), process.join()
        """
    )
    assert [line.partition(", where no trial runs")[0] for line in done.stdout.splitlines()] == [
        "hpsearch.report was called in thread 'loader'",
        "hpsearch.report was called in a child process",
    ]


def test_a_thread_that_a_trial_left_cannot_report_for_another(folder):
    raised, threads, gone = [], [], threading.Event()

    def late():
        gone.wait(60)
        try:
            hpsearch.report({"valid/acc": 0.5})
        except Exception as error:
            raised.append(str(error))

    def leaves(lr):
        threads.append(threading.Thread(target=late, name="left"))
        threads[0].start()
        return lr

    words = ["launcher=inline"]
    hpsearch.run_search(leaves, space={"lr": [1]}, sampler="grid", tracker="none", overrides=words)
    gone.set()
    threads[0].join()
    assert len(raised) == 1 and raised[0].startswith("hpsearch.report was called in thread 'left', where no trial runs")
    assert not (folder / "studies" / "single").exists()
