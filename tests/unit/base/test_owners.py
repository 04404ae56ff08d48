import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from hpsearch.base import owners
from hpsearch.base.owners import Owner, started, this_process

CHANGES = {
    "it lives": ({}, False),
    "its id was given again": ({"started": 1}, True),
    "the system was restarted": ({"boot": "0" * 8}, True),
    "another machine": ({"place": "0" * 8}, None),
    "another machine, restarted": ({"place": "0" * 8, "boot": "0" * 8}, None),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_process_is_known_by_machine_boot_id_and_start(case):
    changes, gone = CHANGES[case]
    owner = replace(this_process(), **changes)
    assert Owner.of(str(owner)) == owner and owner.is_gone() is gone


def test_a_process_that_ended_is_gone_before_anybody_waits_for_it():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        owner = replace(this_process(), pid=child.pid, started=started(child.pid))
        assert owner.is_gone() is False
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE and owner.is_gone() is True
    assert started(child.pid) is None


def test_where_there_is_no_proc_the_start_is_asked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(owners, "_PROCESSES", tmp_path / "proc")
    assert started(os.getpid()) == round(psutil.Process().create_time() * 100)
    assert started(2**31 - 2) is None


def test_a_container_is_another_machine(monkeypatch, tmp_path):
    here = owners._place()
    (tmp_path / "self/ns").mkdir(parents=True)
    (tmp_path / "self/ns/pid").symlink_to("pid:[1]")
    monkeypatch.setattr(owners, "_PROCESSES", tmp_path)
    assert owners._place() != here


@pytest.mark.parametrize("text", ["", "1-2-3-4", "../../x", "0" * 8 + "-" + "0" * 8 + "-1-", "study.yaml"])
def test_other_texts_are_of_nobody(text):
    assert Owner.of(text) is None
