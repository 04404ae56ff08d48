import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.normalization import NORMS, normalization, weighted

AXES = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}


@pytest.mark.parametrize("name", AXES)
def test_mean_and_variance_are_taken_over_the_axes_it_says(name):
    x = 3 + 2 * torch.randn(4, 16, 5, 5)
    mean = x.mean(AXES[name], keepdim=True)
    variance = x.var(AXES[name], unbiased=False, keepdim=True)
    torch.testing.assert_close(normalization(name, 16, 2)(x), (x - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize(("channels", "groups"), [(6, 1), (16, 2), (20, 2), (64, 8), (66, 6), (512, 32)])
def test_groups(channels, groups):
    norm = normalization("group", channels, 2)
    assert norm.num_groups == groups
    x = torch.randn(2, channels, 3, 3)
    split = x.view(2, groups, -1)
    expected = (split - split.mean(2, keepdim=True)) / (split.var(2, unbiased=False, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(norm(x), expected.view_as(x))


def test_features_are_normalized_over_the_last_axis_by_layer():
    x = torch.randn(2, 7, 12)
    torch.testing.assert_close(normalization("layer", 12, 0)(x), nn.functional.layer_norm(x, (12,)))


def test_batch_normalization_uses_running_averages_in_evaluation():
    norm, x = normalization("batch", 3, 0), torch.randn(8, 3)
    norm(x)
    expected = (x - 0.1 * x.mean(0)) / (0.9 + 0.1 * x.var(0) + 1e-5).sqrt()
    torch.testing.assert_close(norm.eval()(x), expected)


def test_local_response_is_the_published_formula():
    x = torch.rand(1, 8, 2, 2) * 30
    out = normalization("local_response", 8, 2)(x)
    for i in range(8):
        near = x[:, max(0, i - 2) : i + 3].square().sum(1)
        torch.testing.assert_close(out[:, i], x[:, i] / (2 + 1e-4 * near) ** 0.75)


@pytest.mark.parametrize("name", ["none", "weight"])
def test_what_does_nothing_to_activations(name):
    x = torch.randn(2, 3)
    assert normalization(name, 3, 0)(x) is x


@pytest.mark.parametrize("layer", [nn.Linear(6, 4), nn.Conv2d(6, 4, 3)])
def test_weight_normalization_equals_torch(layer):
    weight = layer.weight.detach().clone()
    theirs = type(layer)(6, 4, *(layer.kernel_size[:1] if isinstance(layer, nn.Conv2d) else ()))
    theirs.load_state_dict(layer.state_dict())
    weighted(layer, "weight")
    torch.testing.assert_close(layer.weight, weight)
    nn.utils.parametrizations.weight_norm(theirs)
    for each in (layer, theirs):
        (each.weight * torch.arange(each.weight.numel()).view_as(each.weight)).sum().backward()
    mine, other = layer.parametrizations.weight, theirs.parametrizations.weight
    torch.testing.assert_close(mine.original0.grad, other.original0.grad.flatten())
    torch.testing.assert_close(mine.original1.grad, other.original1.grad)


def test_weight_normalization_of_zeros_stays_finite():
    layer = nn.Linear(3, 2)
    nn.init.zeros_(layer.weight)
    assert torch.equal(weighted(layer, "weight").weight, torch.zeros(2, 3))


@pytest.mark.parametrize("name", ["instance", "local_response"])
def test_what_needs_feature_maps(name):
    with pytest.raises(ConfigError, match=rf"model.norm = '{name}': needs feature maps"):
        normalization(name, 8, 0)


def test_an_unknown_name_is_refused():
    with pytest.raises(ConfigError, match=r"model.norm = 'bach': must be one of .*did you mean 'batch'\?"):
        normalization("bach", 8, 0)
    assert list(NORMS) == ["none", "batch", "layer", "instance", "group", "weight", "local_response"]
