"""Studies on machines that share nothing but a network: no file, no folder, no clock, no process."""

import os
import secrets
import shlex
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import hpsearch
from hpsearch import load_trials
from tests.support.curves import assert_same_bits, curves_of
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
HERE = ("launcher=processes", "launcher.workers=3")
SMALL = ("data.train_size=256", "trainer.epochs=3", "tracker=none")
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
        self.driver.write(f"{PLACE}/studies/.keep", "")

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

    def run(self, *words: str) -> str:
        """Run a command on the driver's machine to its good end."""
        return self.driver.run(sys.executable, "-m", "hpsearch", *words, **ENVIRONMENT)

    def both(self, *words: str, on=lambda name: f"study.name={name}") -> str:
        """Run a study on the cluster and with processes of the driver's machine; return what the first one prints."""
        text = self.run(*words, *self.there, on("there"))
        self.run(*words, *HERE, on("here"))
        self.fetch()
        return text

    def fetch(self) -> None:
        """Copy the studies of the driver's machine, which are gone there, into the working folder."""
        self.driver.fetch("studies", Path.cwd())

    def nodes(self, study: str) -> dict[str, list[str]]:
        """Return the machines that the attempts of trials were on."""
        ...


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    with network() as made:
        yield Cluster(made)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
