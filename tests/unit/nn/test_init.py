import math
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.config.build import build
from hpsearch.nn.init import Constant, Default, Normal, Orthogonal, VarianceScaling, redraw
from hpsearch.nn.layers import conv_block, dense_block
from hpsearch.nn.style import Style

CONF = Path(__file__).parents[3] / "conf" / "init"
N = 512


def option(name, **changes):
    return build("init", yaml.safe_load((CONF / f"{name}.yaml").read_text()) | changes)


def drawn(initializer, layer, seed=0):
    initializer.initialize(layer, seed)
    return layer.weight.detach()


MOMENTS = {  # standard deviation, fourth moment over variance squared
    "normal": (0.01, 3.0),
    "xavier_normal": (math.sqrt(2 / (N + N)), 3.0),
    "xavier_uniform": (math.sqrt(2 / (N + N)), 1.8),
    "he_normal": (math.sqrt(2 / N), 3.0),
    "he_uniform": (math.sqrt(2 / N), 1.8),
    "lecun_normal": (math.sqrt(1 / N), 3.0),
    "orthogonal": (math.sqrt(1 / N), 3.0),
}


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_mean_and_deviation_are_those_of_the_formula(name, seed):
    std, kurtosis = MOMENTS[name]
    weight = drawn(option(name), nn.Linear(N, N), seed).double()
    assert abs(weight.mean()) < 3 * std / N
    assert abs(weight.std() - std) < 3 * std * math.sqrt((kurtosis - 1) / 4) / N


def test_every_option_has_a_test():
    assert {file.stem for file in CONF.glob("*.yaml")} == MOMENTS.keys() | {"default", "zeros", "constant"}


@pytest.mark.parametrize(("name", "scale"), [("he_uniform", 6 / 300), ("xavier_uniform", 6 / (300 + 100))])
def test_uniform_draws_fill_their_interval(name, scale):
    weight = drawn(option(name), nn.Linear(300, 100))
    assert 0.999 * math.sqrt(scale) < weight.abs().max() <= math.sqrt(scale)


@pytest.mark.parametrize(("fan", "size"), [("in", 8 * 9), ("avg", (8 * 9 + 32 * 9) / 2)])
def test_the_fan_of_a_convolution_counts_its_kernel(fan, size):
    weight = drawn(VarianceScaling(scale=2.0, fan=fan), nn.Conv2d(8, 32, 3))
    assert weight.std() == pytest.approx(math.sqrt(2 / size), rel=0.06)


def test_constants():
    assert drawn(option("zeros"), nn.Linear(3, 2)).tolist() == [[0.0] * 3] * 2
    assert drawn(option("constant", value=0.5), nn.Linear(3, 2)).tolist() == [[0.5] * 3] * 2


def test_a_truncated_normal_has_no_tails():
    weight = drawn(Normal(std=0.05, truncate=True), nn.Linear(N, N))
    assert 0.0999 < weight.abs().max() <= 0.1
    assert weight.std() == pytest.approx(0.05 * 0.8796, rel=0.01)


@pytest.mark.parametrize("shape", [(5, 9), (9, 5)])
def test_orthogonal_rows_or_columns(shape):
    weight = drawn(Orthogonal(gain=2.0), nn.Linear(shape[1], shape[0]))
    product = weight @ weight.T if shape[0] < shape[1] else weight.T @ weight
    torch.testing.assert_close(product, 4.0 * torch.eye(5))


def test_default_keeps_everything():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LSTM(2, 3), dense_block(3, 4, Style(norm="weight")))
    before = [p.clone() for p in model.parameters()]
    option("default").initialize(model, 0)
    assert all(torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))


def test_normalizations_and_embeddings_are_left_alone():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.LayerNorm(4), nn.Embedding(4, 4), nn.PReLU())
    before = [p.clone() for p in model.parameters()]
    Constant(value=7.0, bias=7.0).initialize(model, 0)
    assert all(torch.equal(p, q) for p, q in zip(before, model.parameters(), strict=True))


def test_each_weight_is_addressed_by_seed_and_name():
    he = VarianceScaling()
    one = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    two = nn.Sequential(nn.Linear(9, 4), nn.Linear(4, 4))
    for model in (one, two):
        he.initialize(model, 3)
    assert torch.equal(one[1].weight, two[1].weight)
    assert not torch.equal(one[0].weight, one[1].weight)
    he.initialize(two, 4)
    assert not torch.equal(one[1].weight, two[1].weight)


def test_the_global_generator_is_left_alone():
    layer, state = nn.Linear(4, 4), torch.get_rng_state()
    VarianceScaling().initialize(layer, 0)
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize(
    ("layer", "gates"), [(nn.RNN(6, 6), 1), (nn.GRU(6, 6), 3), (nn.LSTM(6, 6), 4), (nn.LSTMCell(6, 6), 4)]
)
def test_each_gate_of_a_recurrent_layer_is_a_weight_of_its_own(layer, gates):
    Orthogonal(bias=0.25).initialize(layer, 0)
    for name, p in layer.named_parameters():
        if "weight" in name:
            parts = p.detach().chunk(gates)
            assert not any(torch.equal(parts[0], part) for part in parts[1:])
            for part in parts:
                torch.testing.assert_close(part @ part.T, torch.eye(6))
        else:
            assert torch.equal(p, torch.full_like(p, 0.25))


def test_the_projections_of_attention_are_weights_of_their_own():
    layer = nn.MultiheadAttention(8, 2)
    Orthogonal().initialize(layer, 0)
    for part in layer.in_proj_weight.detach().chunk(3):
        torch.testing.assert_close(part @ part.T, torch.eye(8))
    assert not layer.in_proj_bias.any()


def test_a_normalized_weight_is_drawn_as_the_layer_shows_it():
    block = conv_block(16, 64, 3, Style(norm="weight"))
    VarianceScaling().initialize(block, 0)
    assert block[0].weight.std().item() == pytest.approx(math.sqrt(2 / (16 * 9)), rel=0.05)
    plain = conv_block(16, 64, 3, Style())
    VarianceScaling().initialize(plain, 0)
    torch.testing.assert_close(block[0].weight, plain[0].weight)


PRIOR = torch.tensor([0.5, 0.25, 0.25])


def test_biases():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3))
    Normal(bias=0.05).initialize(model, 0)
    assert model[0].bias.tolist() == model[2].bias.tolist() == pytest.approx([0.05] * 3)
    Normal(bias=None, output_bias=1).initialize(model, 0)
    assert (model[0].bias.tolist(), model[2].bias.tolist()) == (pytest.approx([0.05] * 3), [1.0] * 3)


def test_the_log_prior_predicts_the_shares_of_the_classes():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 3))
    Constant(output_bias="log_prior").initialize(model, 0, PRIOR)
    torch.testing.assert_close(model(torch.randn(1, 2)).softmax(1)[0], PRIOR)
    assert not model[0].bias.any()


def test_the_log_prior_of_one_sigmoid_unit_is_the_log_odds():
    model = nn.Linear(2, 1)
    Constant(output_bias="log_prior").initialize(model, 0, torch.tensor([0.2, 0.8]))
    torch.testing.assert_close(model(torch.randn(1, 2)).sigmoid().item(), 0.8)


@pytest.mark.parametrize(
    ("model", "prior", "message"),
    [
        (nn.Linear(2, 3), None, "the targets are no classes"),
        (nn.Linear(2, 4), PRIOR, "the model's last bias has 4 entries, not 3"),
        (nn.Linear(2, 3, bias=False), PRIOR, "the model has no bias"),
    ],
)
def test_no_log_prior(model, prior, message):
    with pytest.raises(ConfigError, match=f"init.output_bias = 'log_prior': {message}"):
        Default(output_bias="log_prior").initialize(model, 0, prior)


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        (Default, "bias", "zero"),
        (Default, "output_bias", "log_priors"),
        (Default, "output_bias", True),
        (Constant, "value", None),
        (Normal, "std", 0.0),
        (Normal, "truncate", 1),
        (VarianceScaling, "scale", -1.0),
        (VarianceScaling, "fan", "out"),
        (VarianceScaling, "distribution", "cauchy"),
        (Orthogonal, "gain", 0.0),
    ],
)
def test_a_bad_option_is_named(kind, key, value):
    with pytest.raises(ConfigError, match=f"^init.{key} = "):
        kind(**{key: value})


def test_a_constructor_may_draw_as_its_publication_says():
    model = nn.Sequential(nn.Linear(3, 2), dense_block(2, 2, Style(norm="weight")))
    redraw(model, nn.init.ones_, bias=0.5)
    torch.testing.assert_close(model[1][0].weight, torch.ones(2, 2))
    assert model[0].weight.tolist() == [[1.0] * 3] * 2
    assert model[0].bias.tolist() == model[1][0].bias.tolist() == [0.5, 0.5]
