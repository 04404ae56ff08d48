import os
import signal
import subprocess
import sys

import pytest

from hpsearch.base.forks import adopted, adopting_orphans, has_one_thread

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")

ORPHAN = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid)"


def orphan(code):
    done = subprocess.run([sys.executable, "-c", ORPHAN, code], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(("code", "ended"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", -9)])
def test_the_end_of_an_adopted_process_is_known(code, ended):
    with adopting_orphans():
        process = adopted(orphan(code))
    assert process.wait(60) == process.wait() == process.returncode == ended


def test_one_that_runs_on_is_no_longer_waited_for():
    with adopting_orphans():
        process = adopted(orphan("import time, os, sys; os.close(1); time.sleep(600)"))
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.05)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL


def test_this_process_adopts_nothing_afterwards():
    with adopting_orphans():
        pass
    pid = orphan("import time, os; os.setsid(); os.close(1); time.sleep(600)")
    assert adopted(pid) is None


def test_threads_of_libraries_are_seen():
    count = "from hpsearch.base.forks import has_one_thread; print(has_one_thread())"
    thread = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start(); "
    assert [subprocess.check_output([sys.executable, "-c", code], text=True) for code in (count, thread + count)] == [
        "True\n",
        "False\n",
    ]
    assert isinstance(has_one_thread(), bool)
