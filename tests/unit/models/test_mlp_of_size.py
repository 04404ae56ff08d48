"""Networks of a depth and a number of parameters."""

from itertools import pairwise

import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.mlp_of_size import MLPOfSize, widths


def dense(hidden, inputs=64, outputs=10):
    """Parameters of fully connected layers, by hand."""
    sizes = [inputs, *hidden, outputs]
    return sum(a * b + b for a, b in pairwise(sizes))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("parameters", [5_000, 20_000, 300_000])
def test_the_widths_are_the_nearest_of_all_tried_one_by_one(depth, parameters):
    found = widths(dense, depth, parameters)
    tried = [[w + 1] * k + [w] * (depth - k) for w in range(1, max(found) + 3) for k in range(depth)]
    assert abs(dense(found) - parameters) == min(abs(dense(each) - parameters) for each in tried)
    assert len(found) == depth and max(found) - min(found) <= 1


@pytest.mark.parametrize("kind", [{}, {"norm": "batch"}, {"activation": "maxout"}, {"activation": "crelu"}])
@pytest.mark.parametrize(("in_shape", "asked"), [((1, 8, 8), 20_000), ((1, 28, 28), 200_000), ((13,), 20_000)])
def test_networks_of_all_depths_have_as_many_parameters_within_two_percent(kind, in_shape, asked):
    counts = [
        sum(each.numel() for each in MLPOfSize(in_shape, 10, depth=depth, parameters=asked, **kind).parameters())
        for depth in (1, 2, 4, 8)
    ]
    assert max(counts) <= 1.02 * min(counts) and abs(counts[0] - asked) < 0.02 * asked


def test_it_is_the_network_of_its_widths():
    model = MLPOfSize((1, 8, 8), 10, depth=3, parameters=5_000)
    found = [block[0].out_features for block in model.hidden]
    assert found == widths(dense, 3, 5_000) and model(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert not any(each.is_meta for each in model.parameters())


def test_a_number_that_no_network_of_the_depth_has_is_refused():
    with pytest.raises(ConfigError, match=r"model.parameters = 50: a network of depth 2 on this data has at least 87"):
        MLPOfSize((1, 8, 8), 10, depth=2, parameters=50)
