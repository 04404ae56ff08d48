import torch
from torch import nn

from hpsearch.models.linear import LinearRegression


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
