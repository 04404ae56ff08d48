"""What watches over a program ends itself, also where it cannot end the program."""

import os
import signal
import subprocess
import sys
import time

import pytest

from hpsearch.base import platform, supervise

FORBIDDEN = f"""
import importlib.util, os, sys
spec = importlib.util.spec_from_file_location("supervise", {supervise.__file__!r})
supervise = importlib.util.module_from_spec(spec)
spec.loader.exec_module(supervise)
asked = []
def refuse(pid, number):
    asked.append(number)
    raise PermissionError
os.kill = os.killpg = refuse
supervise._GONE_SEC = 0.3
supervise.main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
os.write(int(sys.argv[2]), f"tried {{len(asked)}} times".encode())
"""
"""Watches over a program that it is not allowed to send a signal to."""


@pytest.mark.skipif(platform.WINDOWS, reason="programs are trials on Linux and macOS")
def test_it_ends_after_its_deadline_where_what_it_started_cannot_be_killed(tmp_path):
    control, order = os.pipe()
    said, status = os.pipe()
    program = ["sh", "-c", f"echo $$ > {tmp_path / 'pid'}; exec sleep 60"]
    words = [sys.executable, "-c", FORBIDDEN, str(control), str(status), *program]
    watching = subprocess.Popen(words, pass_fds=(control, status))
    os.close(control), os.close(status)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.01)
    pid = int((tmp_path / "pid").read_text())
    try:
        os.close(order)
        assert watching.wait(20) == 0
        os.kill(pid, 0)  # it lives
        tried = os.read(said, 100).decode()
        assert tried.startswith("tried ") and int(tried.split()[1]) < 60, "it said no code, and waited between tries"
    finally:
        os.kill(pid, signal.SIGKILL)
        watching.kill()
        watching.wait()
        os.close(said)
