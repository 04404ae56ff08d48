import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.nin import NiN


def test_the_outputs_are_means_of_maps_and_may_be_negative():
    torch.manual_seed(0)
    model = NiN((1, 28, 28), 10, ratio=8).eval()
    x = torch.randn(4, 1, 28, 28)
    maps = model.output(model.features(x))
    assert maps.shape == (4, 10, 3, 3)
    torch.testing.assert_close(model(x), maps.mean((2, 3)))
    assert (model(x) < 0).any()


@pytest.mark.parametrize("pointwise", [1, 2, 3])
def test_the_number_of_1x1_convolutions(pointwise):
    model = NiN((1, 28, 28), 10, ratio=8, pointwise=pointwise)
    kernels = [m.kernel_size[0] for m in model.modules() if isinstance(m, nn.Conv2d)]
    expected = [kernel for first in (3, 5, 3, 3) for kernel in (first, *[1] * pointwise)]
    assert kernels == expected


def test_it_has_the_published_layers():
    with torch.device("meta"):
        model = NiN((3, 224, 224), 1000, stem="original")
    shapes = [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert shapes == [
        (96, 3, 11, 11), (96, 96, 1, 1), (96, 96, 1, 1),
        (256, 96, 5, 5), (256, 256, 1, 1), (256, 256, 1, 1),
        (384, 256, 3, 3), (384, 384, 1, 1), (384, 384, 1, 1),
        (1024, 384, 3, 3), (1024, 1024, 1, 1), (1000, 1024, 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), [("channels", [96]), ("pointwise", 0), ("stem", "tiny"), ("ratio", 97), ("dropout", 1)]
)
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key}"):
        NiN((1, 32, 32), 10, **{key: value})
