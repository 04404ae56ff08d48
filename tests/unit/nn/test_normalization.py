import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.normalization import NORMS, normalization, norms_with, weighted

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


@pytest.mark.parametrize("name", norms_with("eps"))
def test_epsilon_is_added_to_the_variance(name):
    x = torch.randn(4, 16, 5, 5) / 10
    groups = {"group": x.view(4, 2, -1), "layer": x.view(4, 1, -1), "instance": x.view(4, 16, -1)}
    split = groups.get(name, x.transpose(0, 1).reshape(1, 16, -1))
    means, variances = split.mean(2, keepdim=True), split.var(2, unbiased=False, keepdim=True)
    expected = (split - means) / (variances + 0.5).sqrt()
    expected = expected.view(16, 4, 5, 5).transpose(0, 1) if name == "batch" else expected.view_as(x)
    torch.testing.assert_close(normalization(name, 16, 2, eps=0.5)(x), expected)


def test_the_number_of_groups_can_be_chosen():
    x = torch.randn(2, 12, 3, 3)
    torch.testing.assert_close(normalization("group", 12, 2, groups=4)(x), nn.functional.group_norm(x, 4))
    with pytest.raises(ConfigError, match=r"model.norm_groups = 5: must divide the 12 channels of every layer"):
        normalization("group", 12, 2, groups=5)


def test_the_momentum_of_batch_normalization_is_the_share_of_a_batch():
    norm, batches = normalization("batch", 3, 0, momentum=0.4), [torch.randn(8, 3) for _ in range(2)]
    mean, variance = torch.zeros(3), torch.ones(3)
    for x in batches:
        norm(x)
        mean, variance = 0.6 * mean + 0.4 * x.mean(0), 0.6 * variance + 0.4 * x.var(0)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)


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


def test_the_constants_of_local_response_can_be_chosen():
    x = torch.rand(1, 8, 2, 2) * 3
    out = normalization("local_response", 8, 2, size=3, alpha=0.1, beta=0.5, k=1.5)(x)
    for i in range(8):
        near = x[:, max(0, i - 1) : i + 2].square().sum(1)
        torch.testing.assert_close(out[:, i], x[:, i] / (1.5 + 0.1 * near) ** 0.5)


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
