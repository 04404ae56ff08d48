"""Which device is chosen, and what it cannot promise."""

import pytest

from hpsearch.base.devices import choose_device, not_promised
from hpsearch.base.errors import ConfigError


@pytest.mark.parametrize(
    ("asked", "gpus", "mps", "chosen"),
    [
        ("auto", 2, True, "cuda"),
        ("auto", 0, True, "mps"),
        ("auto", 0, False, "cpu"),
        ("cpu", 2, True, "cpu"),
        ("mps", 2, True, "mps"),
        ("cuda", 1, False, "cuda"),
        ("cuda:1", 2, False, "cuda:1"),
    ],
)
def test_auto_takes_cuda_then_apples_gpu_then_the_processor(asked, gpus, mps, chosen):
    assert choose_device(asked, gpus, mps) == chosen


@pytest.mark.parametrize(("asked", "gpus"), [("cuda", 0), ("cuda:1", 1), ("mps", 1)])
def test_a_device_that_is_not_there_is_refused(asked, gpus):
    with pytest.raises(ConfigError, match=f"trainer.device = '{asked}': this machine has"):
        choose_device(asked, gpus, mps=False)


def test_only_apples_gpu_promises_less():
    assert "not promised" in not_promised("mps (Apple M2)")
    assert not_promised("NVIDIA H200") == not_promised("") == ""
