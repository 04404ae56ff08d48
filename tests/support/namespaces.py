"""Machines on this one that share nothing but a network: a process tree each, in namespaces of its own.

Of the disk they see what is installed, and cannot write it; `/tmp`, `/var/tmp`, `/dev/shm`, the home and the working
folder are empty file systems of their own, under the same names on every machine. Names, process ids, System V memory
and the monotonic clock are their own too. They hang on a bridge in a network namespace that nothing else is in.
"""

import os
import shlex
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

PLACE = "/srv/place"
"""The working folder of every machine."""
HOME = "/srv/home"
_APART = ("--mount", "--net", "--uts", "--ipc", "--pid", "--time", "--fork", "--kill-child", "--mount-proc")
_OWN = ("/tmp", "/var/tmp", "/dev/shm", "/srv")
_SETUP = """
set -e
mount --make-rprivate /
for place in {read_only}; do mount -o remount,bind,ro "$place"; done
for place in {own}; do mount -t tmpfs -o mode=1777 tmpfs "$place"; done
mkdir -m 700 {home} {place}
hostname {name}
ip link set lo up
"""
_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""Machines end with the process of the test, however that ends."""
_BRIDGE = "set -e; ip link add bridge type bridge; ip link set bridge up"
_COMMAND_SEC = 240.0
_CLOCK_SEC = 100_000
"""By which the monotonic clock of each machine is before that of the one before."""


class Machine:
    """A machine.

    Args:
        name: what it is called.
        number: its place in the network.
        switch: the process that holds the network.
    """

    def __init__(self, name: str, number: int, switch: int) -> None:
        self.name, self.address = name, f"10.77.0.{number}"
        clock = str(number * _CLOCK_SEC)
        setup = _SETUP.format(read_only=_words(_mounted()), own=_words(_OWN), home=HOME, place=PLACE, name=name)
        self._holder = _held([*_APART, "--monotonic", clock, "--boottime", clock], setup)
        self._pid = _first_of(self._holder)
        end = f"end{number}"
        _in_network(switch, f"ip link add {end} type veth peer name eth0 netns {self._pid}")
        _in_network(switch, f"ip link set {end} master bridge up")
        self.run("ip", "addr", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[str]":
        """Start a command in the working folder; what it prints can be read."""
        own = {"PATH": os.environ["PATH"], "HOME": HOME, "LANG": "C.UTF-8"} | environment
        pairs = [f"{name}={value}" for name, value in own.items()]
        return subprocess.Popen(
            [*self._inside(), "env", "-i", *pairs, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd="/",
        )

    def _inside(self) -> list[str]:
        return ["nsenter", "--target", str(self._pid), "--all", "sh", "-c", f'cd {PLACE} && exec "$@"', "sh"]

    def run(self, *command: str, **environment: str) -> str:
        """Run a command to its end, which must be a good one; return what it prints."""
        process = self.start(*command, **environment)
        try:
            text, _ = process.communicate(timeout=_COMMAND_SEC)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        assert process.returncode == 0, f"{self.name}: {shlex.join(command)} ended with {process.returncode}: {text}"
        return text

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file, in folders that are made for it."""
        place = shlex.quote(path)
        self.run("sh", "-c", f"umask 077; mkdir -p $(dirname {place}); printf %s {shlex.quote(text)} >{place}")
        self.run("chmod", mode, path)

    def fetch(self, name: str, folder: Path) -> None:
        """Copy a folder of the working folder into one of this machine."""
        with tempfile.TemporaryFile() as file:
            subprocess.run([*self._inside(), "tar", "-c", name], stdout=file, check=True, cwd="/")
            file.seek(0)
            with tarfile.open(fileobj=file) as archive:
                archive.extractall(folder, filter="data")

    def copy(self, file: str, machine: "Machine", folder: str) -> None:
        """Copy a file into a folder of another machine, which is made for it."""
        machine.run("mkdir", "-p", folder)
        name = f"{folder}/{Path(file).name}"
        content = subprocess.run([*self._inside(), "cat", file], stdout=subprocess.PIPE, check=True, cwd="/").stdout
        subprocess.run([*machine._inside(), "tee", name], input=content, stdout=subprocess.DEVNULL, check=True, cwd="/")

    def vanish(self) -> None:
        """Be gone at once, with all that runs there; nobody is told."""
        _end(self._holder)


class Network:
    """Where machines are."""

    def __init__(self) -> None:
        self._switch = _held(
            ["--net", "--fork", "--kill-child"], "ip link add bridge type bridge\nip link set bridge up\n"
        )
        self._pid = _first_of(self._switch)
        self.machines: list[Machine] = []

    def machine(self, name: str) -> Machine:
        """Return a machine that joins."""
        self.machines.append(Machine(name, len(self.machines) + 1, self._pid))
        return self.machines[-1]

    def close(self) -> None:
        """End every machine."""
        for machine in self.machines:
            machine.vanish()
        _end(self._switch)


@contextmanager
def network() -> Iterator[Network]:
    """Make a network without machines; a test that this machine does not allow it to is skipped with the reason."""
    if reason := why_not():
        pytest.skip(reason)
    made = Network()
    try:
        yield made
    finally:
        made.close()


@cache
def why_not() -> str:
    """Return why there cannot be other machines on this one, empty where there can."""
    if lacking := [name for name in ("unshare", "nsenter", "setpriv", "ip", "mount") if shutil.which(name) is None]:
        return f"machines in namespaces need {', '.join(lacking)} (Debian: util-linux, iproute2)"
    try:
        made = Network()
        try:
            made.machine("trial")
        finally:
            made.close()
    except AssertionError as error:
        return f"this machine allows no namespaces with a network and file systems of their own: {str(error).strip()}"
    return ""


def _held(apart: Sequence[str], setup: str) -> "subprocess.Popen[str]":
    """Return a process that holds namespaces, when they are set up."""
    script = f"{setup}\necho ready\nexec sleep infinity"
    process = subprocess.Popen(
        [*_WITH_US, "unshare", *apart, "sh", "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
    )
    assert process.stdout is not None
    said = process.stdout.readline()
    if said != "ready\n":
        more, _ = process.communicate()
        raise AssertionError(said + more)
    return process


def _end(holder: "subprocess.Popen[str]") -> None:
    holder.kill()
    holder.wait()
    assert holder.stdout is not None
    holder.stdout.close()


def _first_of(holder: "subprocess.Popen[str]") -> int:
    """Return the process that is the first one in its namespaces."""
    children = Path(f"/proc/{holder.pid}/task/{holder.pid}/children")
    return int(wait_until(lambda: children.read_text().split(), within_sec=10)[0])


def _in_network(switch: int, command: str) -> None:
    done = subprocess.run(
        ["nsenter", "--target", str(switch), "--net", *command.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"


def _mounted() -> list[str]:
    """Return the writable mounts of the disk."""
    rows = [line.split()[1:4] for line in Path("/proc/mounts").read_text().splitlines()]
    special = {"proc", "sysfs", "devtmpfs", "devpts", "mqueue", "cgroup2", "cgroup", "tmpfs"}
    return [place for place, kind, options in rows if kind not in special and "rw" in options.split(",")]


def _words(places: Sequence[str]) -> str:
    return " ".join(map(shlex.quote, places))
