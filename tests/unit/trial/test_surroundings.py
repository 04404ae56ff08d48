"""Loops that take turns in one process: each finds what it left, and nothing of another's."""

import locale
import logging
import os
import random
import subprocess
import sys
import warnings
from contextvars import ContextVar
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hpsearch.trial.surroundings import Surroundings

WORD = ContextVar("WORD", default="none")


def draws():
    for _ in range(4):
        yield random.random(), np.random.random(), torch.rand(()).item()


def turns(loops, order):
    """What loops yield, by name, taking turns in an order of names."""
    places = {name: Surroundings(seed) for name, (seed, _) in loops.items()}
    seen = {name: [] for name in loops}
    for name in order:
        seen[name].append(places[name].run(next, loops[name][1]))
    return seen


def test_global_generators_are_the_same_whoever_takes_turns():
    alone = {name: turns({name: (seed, draws())}, name * 4)[name] for name, seed in (("a", 1), ("b", 2))}
    together = turns({"a": (1, draws()), "b": (2, draws())}, "abbabaab")
    assert together == alone
    assert len({*alone["a"], *alone["b"]}) == 8


def test_the_process_is_left_as_it_was(tmp_path):
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    expected = random.random(), np.random.random(), torch.rand(()).item()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    Surroundings(0).run(next, draws())
    assert (random.random(), np.random.random(), torch.rand(()).item()) == expected


def in_folder(folder):
    os.chdir(folder)
    yield str(Path.cwd())
    yield str(Path.cwd())


def with_environment(value):
    os.environ["OF_A_TEST"] = value
    del os.environ["HOME"]
    yield os.environ["OF_A_TEST"], "HOME" in os.environ
    yield os.environ["OF_A_TEST"], "HOME" in os.environ


def with_argv(*words):
    sys.argv = ["train.py", *words]
    yield list(sys.argv)
    yield list(sys.argv)


def with_word(word):
    WORD.set(word)
    yield WORD.get()
    yield WORD.get()


def with_dtype(dtype):
    torch.set_default_dtype(dtype)
    yield torch.zeros(1).dtype
    yield torch.zeros(1).dtype


def with_default_device(device):
    torch.set_default_device(device)
    yield torch.zeros(1).device.type
    yield torch.zeros(1).device.type


def inside_device(device):
    with torch.device(device):
        yield torch.zeros(1).device.type
        yield torch.zeros(1).device.type


def without_gradients(wanted):
    with torch.set_grad_enabled(wanted):
        yield (torch.ones(1, requires_grad=True) * 2).requires_grad
        yield (torch.ones(1, requires_grad=True) * 2).requires_grad


def in_inference(wanted):
    with torch.inference_mode(wanted):
        yield torch.ones(1).is_inference()
        yield torch.ones(1).is_inference()


def in_autocast(wanted):
    layer = nn.Linear(2, 2)
    with torch.autocast("cpu", enabled=wanted):
        yield layer(torch.ones(1, 2)).dtype
        yield layer(torch.ones(1, 2)).dtype


def with_threads(number):
    torch.set_num_threads(number)
    yield torch.get_num_threads()
    yield torch.get_num_threads()


def with_deterministic_kernels(wanted):
    torch.use_deterministic_algorithms(wanted)
    yield torch.are_deterministic_algorithms_enabled()
    yield torch.are_deterministic_algorithms_enabled()


def with_errors(how):
    with np.errstate(divide=how):
        yield np.geterr()["divide"]
        yield np.geterr()["divide"]


def with_streams(stream):
    sys.stdout = stream
    yield sys.stdout
    yield sys.stdout


def with_umask(umask):
    os.umask(umask)
    yield os.umask(umask)
    yield os.umask(umask)


def with_locale(name):
    locale.setlocale(locale.LC_ALL, name)
    yield locale.setlocale(locale.LC_CTYPE)
    yield locale.setlocale(locale.LC_CTYPE)


def with_warnings(action):
    warnings.simplefilter(action)
    yield warnings.filters[0][0]
    yield warnings.filters[0][0]


def with_logging(level):
    logging.disable(level)
    yield logging.getLogger("of a test").isEnabledFor(logging.CRITICAL)
    yield logging.getLogger("of a test").isEnabledFor(logging.CRITICAL)


def process():
    umask = os.umask(0o077)
    os.umask(umask)
    return sys.stdout, umask, locale.setlocale(locale.LC_ALL), list(warnings.filters), logging.root.manager.disable


def outside(tmp_path):
    device = torch.zeros(1).device, torch.get_default_device(), torch.get_default_dtype()
    modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
    kernels = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    return str(Path.cwd()), dict(os.environ), list(sys.argv), WORD.get(), np.geterr(), device, modes, kernels, process()


LOOPS = {
    "folder": (in_folder, ".", ".."),
    "environment": (with_environment, "a", "b"),
    "argv": (with_argv, "a", "b"),
    "context variable": (with_word, "a", "b"),
    "default dtype": (with_dtype, torch.float64, torch.float16),
    "default device": (with_default_device, "meta", "cpu"),
    "device": (inside_device, "meta", "cpu"),
    "gradients": (without_gradients, False, True),
    "inference": (in_inference, True, False),
    "autocast": (in_autocast, True, False),
    "threads": (with_threads, 1, 2),
    "deterministic": (with_deterministic_kernels, True, False),
    "streams": (with_streams, None, print),
    "umask": (with_umask, 0o077, 0o027),
    "locale": (with_locale, "C", "C.UTF-8"),
    "warnings": (with_warnings, "error", "ignore"),
    "logging": (with_logging, logging.CRITICAL, logging.INFO),
    "errors of numpy": (with_errors, "raise", "ignore"),
}


@pytest.mark.parametrize("name", LOOPS)
@pytest.mark.parametrize("order", ["abab", "abba"])
def test_a_loop_finds_what_it_left_and_nothing_of_another(name, order, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loop, first, second = LOOPS[name]
    before = outside(tmp_path)
    seen = {}
    loops = {"a": (1, loop(first)), "b": (2, loop(second))}
    places = {each: Surroundings(seed) for each, (seed, _) in loops.items()}
    for each in order:
        seen.setdefault(each, []).append(places[each].run(next, loops[each][1]))
        assert outside(tmp_path) == before
    assert seen["a"][0] == seen["a"][1] != seen["b"][0] == seen["b"][1]
    for each in order[2:]:
        places[each].run(loops[each][1].close)
        assert outside(tmp_path) == before


def test_weights_cast_by_autocast_are_not_those_of_before_an_update_of_another_loop():
    def trains(layer):
        for _ in range(3):
            with torch.autocast("cpu"):
                out = layer(torch.ones(1, 2)).float().sum()
                yield out.item()
            with torch.no_grad():
                layer.weight += 1

    def layer():
        torch.manual_seed(0)
        return nn.Linear(2, 1)

    alone = turns({"a": (0, trains(layer()))}, "aaa")["a"]
    together = turns({"a": (0, trains(layer())), "b": (0, trains(layer()))}, "abbaab")
    assert together == {"a": alone, "b": alone}


def test_an_error_passes_and_leaves_the_process_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def fails():
        os.chdir("/")
        torch.set_default_dtype(torch.float64)
        raise KeyError("here")

    with pytest.raises(KeyError, match="here"):
        Surroundings(0).run(fails)
    assert Path.cwd() == tmp_path and torch.get_default_dtype() is torch.float32


def test_a_folder_that_is_gone_is_none(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert Surroundings(0).run(lambda: 5) == 5


LATE = """
import sys
from hpsearch.trial.surroundings import Surroundings

def draws():
    yield "torch" in sys.modules
    import torch
    torch.set_default_dtype(torch.float64)
    for _ in range(3):
        yield torch.rand(()).item()

{prepare}
loops = {{"a": (Surroundings(1), draws()), "b": (Surroundings(2), draws())}}
seen = {{name: [] for name in loops}}
for name in "{order}":
    surroundings, loop = loops[name]
    seen[name].append(surroundings.run(next, loop))
print(seen["a"][1:], seen["b"][1:])
import torch
assert torch.get_default_dtype() is torch.float32, "what a loop sets stays its own"
assert not any(type(finder).__name__ == "_Watch" for finder in sys.meta_path)
"""


def test_torch_that_is_imported_late_is_seeded():
    """Whether a loop imports it first, finds it imported by another while it waited, or before it began."""

    def printed(order, prepare=""):
        program = LATE.format(order=order, prepare=prepare)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300)
        assert not done.stderr
        return done.stdout

    alone = printed("aaaabbbb", "import torch")
    assert alone == printed("aaaabbbb") == printed("abaaabbb") == printed("babbbaaa")
