"""What a device does beside computing, and calls that it repeats by itself."""

import gc
from contextlib import contextmanager

import pytest
import torch

from hpsearch.trial.accelerator import WARM, WARM_UP, Cuda, Graphs, Host, Metal, accelerator
from tests.support.recording import Recording


def call(graphs, function, *inputs, key=None):
    """Call a function as those do who have graphs of it; return what it gives and whether a graph did."""
    graph = graphs.of(key, *inputs)
    return (function(*inputs), False) if graph is None else (graph(*inputs), True)


def test_calls_are_captured_by_key_shape_precision_and_what_is_left_out():
    def function(x, y):
        return (x * 2 if y is None else x + y,)

    device = Recording()
    graphs, one, two = Graphs(device, function, "sum"), torch.ones(2), torch.ones(3)
    kinds = [(None, one, None), (None, one, one), (None, two, None), (None, one.double(), None), ("other", one, None)]
    for place, (key, x, y) in enumerate(kinds, 1):
        for time in range(WARM_UP + 2):
            (given,), repeated = call(graphs, function, x * time, y, key=key)
            assert repeated == (time >= (WARM_UP if place == 1 else WARM))
            assert torch.equal(given, function(x * time, y)[0])
        assert device.captures_made == place


def test_what_was_captured_before_needs_a_single_call_before_it_is_again():
    device = Recording()
    first, alike, other = (Graphs(device, lambda x: (x + 1,), name) for name in ("a", "a", "b"))
    x, needed = torch.ones(1), []
    for graphs in (first, alike, other):
        calls = 0
        while graphs.of(None, x) is None:
            calls += 1
        needed.append(calls)
    assert needed == [WARM_UP, WARM, WARM_UP]


def test_what_a_graph_gave_is_not_changed_by_its_next_call():
    graphs = Graphs(Recording(), lambda x: (x * 2,), "twice")
    given = [call(graphs, lambda x: (x * 2,), torch.full((1,), float(k)))[0][0] for k in range(WARM_UP + 3)]
    assert torch.cat(given).tolist() == [2.0 * k for k in range(WARM_UP + 3)]


def test_the_device_that_records_keeps_numbers_of_python_and_changes_nothing_when_it_captures():
    number, total = [1.0], torch.zeros(2)
    _, replay = Recording().capture(lambda: total.add_(number[0]))
    assert total.tolist() == [0, 0]
    number[0] = 5.0
    replay()
    replay()
    assert total.tolist() == [2, 2]


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool((x > 0).all()),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: torch.tensor([1.0, 2.0]) + x,
    ],
)
def test_the_device_that_records_refuses_what_waits(read):
    with pytest.raises(RuntimeError, match="while a graph is captured"):
        Recording().capture(lambda: read(torch.ones(2)))


def test_a_processor_computes_at_once_and_captures_nothing():
    host = Host()
    assert not host.captures and host.aside(lambda: 3) == 3
    assert host.drawn() is None and host.peak_mib() is None
    with pytest.raises(RuntimeError, match="captures nothing"):
        host.capture(lambda: None)


def test_each_kind_of_device_has_its_own():
    kinds = {"cpu": Host, "meta": Host, "mps": Metal, "cuda:0": Cuda}
    assert {name: type(accelerator(torch.device(name))) for name in kinds} == kinds
    assert accelerator(torch.device("cuda:0")) is accelerator(torch.device("cuda", 0))


@pytest.fixture
def cuda(monkeypatch):
    """A GPU of NVIDIA's whose runtime writes down what is asked of it; and what it wrote."""
    told = []

    class Stream:
        def __init__(self, name):
            self.name = name

        def wait_stream(self, other):
            told.append(f"{self.name} waits for {other.name}")

    class Graph:
        def capture_begin(self):
            told.append("begin")

        def capture_end(self):
            told.append("end")

        def replay(self):
            told.append("replay")

    @contextmanager
    def entered(stream):
        told.append(f"in {stream.name}")
        yield
        told.append(f"out of {stream.name}")

    fakes = {"Stream": lambda _: Stream("own"), "current_stream": lambda _: Stream("usual"), "stream": entered}
    for name, fake in {**fakes, "CUDAGraph": Graph, "synchronize": lambda _: told.append("wait")}.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return Cuda(torch.device("cuda", 0)), told


ASIDE = ["own waits for usual", "in own", "computed", "out of own", "usual waits for own"]


def test_a_gpu_warms_up_on_the_stream_that_captures(cuda):
    device, told = cuda
    assert device.aside(lambda: told.append("computed") or 3) == 3
    assert told == ASIDE


def test_a_gpu_captures_on_a_stream_of_its_own_while_no_garbage_is_collected(cuda):
    device, told = cuda
    result, replay = device.capture(lambda: told.append("computed") or gc.isenabled())
    assert result is False and gc.isenabled()
    assert told == ["wait", *ASIDE[:2], "begin", "computed", "end", *ASIDE[3:]]
    replay()
    assert told[-1] == "replay"


def test_a_capture_that_fails_is_ended(cuda):
    device, told = cuda
    with pytest.raises(ZeroDivisionError):
        device.capture(lambda: 1 / 0)
    assert told[-2:] == ["begin", "end"] and gc.isenabled()
