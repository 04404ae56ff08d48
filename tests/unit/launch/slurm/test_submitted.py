"""How jobs stand, as Slurm says it."""

import os
from types import SimpleNamespace

import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.launch.slurm.agent import Call
from hpsearch.launch.slurm.submitted import UNKNOWN, Needs, Standing, Submitter


@pytest.fixture
def submitter(tmp_path, monkeypatch):
    """A submitter of three jobs, beside stand-ins for Slurm's commands."""
    pytest.importorskip("submitit")
    for name in ("sbatch", "srun", "squeue"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    made = Submitter("slurm", tmp_path / "jobs", Needs(1, 0, 60, 90))
    made._jobs = {number: SimpleNamespace(job_id=str(100 + number)) for number in range(3)}
    return made


def says(folder, text, code=0, error=""):
    (folder / "squeue").write_text(
        f"#!/bin/sh\necho \"$@\" >> {folder}/asked\ncat <<'END'\n{text}END\necho '{error}' >&2\nexit {code}\n"
    )


def test_what_sbatch_says_is_one_line_of_ours_alone(submitter, tmp_path, capfd):
    said = "sbatch: error: DNS SRV lookup failed\nsbatch: fatal: Could not establish a configuration source"
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    line = "launcher=slurm: Slurm takes no job: Could not establish a configuration source"
    with pytest.raises(ConfigError, match=f"^{line}$"):
        submitter.submit(Call(str(tmp_path), "127.0.0.1", 1, 0, str(tmp_path)))
    assert capfd.readouterr().err == ""


def test_all_jobs_are_asked_for_at_once(submitter, tmp_path):
    says(tmp_path, "100 RUNNING None\n101 PENDING Resources\n")
    assert submitter.standings([0, 1, 2]) == {
        0: Standing("RUNNING"),
        1: Standing("PENDING", "Resources"),
        2: Standing(UNKNOWN, over=True),
    }
    assert (tmp_path / "asked").read_text().count("--jobs=100,101,102") == 1


@pytest.mark.parametrize("state", ["CANCELLED", "TIMEOUT", "PREEMPTED", "OUT_OF_MEMORY", "NODE_FAIL", "FAILED"])
def test_a_job_that_has_ended_is_over(submitter, tmp_path, state):
    says(tmp_path, f"100 {state} NonZeroExitCode\n")
    assert submitter.standing(0) == Standing(state, "NonZeroExitCode", over=True)


@pytest.mark.parametrize(
    ("code", "error", "over"),
    [(1, "slurm_load_jobs error: Invalid job id specified", True), (1, "Unable to contact slurm controller", False)],
)
def test_one_that_slurm_has_forgotten_is_over_and_one_that_it_cannot_be_asked_for_is_not(
    submitter, tmp_path, code, error, over
):
    says(tmp_path, "", code, error)
    assert submitter.standing(0).over == over


def test_what_a_job_asks_for_reaches_sbatch(submitter, tmp_path):
    needs = Needs(4, 2, 240, 90, partition="gpu", memory_gib=1.5, sbatch={"account": "vision", "qos": "high"})
    made = Submitter("slurm", tmp_path / "jobs", needs)
    text = made._executor._make_submission_file_text("python", "1")
    for option in (
        *("partition=gpu", "time=240", "cpus-per-task=4", "gpus-per-node=2", "mem=1536M", "account=vision", "qos=high"),
        *("signal=USR2@90", "no-requeue"),
    ):
        assert f"#SBATCH --{option}\n" in text
