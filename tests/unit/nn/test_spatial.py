import math

import pytest
import torch

from hpsearch.nn.init import VarianceScaling
from hpsearch.nn.spatial import SpatialTransformer, affine_grid
from hpsearch.nn.style import Style


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return SpatialTransformer((2, 9, 7), 4, 5, Style())


def test_it_starts_as_the_identity_whatever_the_initialization(layer):
    x = torch.randn(3, 2, 9, 7)
    torch.testing.assert_close(layer(x), x)
    VarianceScaling().initialize(layer, seed=1)
    torch.testing.assert_close(layer(x), x)


def pixel(image, row, column):
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column].item() if inside else 0.0


def slow_sample(image, theta):
    """Interpolate each pixel of the output by hand; coordinates -1 and 1 are the edges of the image."""
    height, width = image.shape
    out = torch.zeros(height, width)
    for i in range(height):
        for j in range(width):
            point = torch.tensor([(2 * j + 1) / width - 1, (2 * i + 1) / height - 1, 1.0])
            x, y = (theta @ point).tolist()
            column, row = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
            top, left = math.floor(row), math.floor(column)
            for r in (top, top + 1):
                for c in (left, left + 1):
                    out[i, j] += (1 - abs(row - r)) * (1 - abs(column - c)) * pixel(image, r, c)
    return out


def test_an_affine_map_moves_the_image(layer):
    theta = torch.tensor([[0.8, -0.3, 0.1], [0.2, 1.1, -0.25]])
    layer.bias.data.copy_(theta.flatten())
    x = torch.randn(1, 2, 9, 7)
    expected = torch.stack([slow_sample(maps, theta) for maps in x[0]])
    torch.testing.assert_close(layer(x)[0], expected, atol=1e-5, rtol=1e-5)


def test_the_localization_network_learns(layer):
    x = torch.randn(3, 2, 9, 7)
    loss = (layer(x) - x.roll(1, -1)).square().mean()
    loss.backward()
    assert layer.weight.grad.abs().sum() > 0
    layer.weight.data.sub_(layer.weight.grad)
    (layer(x) - x.roll(1, -1)).square().mean().backward()
    assert layer.localization[0][0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("size", [(12, 12), (5, 9), (1, 3)])
def test_the_grid_is_that_of_torch(size):
    theta = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = torch.nn.functional.affine_grid(theta, [4, 1, *size], align_corners=False)
    torch.testing.assert_close(affine_grid(theta, *size), expected, rtol=0, atol=1e-6)
