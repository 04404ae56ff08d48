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
with beside.working_beside(beside.PICTURES, "fractions"):
    children = open(f"/proc/self/task/{os.getpid()}/children").read().split()
    other = beside.begin("fractions", os.getpid)
    from hpsearch.reports.kit.canvas import draw
    figure = draw([{"type": "scatter", "x": [1, 2], "y": [3, 1]}], {}, "two points")
    found = beside.begin_stills({"a": figure})()
    own = [other(), beside.begin("fractions", os.getpid)(), beside.begin("decimal", os.getpid)()]
    imported_here = sorted({"matplotlib", "fractions"} & {*sys.modules})
alive = [child for child in children if os.path.exists(f"/proc/{child}")]
told = {"children": children, "a": found["a"], "imported_here": imported_here, "alive": alive}
print(json.dumps({**told, "own": list(map(str, own)), "here": str(os.getpid())}))
"""


def figure(**changes):
    return draw([{"type": "scatter", "x": [1, 2], "y": [3, 1], **changes}], {}, "two points")


@pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")
def test_a_process_for_each_module_does_what_is_begun_for_it_and_ends_with_the_block():
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", BESIDE], capture_output=True, text=True, check=True, env=environment)
    told = json.loads(done.stdout)
    assert (len(told["children"]), told["imported_here"], told["alive"]) == (2, [], [])
    assert told["own"] == [told["children"][1]] * 2 + [told["here"]]
    assert told["a"] == still(figure())


def test_pictures_are_drawn_here_where_a_fork_is_not_safe(monkeypatch):
    monkeypatch.setattr(beside, "has_one_thread", lambda: False)
    monkeypatch.setattr(beside.multiprocessing, "get_context", lambda _: pytest.fail("forked"))
    with beside.working_beside(beside.PICTURES):
        assert beside.begin_stills({"a": figure()})() == {"a": still(figure())}


@pytest.mark.parametrize("fault", [EOFError, None])
def test_what_the_process_beside_cannot_draw_is_drawn_here(monkeypatch, fault):
    def recv():
        if fault:
            raise fault

    helper = SimpleNamespace(send=lambda order: None, recv=recv)
    token = beside._HELPERS.set({beside.PICTURES: helper})
    try:
        assert beside.begin_stills({"a": figure()})() == {"a": still(figure())}
    finally:
        beside._HELPERS.reset(token)
