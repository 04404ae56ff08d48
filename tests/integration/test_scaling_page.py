"""Every command of `scaling.md` that can run on this machine runs, as it stands but for addresses and secrets."""

import os
import re
import shutil
import signal
import tempfile
import urllib.request
from pathlib import Path

import pytest

from hpsearch.tracking.ui import free_port
from tests.faults.test_tracking_server import AUTH, NAME, write_certificate
from tests.faults.test_tracking_server import PASSWORD as TRACKING_PASSWORD
from tests.integration.test_gpus import TWO_PROCESSES
from tests.support import postgres
from tests.support.page_commands import ROOT, SMALL, Shell, blocks, extras, lines
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(600)
WITHOUT_A_PLACE = f"{SMALL} tracker=none"


@pytest.fixture
def shell():
    """A shell in a folder with a short name: sockets of Ray lie in it."""
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        shell = Shell(Path(folder), HOME=folder, RAY_TMPDIR=folder, TMPDIR=folder)
        yield shell
        shell.end()


def completed(shell) -> int:
    """Return how many studies were searched to their end."""
    return shell.said.count("  complete, ")


def test_every_block_of_the_page_is_tried_here_or_has_a_reason_not_to_be():
    assert {section: len(texts) for section, texts in blocks().items()} == {
        "Ray": 2,
        "Several GPUs": 2,
        "Slurm": 2,  # the second in tests/faults/test_slurm.py, where Slurm runs
        "PostgreSQL": 1,
        "MLflow server": 2,
        "One word for all of it": 1,
        "Dashboard": 1,
    }


def test_what_the_page_installs_can_be_installed():
    page = "\n".join(line for section in blocks() for line in lines(section))
    named = set(re.findall(r"pip install 'hpsearch\[(\w+)\]'", page))
    assert named == {"ray", "slurm", "postgres", "dashboard"} <= extras()


@pytest.mark.long
@pytest.mark.ray
def test_a_cluster_of_two_machines(shell):
    pytest.importorskip("ray")
    port = free_port(6400)
    shell.environment |= {"RAY_DEFAULT_OBJECT_STORE_MAX_MEMORY_BYTES": str(100 * 2**20), "WORDS": WITHOUT_A_PLACE}
    shutil.copytree(ROOT / ".deploy" / "conf", shell.folder / "my_conf")
    one, cluster = (text.replace("10.0.0.5:6379", f"127.0.0.1:{port}") for text in blocks()["Ray"])
    cluster = cluster.replace("10.0.0.5", "127.0.0.1").replace("--port=6379", f"--port={port}")
    cluster += f"test $(stat -c %a ~/.ray/auth_token) = 600\n{one}"
    cluster += f"RAY_ADDRESS=127.0.0.1:{port} python -m hpsearch --config-dir my_conf +study=lr_sweep +cluster=ray\n"
    shell.run(cluster, 500)
    assert completed(shell) == 4


@pytest.mark.long
def test_workers_that_share_gpus_and_a_program_that_torchrun_starts(shell):
    studies, program = blocks()["Several GPUs"]
    shell.environment["WORDS"] = WITHOUT_A_PLACE
    shell.run(studies)
    assert completed(shell) == 3
    (shell.folder / "train.py").write_text(TWO_PROCESSES)
    shell.run(f"export CUDA_VISIBLE_DEVICES=0,1\n{program.replace('--nproc-per-node gpu', '--nproc-per-node 2')}")
    assert completed(shell) == 4


@pytest.mark.long
@pytest.mark.slurm
def test_workers_in_jobs(shell):
    pytest.importorskip("submitit")
    shutil.copytree(ROOT / ".deploy" / "conf", shell.folder / "my_conf")
    there = bool(os.environ.get("HPSEARCH_SLURM"))
    studies = [line for line in lines("Slurm") if "+study=" in line and "sbatch" not in line]
    assert len(studies) == 2
    shell.environment["WORDS"] = WITHOUT_A_PLACE
    tried = [line for line in studies if there or "executor=local" in line]
    shell.run("\n".join(tried))
    shell.environment["WORDS"] += " launcher.workers=2" + ("" if there else " launcher.executor=local")
    shell.run(blocks()["One word for all of it"][0])
    assert completed(shell) == len(tried) + 1


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.skipif(bool(postgres.missing()), reason=postgres.missing())
def test_a_study_in_a_database(shell):
    server = postgres.Server(Path(tempfile.mkdtemp(prefix="hpsearch-postgres-")))
    shutil.copytree(ROOT / ".deploy" / "conf", shell.folder / "my_conf")
    try:
        server.create("studies")
        text = blocks()["PostgreSQL"][0].replace("10.0.0.5:5432", f"127.0.0.1:{server.port}")
        shell.run(
            text.replace("PGPASSWORD=...", f"PGPASSWORD={postgres.PASSWORD}")
            + f"export HPSEARCH_DATABASE=postgresql://127.0.0.1:{server.port}/studies\n"
            + "python -m hpsearch --config-dir my_conf +study=lr_sweep +cluster=team\n"
        )
    finally:
        server.stop()
        shutil.rmtree(server.folder)
    assert completed(shell) == 2
    assert postgres.PASSWORD not in shell.said


@pytest.mark.long
@pytest.mark.fault
def test_a_tracking_server_that_asks_for_a_password(shell):
    pytest.importorskip("flask_wtf", reason="needs mlflow[auth]")
    folder = shell.folder
    _, certificate = write_certificate(folder)
    (folder / "auth.ini").write_text(AUTH.format(folder=folder, name=NAME, password=TRACKING_PASSWORD))
    port = free_port(6400)
    shell.environment |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "WORDS": f"{SMALL} launcher.workers=1"}
    client, server = blocks()["MLflow server"]
    process = shell.start(server.replace("10.0.0.5", "127.0.0.1").replace("--port 5000", f"--port {port}"))
    try:
        wait_until(lambda: process.poll() is not None or "startup complete" in shell.said, 200)
        client = client.replace("USERNAME=...", f"USERNAME={NAME}")
        client = client.replace("PASSWORD=...", f"PASSWORD='{TRACKING_PASSWORD}'")
        client = client.replace("/etc/ssl/our_ca.pem", str(certificate))
        client += "python -m hpsearch sync tracker.uri=https://mlflow.example.org:5000\n"  # what a slow machine left
        shell.run(client.replace("mlflow.example.org:5000", f"127.0.0.1:{port}"), 380)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
    assert completed(shell) == 1
    assert TRACKING_PASSWORD not in shell.said
    assert list(folder.glob("artifacts/*/*/artifacts/report.html"))


@pytest.mark.slow
def test_the_dashboard(shell):
    pytest.importorskip("optuna_dashboard")
    shell.environment["WORDS"] += " study.name=lr_sweep"
    shell.run('"$PYTHON" -m hpsearch +study=lr_sweep $WORDS')
    commands = [line for line in lines("Dashboard") if "ui" in line]
    assert len(commands) == 2
    for command in commands:
        (shell.folder / "said.txt").unlink()
        process = shell.start(f"exec {command}")
        wait_until(
            lambda process=process: process.poll() is not None or "Ctrl-C" in shell.said, said=lambda: shell.said
        )
        address = re.search(r"which reads only: (\S+)$", shell.said, re.MULTILINE)[1]
        with urllib.request.urlopen(address, timeout=20) as page:
            assert page.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
