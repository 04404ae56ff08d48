import math

import pytest
import torch
from torch import nn

from hpsearch.errors import ConfigError
from hpsearch.nn import initialize


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 16, 5), nn.BatchNorm2d(16), nn.Flatten(), nn.Linear(400, 300))


def test_default_keeps_what_torch_drew():
    one, two = model(), model()
    initialize(two, "default")
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize(("layer", "fan_in", "fan_out"), [(0, 3 * 25, 16 * 25), (3, 400, 300)])
def test_xavier_uniform_fills_its_interval_and_leaves_the_rest(layer, fan_in, fan_out):
    before, after = model(), model()
    initialize(after, "xavier_uniform")
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight = after[layer].weight
    assert bound * 0.98 < weight.abs().max() <= bound
    assert abs(weight.std() / (bound / math.sqrt(3)) - 1) < 0.05
    assert torch.equal(before[layer].bias, after[layer].bias)
    assert torch.equal(after[1].weight, torch.ones(16))


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match=r"model.init = 'xavier': must be one of default, xavier_uniform"):
        initialize(model(), "xavier")
