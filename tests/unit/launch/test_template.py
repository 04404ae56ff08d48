import os
import pickle
import queue
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hpsearch.launch.devices import worker_environment
from hpsearch.launch.frames import ANSWER, CALL, GONE, HELLO, LEAVE, READY
from hpsearch.launch.process import WorkerProcess, import_path
from tests.support import trial_functions

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux alone")


class Staff:
    """Workers by name, and what each of them sends."""

    def __init__(self, folder):
        self.folder, self.inbox, self.workers = folder, queue.SimpleQueue(), {}

    def start(self, name, **options):
        environment = worker_environment(0, 1, ())
        worker = WorkerProcess(self.folder / f"{name}.log", 2**20, environment, self.inbox, **options)
        self.workers[name] = worker
        hello = pickle.dumps((trial_functions.train, False, "auto", 10.0, "off"))
        worker.send(HELLO, pickle.dumps((import_path(), sys.argv[:1], hello)))
        return worker

    def receive(self, name, kind):
        while True:
            worker, found, payload = self.inbox.get(timeout=60)
            if worker is self.workers[name] and found == kind:
                return payload

    def call(self, name, function, *args):
        self.workers[name].send(CALL, pickle.dumps((function, args)))
        return pickle.loads(self.receive(name, ANSWER)).value


@pytest.fixture
def staff(tmp_path):
    staff = Staff(tmp_path)
    yield staff
    for worker in staff.workers.values():
        worker.kill()
        worker.join()


def forked(staff, module="tests.support.trial_functions"):
    first = staff.start("first", module=module, forks=True)
    first.template.expect(1)
    staff.start("second", template=first.template)


def test_a_forked_worker_has_imported_nothing_itself(staff):
    forked(staff)
    pid = staff.call("second", os.getpid)
    assert staff.call("second", trial_functions.imported_by) == staff.workers["first"].pid != pid
    assert staff.call("first", os.getpid) == staff.workers["first"].pid
    assert staff.workers["second"].pid == pid


def test_a_forked_worker_is_the_drivers_child_in_a_session_of_its_own(staff):
    forked(staff)
    assert staff.call("second", os.getppid) == os.getpid()
    assert staff.call("second", os.getsid, 0) == staff.workers["second"].pid


def test_a_forked_worker_outlives_its_template_and_the_other_way_round(staff):
    forked(staff)
    staff.receive("second", READY)
    staff.workers["first"].kill()
    staff.receive("first", GONE)
    assert staff.call("second", len, "four") == 4
    os.kill(staff.workers["second"].pid, signal.SIGKILL)
    staff.receive("second", GONE)
    assert "SIGKILL" in staff.workers["second"].exit_report()


def test_a_forked_worker_leaves_with_its_exit_code_and_its_own_log(staff, tmp_path):
    forked(staff)
    staff.call("second", print, "of the second")
    staff.workers["second"].send(LEAVE)
    staff.receive("second", GONE)
    assert "exit code 0" in staff.workers["second"].exit_report()
    assert (tmp_path / "second.log").read_text() == "of the second\n"
    assert not (tmp_path / "first.log").exists()


def test_a_forked_worker_has_only_its_own_pipes(staff):
    forked(staff)
    staff.receive("first", READY)

    def pipes(name):
        links = (staff.call(name, os.readlink, f"/proc/self/fd/{fd}") for fd in staff.call(name, open_descriptors))
        return {link for link in links if link and link.startswith(("pipe", "socket"))}

    assert pipes("first") & pipes("second") == set()


def open_descriptors():
    return [int(path.name) for path in Path("/proc/self/fd").iterdir() if path.exists()]


def test_a_template_with_threads_is_not_forked(staff):
    forked(staff, module="tests.support.with_a_thread")
    assert staff.call("second", trial_functions.imported_by) == staff.workers["second"].pid


def test_where_the_template_dies_the_worker_imports_by_itself(staff):
    forked(staff, module="tests.support.leaves_at_once")
    assert staff.call("second", trial_functions.imported_by) == staff.workers["second"].pid


def test_a_worker_that_is_killed_before_it_was_forked_is_gone(staff):
    first = staff.start("first", module="tests.support.trial_functions", forks=True)
    first.template.expect(1)
    second = staff.start("second", template=first.template)
    second.kill()
    staff.receive("second", GONE)
    assert staff.call("first", len, "four") == 4


def test_a_worker_whose_driver_is_gone_before_it_looks_ends_at_once():
    reading, writing = os.pipe()
    os.close(writing)
    code = f"from hpsearch.base.platform import die_with; die_with({reading}); import time; time.sleep(600)"
    process = subprocess.Popen([sys.executable, "-c", code], pass_fds=[reading], start_new_session=True)
    os.close(reading)
    assert process.wait(60) == -signal.SIGKILL
