"""What `scaling.md` says to type is composed, and the files under `.deploy` that a team copies.

`test_scaling_page.py` runs it.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from hpsearch import load_trials, run_study
from hpsearch.config.compose import compose
from tests.support.page_commands import blocks, lines
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / ".deploy"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def words_of(line: str) -> list[str]:
    """Return the words after ``python -m hpsearch``, of a study."""
    words = shlex.split(line, comments=True)
    return words[words.index("hpsearch") + 1 :]


STUDIES = [line for section in blocks() for line in lines(section) if "+study=" in line and " -m hpsearch " in line]


@pytest.mark.parametrize("line", STUDIES)
def test_a_study_of_the_page_is_composed_and_is_the_study_without_its_place(line):
    shutil.copytree(DEPLOY / "conf", "my_conf")
    words = words_of(line)
    dirs = [words.pop(words.index("--config-dir") + 1)] if "--config-dir" in words else []
    composition = compose([word for word in words if word != "--config-dir"], config_dirs=dirs)
    assert composition.study_name == "lr_sweep"


@pytest.mark.fault
@pytest.mark.slurm
def test_the_command_that_tries_slurm_out_without_it_runs_as_it_stands(folder):
    pytest.importorskip("submitit")
    (line,) = [line for line in STUDIES if "executor=local" in line]
    tiny = ["trainer.epochs=1", "study.seeds=1", "sampler.points=3", "tracker=none", "study.name=tiny"]
    assert run_study([*words_of(line), *tiny]).exit_code == 0
    assert len(load_trials("tiny")) == 3


@pytest.mark.parametrize("cluster", ["slurm", "ray"])
def test_a_cluster_of_a_team_is_one_word_and_no_part_of_what_a_study_is(cluster, folder):
    shutil.copytree(DEPLOY / "conf", folder / "my_conf")
    with_it = compose(["+study=lr_sweep", f"+cluster={cluster}"], config_dirs=["my_conf"])
    without = compose(["+study=lr_sweep"])
    assert with_it.study_name == without.study_name == "lr_sweep"
    assert with_it.config["launcher"]["_target_"].startswith(f"hpsearch.launch.{cluster}.")
    assert with_it.config["launcher"]["workers"] == 8 and with_it.config["tracker"]["uri"] is None


def test_machines_that_share_a_database_say_so_in_one_word_too(folder, monkeypatch):
    shutil.copytree(DEPLOY / "conf", folder / "my_conf")
    monkeypatch.setenv("HPSEARCH_DATABASE", "postgresql://10.0.0.4:5432/hpsearch")
    composition = compose(["+study=lr_sweep", "+cluster=team"], config_dirs=["my_conf"])
    assert composition.study_name == "lr_sweep"
    assert composition.config["storage"]["url"] == "postgresql://10.0.0.4:5432/hpsearch"
    assert composition.config["storage"]["_target_"].endswith(".PostgresStore")


def test_ray_s_file_has_private_addresses_authentication_and_no_password():
    text = (DEPLOY / "ray.yaml").read_text()
    made = yaml.safe_load(text)
    addresses = re.findall(r"\b\d+\.\d+\.\d+\.\d+\b", text)
    assert addresses and all(address.startswith("10.") for address in addresses)
    starts = [each for side in ("head", "worker") for each in made[f"{side}_start_ray_commands"] if "ray start" in each]
    assert len(starts) == 2 and all(each.startswith("RAY_AUTH_MODE=token ") for each in starts)
    assert "ssh_private_key" not in text and "0.0.0.0" not in text


@pytest.mark.ray
def test_ray_takes_its_file():
    pytest.importorskip("ray")
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((DEPLOY / "ray.yaml").read_text())))


def test_slurm_s_script_goes_back_into_the_queue_only_when_its_time_is_over(folder):
    """With stand-ins for Python and scontrol; `tests/faults/test_slurm.py` has the real ones, where Slurm runs."""
    shutil.copy(DEPLOY / "slurm.sh", folder)
    (folder / "scontrol").write_text('#!/bin/sh\necho "$@" >> requeued\nkill -9 $PPID\n')
    (folder / "python").write_text(
        "#!/bin/bash\ntrap 'exit 130' TERM\ntouch begun\nfor _ in $(seq 600); do sleep .1; done\n"
    )
    for name in ("scontrol", "python"):
        (folder / name).chmod(0o755)
    for number, requeued in ((signal.SIGUSR1, True), (signal.SIGTERM, False)):
        (folder / "begun").unlink(missing_ok=True)
        environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHON": str(folder / "python"), "SLURM_JOB_ID": "7"}
        job = subprocess.Popen(["bash", "slurm.sh", "+study=lr_sweep"], env=environment, start_new_session=True)
        try:
            wait_until(lambda: job.poll() is not None or (folder / "begun").exists())  # noqa: B023
            assert job.poll() is None
            job.send_signal(number)
            job.wait(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
        assert (folder / "requeued").exists() == requeued
        (folder / "requeued").unlink(missing_ok=True)
        assert requeued or job.returncode == 130
