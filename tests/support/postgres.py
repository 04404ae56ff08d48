"""A PostgreSQL server of a test's own, that asks for passwords, and drivers that work on a study in it."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "tuner", "a-secret-of-tests"


def missing():
    """Why no server can be started here; empty where one can."""
    if importlib.util.find_spec("psycopg") is None:
        return "needs psycopg, the extra `postgres`"
    return "" if shutil.which("initdb") and shutil.which("pg_ctl") else "needs PostgreSQL's initdb and pg_ctl"


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _demoted():
    """As whom a server runs: PostgreSQL refuses root."""
    if os.getuid() != 0:
        return {}
    name = next(each for each in ("postgres", "nobody") if each in {user.pw_name for user in pwd.getpwall()})
    user = pwd.getpwnam(name)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


class Server:
    """A server with scram-sha-256: `initdb` trusts everybody by default, and then a wrong password would pass."""

    def __init__(self, folder):
        self.folder, self.port = folder, _free_port()
        secret = folder / "password"
        secret.write_text(PASSWORD)
        self._as = _demoted()
        if self._as:
            os.chown(folder, self._as["user"], self._as["group"])
            os.chown(secret, self._as["user"], self._as["group"])
        self._run("initdb", "--auth=scram-sha-256", f"--pwfile={secret}", "-U", USER, "--no-sync", "-D", "data")
        self.start()

    def _run(self, *words):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(words, cwd=self.folder, check=True, timeout=120, **quiet, **self._as)

    def start(self):
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", "data", "-o", options, "-l", "log", "-t", "100", "-w", "start")

    def stop(self):
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-t", "100", "-w", "stop")

    def url(self, database, user=USER):
        return f"postgresql://127.0.0.1:{self.port}/{database}?user={user}"

    def rows(self, database, statement, values=None):
        import psycopg

        with psycopg.connect(self.url(database), password=PASSWORD, autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def create(self, database):
        self.rows("postgres", f"create database {database}")
        return self.url(database)


def environment(password=PASSWORD, **more):
    """The environment of a driver that knows the password."""
    rest = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    known = {} if password is None else {"PGPASSWORD": password}
    return {**rest, **known, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "200", **more}


class Driver:
    """A driver in a process of its own, in a folder of its own."""

    def __init__(self, folder, words, **variables):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.log = folder, folder / "out.txt"
        with self.log.open("w") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-m", "hpsearch", *words],
                **{"cwd": folder, "env": environment(**variables), "start_new_session": True},
                **{"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.STDOUT},
            )

    @property
    def said(self):
        return self.log.read_text()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def end(self, within_sec=280):
        """Wait for its end; return its exit code."""
        return self.process.wait(within_sec)


def search_words(url, *words, function="sleeping", points=12, sampler="random", pruner="none", name="shared"):
    """The words of a search over a function of `tests.support.shared_trials`."""
    return [
        *("+study=search", f"study.name={name}", "study.seeds=1", "study.confirm=0", "tracker=none"),
        *("trainer=own", f"trainer._target_=tests.support.shared_trials.{function}", "plugins=[tests]"),
        *("space.args.x=interval(0, 3)", "objective=valid_loss", "objective.metric=valid/loss"),
        *(f"sampler={sampler}", f"pruner={pruner}", f"budget.points={points}", "launcher.workers=1"),
        *("storage=postgres", f'storage.url="{url}"', "storage.lease_sec=5", *words),
    ]


def ablation_words(url, *words):
    """The words of an ablation over a function of `tests.support.shared_trials`: six trials that tune, four of arms."""
    left_out = ("space.", "pruner", "sampler", "budget", "study.seeds", "study.confirm")
    known = [word for word in search_words(url, *words, function="arm") if not word.startswith(left_out)]
    return [
        *(*known, "stage=[tune,arms]", "space.args.kind=choice(0, 1)", "nuisance.args.x=interval(0, 2)"),
        *("ablation.nuisance=retuned", "ablation.points=3", "ablation.seeds=1", "study.seeds=2"),
    ]


wait_for = partial(wait_until, look_sec=0.1)
"""Each look is a statement of its own that the server answers."""
