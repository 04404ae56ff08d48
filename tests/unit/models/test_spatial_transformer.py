import pytest
import torch

from hpsearch.base.errors import ConfigError
from hpsearch.models.spatial_transformer import SpatialTransformerNet


def test_at_the_start_it_is_lenet():
    model = SpatialTransformerNet((1, 28, 28), 10)
    x = torch.randn(2, 1, 28, 28)
    torch.testing.assert_close(model(x), model.output(model.hidden(model.features(x).flatten(1))), atol=1e-4, rtol=1e-4)


def test_it_has_both_parts_parameters():
    model = SpatialTransformerNet((1, 28, 28), 10)
    localization = 25 * 16 + 16 + 25 * 256 + 16 + 49 * 16 * 32 + 32 + 6 * 32 + 6
    assert sum(p.numel() for p in model.parameters()) == 61_706 + localization


@pytest.mark.parametrize("activation", ["crelu", "maxout"])
def test_activations_that_change_the_number_of_maps(activation):
    model = SpatialTransformerNet((3, 12, 16), 4, activation=activation, norm="batch")
    assert model(torch.randn(2, 3, 12, 16)).shape == (2, 4)


def test_too_small_an_image_is_told_the_smallest():
    with pytest.raises(ConfigError, match=r"needs images of at least 12x12 pixels.*model.kernel_size=3 fits"):
        SpatialTransformerNet((1, 8, 8), 10)


@pytest.mark.parametrize("option", ["localization_width", "localization_hidden", "kernel_size"])
def test_a_bad_option_is_named(option):
    with pytest.raises(ConfigError, match=rf"^model\.{option}"):
        SpatialTransformerNet((1, 28, 28), 10, **{option: 0})
