import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from hpsearch.reports.kit import beside
from hpsearch.reports.kit.canvas import draw
from hpsearch.reports.kit.still import still

BESIDE = """
import json, os, sys
from hpsearch.reports.kit import beside

os.sched_getaffinity = lambda pid: {0, 1}
with beside.drawing_beside():
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    from hpsearch.reports.kit.canvas import draw
    figure = draw([{"type": "scatter", "x": [1, 2], "y": [3, 1]}], {}, "two points")
    found = beside.begin_stills({"a": figure})()
    drawn_here = "matplotlib" in sys.modules
alive = os.path.exists(f"/proc/{children[0]}")
print(json.dumps({"children": len(children), "a": found["a"], "drawn_here": drawn_here, "alive": alive}))
"""


def figure(**changes):
    return draw([{"type": "scatter", "x": [1, 2], "y": [3, 1], **changes}], {}, "two points")


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_a_process_beside_draws_the_same_bytes_and_ends_with_the_block():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, check=True, env=environment)
    told = json.loads(done.stdout)
    assert (told["children"], told["drawn_here"], told["alive"]) == (1, False, False)
    assert told["a"] == still(figure())


def test_pictures_are_drawn_here_where_a_fork_is_not_safe(monkeypatch):
    monkeypatch.setattr(beside, "has_one_thread", lambda: False)
    monkeypatch.setattr(beside.multiprocessing, "get_context", lambda _: pytest.fail("forked"))
    with beside.drawing_beside():
        assert beside.begin_stills({"a": figure()})() == {"a": still(figure())}


@pytest.mark.parametrize("fault", [EOFError, None])
def test_what_the_process_beside_cannot_draw_is_drawn_here(monkeypatch, fault):
    def recv():
        if fault:
            raise fault

    token = beside._PAINTER.set(SimpleNamespace(send=lambda pictures: None, recv=recv))
    try:
        assert beside.begin_stills({"a": figure()})() == {"a": still(figure())}
    finally:
        beside._PAINTER.reset(token)
