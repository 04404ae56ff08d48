import sys
import threading

import pytest

from hpsearch.base.ahead import imported_meanwhile


@pytest.fixture
def module(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)

    def write(text):
        (tmp_path / "slow_module.py").write_text(text)
        return "slow_module"

    yield write
    sys.modules.pop("slow_module", None)


def test_a_module_is_there_after_the_block(module):
    with imported_meanwhile(module("import time; time.sleep(0.05); ready = True")):
        pass
    assert sys.modules["slow_module"].ready


def test_the_block_does_not_wait_for_it(module):
    started = threading.Event()
    sys.started = started
    try:
        with imported_meanwhile(module("import sys; assert sys.started.wait(60)")):
            started.set()
    finally:
        del sys.started
    assert "slow_module" in sys.modules


def test_one_that_fails_is_silent_until_it_is_needed(module):
    with imported_meanwhile(module("raise ValueError('broken')"), "no.such.module", "this"):
        pass
    with pytest.raises(ValueError, match="broken"):
        __import__("slow_module")
