"""Programs as trials on the nodes of a Ray cluster."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import hpsearch
from hpsearch import load_curves, load_trials, run_search
from hpsearch.base.errors import ConfigError
from hpsearch.base.files import LOG
from hpsearch.launch.ray import launcher as of_launcher
from hpsearch.launch.ray.gateway import Gateway
from tests.support.ray_cluster import ray_cluster

pytestmark = [pytest.mark.ray, pytest.mark.fault]
ROOT = Path(hpsearch.__file__).parents[1]
PROGRAM = """
import os, signal, sys, time
from pathlib import Path

lr, epochs, folder = float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
saved = folder / "checkpoint.txt"
done = int(saved.read_text()) if saved.exists() else 0
print("goes on from", done)
for epoch in range(done + 1, epochs + 1):
    time.sleep(0.1)
    if lr > 0.5 and epoch == 2 and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    saved.write_text(str(epoch))
    print(f"epoch {epoch} valid/acc: {lr * epoch / epochs}")
"""
SEARCH = {"space": {"lr": "choice(0.4, 0.9)"}, "points": 2, "tracker": "none", "name": "p", "pruner": "none"}


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        with ray_cluster(1, 1) as cluster:
            yield cluster


@pytest.fixture
def words(cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("train.py").write_text(PROGRAM)
    return ["launcher=ray", f"launcher.address={cluster.address}", "launcher.workers=2", "study.confirm=0"]


def test_what_a_program_writes_comes_back_from_nodes_that_do_not_see_the_folder(words, tmp_path, monkeypatch):
    token = Gateway.token
    monkeypatch.setattr(Gateway, "token", lambda self, folder: (token(self, folder)[0], "another"))
    program = [sys.executable, str(tmp_path / "train.py"), "{lr}", "4", "{folder}"]
    run_search(program, **SEARCH, overrides=words)
    trials = load_trials("p").sort_values("point")
    assert list(trials.state) == ["COMPLETE"] * 2
    assert sorted(trials.attempts) == [1, 2]
    killed = Path("studies", "p", "trials", f"{trials.point[trials.attempts == 2].item()}-0-0")
    assert sorted(path.name for path in killed.iterdir()) == ["checkpoint.txt", "died", LOG]
    said = (killed / LOG).read_text()
    assert said.index("goes on from 0") < said.index("goes on from 1") < said.index("epoch 4 valid/acc: 0.9")
    curves = load_curves("p")
    assert not curves.duplicated(["point", "seed", "epoch"]).any()
    assert list(curves.groupby("point").epoch.max()) == [4, 4]


def test_a_program_is_looked_for_on_the_node_and_no_folder_is_sent_there(words, monkeypatch):
    monkeypatch.setattr(of_launcher, "place", lambda folder: (folder, (0, 0)))
    with pytest.raises(ConfigError, match=r"^trainer\.command: train\.py is not there; "):
        run_search([sys.executable, "train.py", "{lr}", "4", "{folder}"], **SEARCH, overrides=words)
    with pytest.raises(ConfigError, match=r"trainer\.command: \./train: no such program"):
        run_search(["./train", "{lr}"], **SEARCH, overrides=words)
    assert not Path("studies").exists()


def test_a_command_that_is_interrupted_pauses_its_programs_and_goes_on_with_them(words):
    command = [sys.executable, "-m", "hpsearch", "run", "lr=choice(0.1, 0.4)", *words, "tracker=none", "study.name=p"]
    command += ["--", sys.executable, "train.py", "{lr}", "100", "{folder}"]
    with Path("out").open("w") as out:
        first = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"})
        while len([*Path("studies").glob("p/trials/*/checkpoint.txt")]) < 2:
            assert first.poll() is None, Path("out").read_text()
        first.send_signal(signal.SIGINT)
        assert first.wait() == 130, Path("out").read_text()
    subprocess.run(command, check=True, capture_output=True)
    trials = load_trials("p")
    assert set(trials.state) == {"COMPLETE"}
    for trial in trials.itertuples():
        said = Path("studies", "p", "trials", f"{trial.point}-0-0", LOG).read_text()
        assert said.count("goes on from") == 2, said
        assert said.count("goes on from 0\n") == 1, said
    curves = load_curves("p")
    assert not curves.duplicated(["point", "seed", "epoch"]).any()
    assert set(curves.groupby("point").epoch.max()) == {100}
