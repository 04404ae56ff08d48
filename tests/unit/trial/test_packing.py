import pickle
import sys
from types import ModuleType

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.trial.packing import is_only_here, packed


class OnDevice(torch.Tensor):
    device = property(lambda self: torch.device("cuda:0"))


def refers_to(value):
    def train():
        return value

    return train


def test_a_tensor_of_this_memory_goes_along_and_one_of_a_gpu_does_not():
    assert pickle.loads(packed("train", refers_to(torch.arange(3))))().tolist() == [0, 1, 2]
    with pytest.raises(ConfigError, match=r"^train: `value`, a OnDevice, .* \(it lies in the memory of cuda:0\)"):
        packed("train", refers_to(torch.zeros(2).as_subclass(OnDevice)))


def test_what_refers_to_itself_is_packed_and_named():
    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    assert pickle.loads(packed("even", even))(4)
    loop = {"me": None, "bad": (each for each in "ab")}
    loop["me"] = loop
    with pytest.raises(ConfigError, match=r"`bad` of value, a generator,"):
        packed("train", refers_to(loop))


@pytest.fixture
def module(monkeypatch):
    module = ModuleType("made_here")
    monkeypatch.setitem(sys.modules, "made_here", module)
    exec("FACTOR = 3\ndef helper(x):\n    return FACTOR * x\ndef train(x):\n    return helper(x)\n", vars(module))
    return module


def test_a_function_of_a_module_without_a_file_takes_it_along(module, monkeypatch):
    assert is_only_here("made_here") and not is_only_here(__name__)
    content = packed("train", module.train)
    monkeypatch.delitem(sys.modules, "made_here")
    assert pickle.loads(content)(2) == 6


def test_a_module_that_is_still_being_imported_is_only_here(tmp_path, monkeypatch):
    text = (
        "import sys\nfrom hpsearch.trial.packing import is_only_here\ndef f(): ...\nsys.was = is_only_here(__name__)\n"
    )
    (tmp_path / "half_way.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "was", None, raising=False)
    import half_way

    assert sys.was and not is_only_here(half_way.__name__)
