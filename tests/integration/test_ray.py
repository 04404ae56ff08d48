"""Studies on Ray, as a user types them: a cluster of the command's own, and one of three nodes that is joined."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

import hpsearch
from hpsearch import load_trials
from tests.support.curves import assert_same_bits, curves_of
from tests.support.ray_cluster import add_node, ray_cluster
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.fault]
ROOT = Path(hpsearch.__file__).parents[1]
STUDY = ("+study=lr_sweep", "data.train_size=256", "study.seeds=2", "launcher=ray", "launcher.workers=2")
STUDY += ("launcher.fuse=off", "tracker=none")
END_SEC = 240.0
NAME = "lr_sweep__data.train_size-256__study.seeds-2"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


@pytest.fixture
def temporary(folder, monkeypatch):
    """The folder of temporary files of a command, which tells its processes from others."""
    monkeypatch.setenv("TMPDIR", str(folder / "t"))
    (folder / "t").mkdir()
    return folder / "t"


class Command:
    """A command that runs; what it prints is read from its descriptors, whoever writes there."""

    def __init__(self, *words, **environment):
        with Path("out").open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hpsearch", *words],
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )

    @property
    def text(self):
        return Path("out").read_text()

    def until(self, condition):
        def found():
            assert self.process.poll() is None, self.text
            return condition()

        return wait_until(found, look_sec=0.1, said=lambda: self.text)

    def end(self):
        return self.process.wait(END_SEC)


def run(*words, **environment):
    command = Command(*words, **environment)
    return command.end(), command.text


def ended():
    return sum('"COMPLETE"' in path.read_text() for path in Path("studies").glob("*/events/*.jsonl"))


def actors():
    """The processes of actors: what they are called takes the place of their environment."""
    below = [child for raylet in processes("raylet/raylet") for child in raylet.children(recursive=True)]
    return [each for each in below if "ray::Agent" in " ".join(each.cmdline())]


def processes(word):
    """The processes of Ray whose command line has a word, below whichever cluster lies in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == os.environ["TMPDIR"] and word in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def nothing_left():
    def left():
        found = [each for word in ("raylet", "gcs_server", "ray::", "hpsearch") for each in processes(word)]
        return [*found, *Path(os.environ["TMPDIR"]).iterdir()]

    wait_until(lambda: not left(), look_sec=0.2, said=left)
    assert not [link for link in Path("/tmp").glob("hps-*") if not link.exists()]


def test_a_cluster_of_its_own_is_closed_and_quiet_and_leaves_nothing(temporary):
    command = Command(*STUDY, "trainer.epochs=20")
    (gcs,) = command.until(lambda: processes("gcs/gcs_server"))
    (token,) = command.until(lambda: [*Path(os.environ["TMPDIR"]).glob("*/token")])
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.parent.stat().st_mode & 0o777 == 0o700
    agents = command.until(lambda: actors() if ended() else None)
    open_to = {
        connection.laddr.ip
        for each in (gcs, *processes("raylet"), *agents)
        for connection in each.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert open_to <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert all("--disable-frontend" in each.cmdline() for each in processes("dashboard/dashboard.py"))
    agents[0].send_signal(signal.SIGKILL)
    assert command.end() == 0
    trials = load_trials(f"{NAME}__trainer.epochs-20")
    assert set(trials.state) <= {"COMPLETE", "INFEASIBLE"}
    assert trials.attempts.max() == 2
    text = command.text.lower()
    assert not [word for word in ("raylet", "a worker died", "core_worker", "actor") if word in text]
    nothing_left()


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_command_that_is_interrupted_or_killed_ends_its_cluster(temporary, sign, code):
    command = Command(*STUDY, "trainer.epochs=500")
    command.until(lambda: [*Path("studies").glob("*/trials/*/last*")])
    command.process.send_signal(sign)
    assert command.end() == code
    nothing_left()
    assert ("ray" not in command.text.replace("launcher=ray", "").lower()) or sign == signal.SIGKILL


def test_a_cluster_that_starts_beside_a_command_that_is_refused_is_ended_at_once(temporary):
    code, text = run(*STUDY, "optimizer.lr=fast")
    assert (code, len(text.splitlines())) == (2, 1), text
    nothing_left()
    assert sorted(each.name for each in temporary.parent.iterdir()) == ["out", "t"]


def test_a_command_that_is_killed_while_its_cluster_starts_leaves_nothing(temporary):
    command = Command(*STUDY, "trainer.epochs=500")
    command.until(lambda: processes("gcs/gcs_server"))
    command.process.kill()
    assert command.end() == -signal.SIGKILL
    nothing_left()


@pytest.mark.long
def test_a_study_outlives_a_node_that_is_killed_uses_one_that_joins_and_is_the_study_of_one_machine(folder):
    study = ("+study=lr_sweep", "trainer.epochs=60", "launcher.fuse=off", "tracker=none")
    with ray_cluster(1, 1, 1) as cluster:
        place = ("launcher=ray", f"launcher.address={cluster.address}", "launcher.workers=4")
        command = Command(*study, *place, "study.name=cluster")
        command.until(lambda: len({start["worker"] for start in starts("cluster")}) == 3)
        cluster.remove_node(sorted(cluster.worker_nodes, key=id)[0], allow_graceful=False)
        add_node(cluster, 1)
        joined = time.time()
        assert command.end() == 0, command.text
    assert "failed: its worker died" in command.text
    assert len({start["worker"] for start in starts("cluster") if start["time"] > joined}) == 3
    trials = load_trials("cluster")
    assert (len(trials), len(trials.drop_duplicates(["point", "seed", "fold"]))) == (39, 39)
    assert trials.attempts.value_counts().to_dict() == {1: 38, 2: 1}
    assert run(*study, "launcher=processes", "launcher.workers=2", "study.name=here")[0] == 0
    assert_same_bits("cluster", "here")
    train = command.text.partition("train the best trial again")[2].split("\n")[1].split()
    assert train[:3] == ["python", "-m", "hpsearch"]
    assert run(*train[3:], "tracker=none")[0] == 0
    (seed,) = load_trials("single").seed
    point = trials.groupby("point").score.mean().idxmax()
    pd.testing.assert_frame_equal(curves_of("single", 0, seed), curves_of("cluster", point, seed), check_exact=True)
    (lost,) = trials[trials.attempts == 2].itertuples()
    assert run("replay", f"cluster/{lost.point}/{lost.seed}", "--check", "tracker=none")[0] == 0


def starts(study):
    """What is on record of the attempts of a study: the time, the worker and the node."""
    lines = [
        line for path in Path("studies", study, "events").glob("*-*.jsonl") for line in path.read_text().split("\n")
    ]
    return [json.loads(line) for line in lines if line.startswith('{"event":"start"') and line.endswith("}")]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("127.0.0.1:1", "nobody answers there"),
        ("ray://127.0.0.1:10001", "must be HOST:PORT"),
        ("nowhere", "must be HOST:PORT"),
    ],
)
def test_a_bad_address_is_refused_in_a_line(folder, address, said):
    code, text = run(*STUDY, f"launcher.address={address}")
    assert (code, len(text.splitlines())) == (2, 1)
    assert text.startswith(f"hpsearch: launcher.address = {address}: ")
    assert said in text
    assert [path.name for path in folder.iterdir()] == ["out"]


def test_without_ray_the_command_says_how_to_install_it(folder):
    (folder / "sitecustomize.py").write_text("import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'ray' else find(name, *more)\n")  # fmt: skip
    code, text = run(*STUDY, PYTHONPATH=f"{folder}:{ROOT}")
    said = "hpsearch: launcher = ray: needs Ray, which is not installed: pip install 'hpsearch[ray]'\n"
    assert (code, text) == (2, said)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "import sys; sys.modules['hpsearch'] = None",
            r"node [\d.]+ cannot run workers: ModuleNotFoundError: .*hpsearch",
        ),
        (
            "import sys; sys.modules['torch'] = None",
            r"worker process \d+ of node .* ended with exit code 1: Mod.*torch",
        ),
        ("import platform; platform.python_version_tuple = lambda: ('3', '8', '1')", r"has Python 3\.8 \(here 3\.1"),
    ],
    ids=["without hpsearch", "with a torch that cannot be imported", "with another Python"],
)
def test_a_node_that_cannot_train_is_refused_in_a_line(folder, fault, said):
    (folder / "there").mkdir()
    (folder / "there" / "sitecustomize.py").write_text(fault)
    os.environ["PYTHONPATH"] = f"{folder / 'there'}:{ROOT}"
    with ray_cluster(1) as cluster:
        code, text = run(*STUDY, f"launcher.address={cluster.address}", PYTHONPATH=str(ROOT))
    assert (code, len(text.splitlines())) == (2, 1), text
    assert re.search(f"^hpsearch: .*{said}.*install the same", text)
    assert not Path("studies").exists()


def test_a_cluster_of_another_python_is_refused_in_a_line(folder):
    (folder / "here").mkdir()
    (folder / "here" / "sitecustomize.py").write_text(
        "import sys\nif 'launch.ray.program' in ' '.join(sys.orig_argv):\n"
        "    import ray._private.utils as of\n    info = of.compute_version_info\n"
        "    of.compute_version_info = lambda: (*info()[:1], '3.8.1', *info()[2:])\n"
    )
    with ray_cluster(1) as cluster:
        code, text = run(*STUDY, f"launcher.address={cluster.address}", PYTHONPATH=f"{folder / 'here'}:{ROOT}")
    assert (code, len(text.splitlines())) == (2, 1), text
    assert "3.8.1" in text
    assert not Path("studies").exists()


def test_another_version_of_ray_or_of_this_package_on_a_node_is_refused_in_a_line(folder):
    shutil.copytree(ROOT / "hpsearch", folder / "other" / "hpsearch", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "other" / "hpsearch" / "edited.py").write_text("")
    (folder / "old").mkdir()
    (folder / "old" / "sitecustomize.py").write_text("import ray\nray.__version__ = '2.50.0'\n")
    os.environ["PYTHONPATH"] = str(folder / "other")
    with ray_cluster(1) as cluster:
        code, text = run(*STUDY, f"launcher.address={cluster.address}", PYTHONPATH=str(ROOT))
        assert (code, len(text.splitlines())) == (2, 1), text
        assert "with the sources" in text
        assert "install the same there" in text
        code, text = run(*STUDY, f"launcher.address={cluster.address}", PYTHONPATH=f"{folder / 'old'}:{ROOT}")
        assert (code, len(text.splitlines())) == (2, 1), text
        assert "2.50.0" in text
    assert not Path("studies").exists()
