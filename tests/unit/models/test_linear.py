import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.models.linear import LinearRegression, LogisticRegression, SoftmaxRegression


def test_gradient_descent_finds_the_least_squares_solution():
    torch.manual_seed(0)
    x, y = torch.randn(50, 3), torch.randn(50, 2)
    model = LinearRegression((3,), 2)
    optimizer = torch.optim.SGD(model.parameters(), 0.3)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    exact = torch.linalg.lstsq(torch.cat([x, torch.ones(50, 1)], 1), y).solution
    torch.testing.assert_close(torch.cat([model.output.weight.T, model.output.bias[None]]), exact, atol=1e-5, rtol=1e-4)


def test_images_are_flattened():
    assert LinearRegression((1, 8, 8), 10)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


def test_outputs_are_linear_in_the_flattened_input():
    model = SoftmaxRegression((1, 8, 8), 10)
    x = torch.randn(5, 1, 8, 8)
    expected = x.reshape(5, 64) @ model.output.weight.T + model.output.bias
    torch.testing.assert_close(model(x), expected)
    assert sum(p.numel() for p in model.parameters()) == 650


def test_one_sigmoid_unit_is_a_softmax_over_two_classes():
    one, two = LogisticRegression((4,), 2), SoftmaxRegression((4,), 2)
    with torch.no_grad():
        one.output.weight.copy_(two.output.weight[1:] - two.output.weight[:1])
        one.output.bias.copy_(two.output.bias[1:] - two.output.bias[:1])
    x, y = torch.randn(8, 4), torch.randint(2, (8,))
    torch.testing.assert_close(one(x).sigmoid()[:, 0], two(x).softmax(1)[:, 1])
    torch.testing.assert_close(BinaryCrossEntropy()(one(x), y), torch.nn.functional.cross_entropy(two(x), y))


@pytest.mark.parametrize("classes", [1, 3, 10])
def test_it_needs_two_classes(classes):
    with pytest.raises(ConfigError, match=f"needs data of 2 classes, this has {classes}; use model=softmax"):
        LogisticRegression((4,), classes)
