"""Studies on machines that share nothing but a network: no file, no folder, no clock, no process."""

import json
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

import hpsearch
from hpsearch import load_trials
from tests.support.curves import assert_same_bits
from tests.support.namespaces import HOME, PLACE, Machine, Network, network
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.ray, pytest.mark.fault, pytest.mark.long]
ROOT = Path(hpsearch.__file__).parents[1]
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}
RUN_SEC = 240.0
HERE = ("launcher=processes", "launcher.workers=3")
NET = """
from torch import nn
class Net(nn.Module):
    def __init__(self, in_shape, num_outputs):
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.{activation}(), nn.Linear(8, num_outputs))
    def forward(self, x):
        return self.net(x)
"""
PROGRAM = "import sys\nfor epoch in (1, 2): print(f'epoch {epoch} loss: {float(sys.argv[1]) * %s / epoch}')\n"


class Cluster:
    """A head, two machines more that train, and one that holds the driver and trains nothing."""

    def __init__(self, network: Network) -> None:
        self._network, self._token = network, secrets.token_hex(32)
        self.head = self._join("head", "--head", "--port=6379", "--include-dashboard=false")
        self.address = f"{self.head.address}:6379"
        self.trains = [self.head, self.join("one"), self.join("two")]
        self.driver = self.join("driver", cpus=0)

    def join(self, name: str, cpus: int = 1) -> Machine:
        return self._join(name, f"--address={self.address}", cpus=cpus)

    def _join(self, name: str, *how: str, cpus: int = 1) -> Machine:
        machine = self._network.machine(name)
        machine.write(f"{HOME}/.ray/auth_token", self._token, "600")
        ray = str(Path(sys.executable).with_name("ray"))
        node = (f"--node-ip-address={machine.address}", f"--num-cpus={cpus}", "--object-store-memory=100000000")
        machine.run(ray, "start", *how, *node, **ENVIRONMENT)
        return machine

    @property
    def there(self) -> tuple[str, ...]:
        return "launcher=ray", f"launcher.address={self.address}", "launcher.workers=3"

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a command on the driver's machine."""
        return self.driver.start(sys.executable, "-m", "hpsearch", *words, **ENVIRONMENT)

    def run(self, *words: str, code: int = 0) -> str:
        """Run a command on the driver's machine to its end; return what it prints."""
        process = self.start(*words)
        text, _ = process.communicate(timeout=RUN_SEC)
        assert process.returncode == code, text
        return text

    def compare(self, *words: str) -> str:
        """Train a study on the cluster and with processes where the driver is; return what the first one prints."""
        text = self.run(*words, *self.there, "study.name=there")
        self.run(*words, *HERE, "study.name=here")
        self.driver.fetch("studies", Path.cwd())
        assert_same_bits("there", "here")
        return text

    def forget(self) -> None:
        """Remove what the tests before have left where the driver is."""
        self.driver.run("sh", "-c", "rm -rf ./*")


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    with network() as made:
        yield Cluster(made)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, cluster):
    monkeypatch.chdir(tmp_path)
    cluster.forget()


def nodes(study: str) -> dict[str, list[str]]:
    """Return the machines that the attempts of each trial were on."""
    found = {}
    for path in Path("studies", study, "events").glob("*-*.jsonl"):
        lines = map(json.loads, path.read_text().splitlines())
        found[path.stem] = [line["node"] for line in lines if line["event"] == "start"]
    return found


def test_trials_that_wait_go_on_on_another_machine(cluster):
    search = ("sampler=random", "pruner=auto", "pruner.start=6", "budget.points=18", "trainer.epochs=16")
    one = ("study.seeds=1", "study.confirm=0", "launcher.lockstep=true", "tracker=none")
    cluster.compare("+study=lr_sweep", *search, *one)
    moved = [machines for machines in nodes("there").values() if len(set(machines)) > 1]
    assert moved, "a trial has been on two machines"
    assert {"PRUNED", "COMPLETE"} <= set(load_trials("there").state)


def test_trials_of_one_program_are_those_of_one_machine(cluster):
    space = ("space.optimizer.lr=choice(0.003, 0.01, 0.03, 30)", "sampler.points=null")
    words = ("+study=lr_sweep", *space, "trainer.epochs=10", "launcher.fuse=4", "tracker=none", "study.confirm=0")
    cluster.run(*words, *cluster.there, "study.name=there")
    cluster.run(*words, *HERE, "study.name=here")
    cluster.driver.fetch("studies", Path.cwd())
    there, here = (load_trials(name).set_index(["point", "seed"]).sort_index() for name in ("there", "here"))
    assert there.fused_widths.str.contains(r"\*[234]").any()
    assert there.state.to_dict() == here.state.to_dict()
    assert there.score.to_dict() == pytest.approx(here.score.to_dict(), abs=1e-2, nan_ok=True)
    (point, seed), *_ = there.index[there.fused_widths.str.contains(r"\*[234]") & (there.state == "COMPLETE")]
    text = cluster.run("replay", f"there/{point}/{seed}", "--check", "tracker=none", "launcher=processes")
    assert "the same curve, bit for bit" in text


def test_a_time_limit_ends_a_trial_where_it_is(cluster):
    search = ("space.optimizer.lr=choice(0.001, 0.01, 0.1)", "sampler.points=null", "study.seeds=1", "study.confirm=0")
    limits = ("trainer.epochs=100000", "budget.trial_seconds=3", "budget.seconds=120")
    text = cluster.run("+study=lr_sweep", *search, *limits, *cluster.there, "tracker=none", "study.name=limited")
    assert "3 infeasible" in text
    cluster.driver.fetch("studies", Path.cwd())
    trials = load_trials("limited")
    assert [reason for reason in trials.reason if "budget.trial_seconds" not in reason] == []
    assert (len(trials), set(trials.attempts)) == (3, {1})
    assert nodes("limited").keys() == {"0-0-0", "1-0-0", "2-0-0"}


def test_weights_to_start_from_are_the_drivers_and_not_those_of_the_same_name(cluster):
    cluster.run("trainer.epochs=3", "tracker=none", "seed=1", *HERE)
    cluster.run("trainer.epochs=3", "tracker=none", "seed=2", *HERE)
    for machine in cluster.trains:  # weights of another trial, at the same path
        other = f"{PLACE}/studies/single/trials/0-1-0"
        cluster.driver.copy(f"{PLACE}/studies/single/trials/1-2-0/best.safetensors", machine, other)
    words = ("+study=lr_sweep", "finetune=all", "finetune.source=single/0/1", "trainer.epochs=2", "study.seeds=1")
    cluster.compare(*words, "launcher.fuse=off", "tracker=none")


def test_code_of_the_users_is_sent_or_refused_where_a_machine_has_other_code_of_the_same_name(cluster):
    driver = cluster.driver
    driver.write(f"{PLACE}/my_net.py", NET.format(activation="ReLU"))
    driver.write(f"{PLACE}/my_conf/model/my_net.yaml", "_target_: my_net.Net\n_partial_: true\n")
    driver.write(f"{PLACE}/my_conf/plugins.yaml", "plugins: [my_net]\n")
    driver.write(f"{PLACE}/train.py", PROGRAM % 1)
    for machine in cluster.trains:
        machine.write(f"{PLACE}/my_net.py", NET.format(activation="Tanh"))
        machine.write(f"{PLACE}/train.py", PROGRAM % 2)
    study = ("+study=lr_sweep", "trainer.epochs=2", "study.seeds=1", "launcher.fuse=off", "tracker=none")
    cluster.compare("--config-dir", "my_conf", "model=my_net", *study)
    search = ("space.args.lr=interval(1e-4, 1e-1)", "objective.metric=loss", "objective.direction=minimize")
    for program in ("train.py", f"{PLACE}/train.py"):
        command = ("--", sys.executable, program, "{lr}")
        text = cluster.run("run", *search, "study.name=program", *cluster.there, *command, code=2)
        assert f"{program} is " in text and "must lie on every machine that trains" in text
    assert "program" not in driver.run("ls", "studies")


def test_a_machine_that_vanishes_costs_its_trials_an_attempt_and_one_that_joins_is_used(cluster):
    study = ("+study=lr_sweep", "trainer.epochs=100", "launcher.fuse=off")
    command = cluster.start(*study, *cluster.there[:2], "launcher.workers=4", "study.name=there")
    *_, lost = cluster.trains
    began = f'"node":"{lost.name}"'
    wait_until(lambda: began in cluster.driver.run("sh", "-c", "cat studies/there/events/* || true"), look_sec=0.5)
    lost.vanish()
    cluster.join("later")
    text, _ = command.communicate(timeout=RUN_SEC)
    assert command.returncode == 0, text
    cluster.run(*study, *HERE, "study.name=here", "tracker=none")
    best = next(line for line in text.splitlines() if " replay " in line).split()
    assert "the same curve, bit for bit" in cluster.run(*best[3:], *cluster.there[:2])
    cluster.driver.fetch("studies", Path.cwd())
    assert_same_bits("there", "here")
    trials = load_trials("there")
    assert len(trials) == 39 and sorted(trials.attempts) == [1] * 38 + [2]
    (again,) = trials[trials.attempts == 2].itertuples()
    machines = nodes("there")
    assert machines[f"{again.point}-{again.seed}-{again.fold}"][0] == lost.name
    assert {machine for each in machines.values() for machine in each} == {"head", "one", "two", "later"}
    for machine in (cluster.driver, *cluster.trains[:2]):
        assert machine.run("sh", "-c", "ls -A /tmp") == "ray\n", "nothing else is left there"
