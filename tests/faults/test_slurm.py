"""Jobs that end: with notice, without, before they begin, in a folder that is not shared, with another version."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hpsearch import load_trials, run_study
from hpsearch.base.errors import ConfigError, MachineError
from hpsearch.base.types import TrialState
from hpsearch.launch.base import Died, Ended, Reported
from hpsearch.launch.slurm import launcher as slurm
from hpsearch.launch.slurm.launcher import SlurmLauncher
from hpsearch.launch.versions import Facts, facts
from tests.faults.test_launcher import events_until, spec, wait_until
from tests.support import trial_functions, waiting

pytestmark = [pytest.mark.fault, pytest.mark.slurm]
EXECUTOR = "slurm" if os.environ.get("HPSEARCH_SLURM") else "local"
JOB = "Slurm job" if EXECUTOR == "slurm" else "local job"
LONG = {"epochs": 100_000, "epoch_sec": 0.01}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def launcher(folder):
    launcher = SlurmLauncher(workers=2, executor=EXECUTOR)
    launcher.start(trial_functions.by_name)
    yield launcher
    launcher.stop(now=True)


def submit(launcher, point, **config):
    """Start a trial in the first slot that is up."""
    assert waiting.events_until(launcher, lambda events: events or launcher.free()) == []
    launcher.submit(launcher.free()[0], (spec(point, **config),))


def signal_job(launcher, job: int, number: signal.Signals) -> None:
    """Signal what runs in a job, as Slurm does."""
    submitted = launcher._submitter._jobs[job]
    if EXECUTOR == "slurm":
        subprocess.run(["scancel", f"--signal={number.name}", submitted.job_id], check=True)
        return
    children = Path(f"/proc/{submitted.job_id}/task/{submitted.job_id}/children").read_text().split()
    for child in children:
        os.kill(int(child), number)


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_job_with_notice_lets_its_trial_go_and_another_takes_its_place(launcher, number):
    submit(launcher, 1, **LONG)
    events_until(launcher, Reported)
    (slot,) = [slot.index for slot in launcher._slots if slot.tasks]
    signal_job(launcher, slurm._job(launcher._slots[slot]).number, number)
    (ended,) = [event for event in events_until(launcher, Ended) if isinstance(event, Ended)]
    assert (ended.result.state, ended.result.reason) == (TrialState.WAITING, "its job ends")
    wait_until(lambda: launcher.poll(0.1) is not None and len(launcher._every) == 3 and len(launcher.free()) == 2, 60)
    launcher.submit(slot, (spec(1),))
    assert next(e for e in events_until(launcher, Ended) if isinstance(e, Ended)).result.state is TrialState.COMPLETE


def test_a_trial_that_the_driver_told_to_pause_is_not_told_to_go_on_by_the_notice(launcher):
    submit(launcher, 1, **LONG)
    events_until(launcher, Reported)
    (slot,) = [slot for slot in launcher._slots if slot.tasks]
    launcher.decide(slot.trials[0], trial_functions.Decision.PAUSE)
    slot.worker.hear(slurm.NOTICE)
    (ended,) = [event for event in events_until(launcher, Ended) if isinstance(event, Ended)]
    assert ended.result.state is TrialState.PAUSED


def test_a_job_that_is_killed_loses_its_trial_and_another_takes_its_place(launcher):
    submit(launcher, 1, **LONG)
    started = next(event for event in events_until(launcher, Reported) if isinstance(event, Reported))
    os.kill(psutil.Process(started.message.facts["pid"]).ppid(), signal.SIGKILL)  # as where a machine is lost
    events = events_until(launcher, Died)
    (died,) = [event for event in events if isinstance(event, Died)]
    assert died.trials == (spec(1).id,) and died.killed is None
    assert f"was lost with {JOB} " in died.detail
    wait_until(lambda: launcher.poll(0.1) is not None and len(launcher.free()) == 2, 60)


def test_jobs_that_wait_are_waited_for_while_others_train(folder, monkeypatch):
    launcher = SlurmLauncher(workers=2, executor=EXECUTOR)
    real, held = SlurmLauncher._submitted, []

    def second_waits(self):
        if not self._every:
            return real(self)
        held.append(slurm.Job(1, "Slurm job that waits", self._how_it_ended))
        self._every[1] = held[0]
        return held[0]

    monkeypatch.setattr(SlurmLauncher, "_submitted", second_waits)
    monkeypatch.setattr(launcher, "_look_after_jobs", lambda: None)
    launcher.start(trial_functions.by_name)
    try:
        submit(launcher, 1)
        assert launcher.free() in ((), (0,))
        events_until(launcher, Ended)
        assert launcher.free() == (0,)
    finally:
        launcher.stop()


def test_a_folder_that_is_not_shared_is_said_in_a_line_before_anything_begins(folder, monkeypatch):
    monkeypatch.setattr(slurm, "write_token", lambda path: bytes(32))
    launcher = SlurmLauncher(workers=1, executor=EXECUTOR)
    launcher.start(trial_functions.by_name)
    with pytest.raises(MachineError, match=rf"^{JOB} \d+ could not begin: \S+ does not share the driver's folder \S+ "):
        launcher.call(trial_functions.add, 1, 2)
    launcher.stop(now=True)
    assert list(folder.iterdir()) == []


def test_a_machine_with_another_version_is_refused_in_a_line(folder, monkeypatch):
    ours = facts("driver")
    monkeypatch.setattr(slurm, "facts", lambda node: Facts(node, {**ours.versions, "torch": "1.0"}))
    launcher = SlurmLauncher(workers=1, executor=EXECUTOR)
    launcher.start(trial_functions.by_name)
    with pytest.raises(MachineError, match=r"has torch \S+ \(here 1\.0\): use the same env"):
        launcher.call(trial_functions.add, 1, 2)
    launcher.stop(now=True)


@pytest.mark.skipif(EXECUTOR == "slurm", reason="a Slurm without GPUs")
@pytest.mark.parametrize(("share", "jobs", "seen"), [(0.5, 2, "0"), (2, 4, "0,1"), (None, 4, "")])
def test_a_job_has_as_many_workers_as_share_its_gpu(share, jobs, seen):
    launcher = SlurmLauncher(workers=4, gpus_per_trial=share, executor="local")
    launcher.start(trial_functions.by_name)
    assert launcher.call(trial_functions.environment, "CUDA_VISIBLE_DEVICES") == seen
    assert len(launcher._every) == jobs
    launcher.stop(now=True)


def test_ctrl_c_pauses_what_jobs_train_and_the_same_command_goes_on(folder):
    words = [*WORDS, "study.name=stopped", "trainer.epochs=20", "study.seeds=1", "sampler.points=3"]
    driver = subprocess.Popen(
        [sys.executable, "-m", "hpsearch", *words], stderr=subprocess.PIPE, start_new_session=True
    )
    wait_until(lambda: any(f.stat().st_size > 2000 for f in Path("studies").glob("stopped/events/[0-9]*.jsonl")), 120)
    os.killpg(driver.pid, signal.SIGINT)  # as a terminal does: to whatever runs in front
    _, said = driver.communicate(timeout=120)
    assert driver.returncode == 130 and b"Traceback" not in said and b"failed" not in said, said
    assert run_study(words).exit_code == 0
    assert set(load_trials("stopped")["attempts"]) <= {1, 2}


def test_without_submitit_a_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    launcher = SlurmLauncher(workers=1, executor="local")
    with pytest.raises(ConfigError, match=r"^launcher = slurm: needs submitit, .*pip install 'hpsearch\[slurm\]'$"):
        launcher.start(trial_functions.by_name)
    assert list(folder.iterdir()) == []


def test_without_slurm_a_line_says_so(folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match=r"^launcher=slurm: sbatch is not on the PATH"):
        SlurmLauncher(workers=1).start(trial_functions.by_name)


@pytest.mark.skipif(EXECUTOR != "slurm", reason="needs a Slurm that runs here: HPSEARCH_SLURM=1")
@pytest.mark.parametrize(
    ("option", "line"),
    [
        ({"partition": "nope"}, "Batch job submission failed: Invalid partition name specified"),
        ({"sbatch": {"nonsense": 3}}, "unrecognized option '--nonsense=3'"),
    ],
)
def test_what_slurm_refuses_is_said_in_a_line(folder, option, line):
    with pytest.raises(ConfigError, match=f"^launcher=slurm: Slurm takes no job: .*{re.escape(line)}"):
        SlurmLauncher(workers=1, **option).start(trial_functions.by_name)
    assert list(folder.iterdir()) == []


WORDS = ["+study=lr_sweep", "launcher=slurm", f"launcher.executor={EXECUTOR}", "launcher.workers=2", "tracker=none"]


def test_a_study_by_jobs_is_the_study_by_processes(folder):
    quick = ["trainer.epochs=1", "study.seeds=1", "launcher.fuse=off", "launcher.lockstep=true", "sampler.points=3"]
    assert run_study([*WORDS, *quick, "study.name=jobs"]).exit_code == 0
    local = ["launcher=processes", "launcher.workers=2", "+study=lr_sweep", "tracker=none"]
    assert run_study([*local, *quick, "study.name=processes"]).exit_code == 0
    tables = (load_trials(name).set_index("optimizer.lr")["score"].sort_index() for name in ("jobs", "processes"))
    ours, theirs = tables
    assert ours.equals(theirs) and len(ours) == 3
    assert [path.name for path in (folder / "studies").iterdir() if path.name.startswith("hpsearch-")] == []


def test_a_driver_that_is_killed_takes_its_workers_along_and_the_next_one_goes_on(folder):
    words = [*WORDS, "study.name=killed", "trainer.epochs=3", "study.seeds=2"]
    driver = subprocess.Popen([sys.executable, "-m", "hpsearch", *words], stdout=subprocess.DEVNULL)
    wait_until(lambda: any(b'"kind": "report"' in f.read_bytes() or f.stat().st_size > 2000 for f in events()), 120)
    driver.kill()
    driver.wait()
    wait_until(lambda: not any(b"submitit" in command and b"_submit" in command for command in commands(folder)), 60)
    outcome = run_study(words)
    assert outcome.exit_code == 0
    trials = load_trials("killed")
    assert not trials.duplicated(["point", "seed"]).any() and set(trials["state"]) <= {"COMPLETE", "INFEASIBLE"}


def events():
    return [path for path in Path("studies").glob("killed/events/*.jsonl") if path.stem != "study"]


def commands(folder):
    """Return the command lines of processes that name a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if str(folder).encode() in line:
            found.append(line)
    return found


@pytest.mark.skipif(EXECUTOR != "slurm", reason="needs a Slurm that runs here: HPSEARCH_SLURM=1")
def test_a_driver_job_that_is_told_pauses_goes_back_into_the_queue_and_goes_on(folder):
    script = Path(__file__).parents[2] / ".deploy" / "slurm.sh"
    shutil.copy(script, folder)
    environment = os.environ | {"PYTHON": sys.executable}
    words = ["+study=lr_sweep", "tracker=none", "study.name=queued", "trainer.epochs=40", "launcher.workers=1"]
    said = subprocess.check_output(
        ["sbatch", "--mem=0", "--output=driver.log", "slurm.sh", *words], env=environment, text=True
    )
    job = said.split()[-1]
    wait_until(lambda: any(f.stat().st_size > 2000 for f in Path("studies").glob("queued/events/[0-9]*.jsonl")), 120)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], check=True)
    show = ["scontrol", "show", "job", job]
    wait_until(lambda: "Restarts=1" in subprocess.check_output(show, text=True), 120)
    wait_until(lambda: "JobState=COMPLETED" in subprocess.check_output(show, text=True), 280)
    trials = load_trials("queued")
    assert not trials.duplicated(["point", "seed"]).any() and set(trials["state"]) <= {"COMPLETE", "INFEASIBLE"}


@pytest.mark.skipif(EXECUTOR != "slurm", reason="needs a Slurm that runs here: HPSEARCH_SLURM=1")
def test_a_job_that_is_cancelled_pauses_what_its_own_workers_train(folder):
    """Slurm tells every process of the job to end, workers too."""
    shutil.copy(Path(__file__).parents[2] / ".deploy" / "slurm.sh", folder)
    words = ["+study=lr_sweep", "tracker=none", "study.name=cancelled", "trainer.epochs=400", "launcher.fuse=off"]
    said = subprocess.check_output(
        ["sbatch", "--mem=0", "--output=driver.log", "slurm.sh", *words, "launcher.workers=2"],
        **{"env": os.environ | {"PYTHON": sys.executable}, "text": True},
    )
    begun = Path("studies/cancelled/events")
    wait_until(lambda: sum(file.stat().st_size > 5000 for file in begun.glob("[0-9]*.jsonl")) == 2, 120)
    subprocess.run(["scancel", said.split()[-1]], check=True)
    wait_until(lambda: not subprocess.check_output(["squeue", "--noheader"]), 60)
    assert "interrupted: running trials pause" in Path("driver.log").read_text()
    assert not any(b'"state":"WAITING"' in file.read_bytes() for file in begun.iterdir())
