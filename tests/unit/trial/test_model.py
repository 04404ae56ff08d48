"""Models with lazy layers."""

import pytest
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from hpsearch.base.errors import ConfigError
from hpsearch.config.compose import compose
from hpsearch.trial.build import preflight, prepare
from tests.support.jobs import same_weights, weights


class Lazy(nn.Sequential):
    """Its layers learn their sizes from the first sample."""

    def __init__(self, in_shape, num_outputs, bad=False):
        layers = [nn.Flatten(), nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(num_outputs)]
        super().__init__(*([nn.Conv3d(5, 1, 1)] if bad else []), *layers)


def config(seed=0, **model):
    words = ["plugins=[tests]", "model=mlp", "data.train_size=60", "data.batch_size=30", "optimizer=adam"]
    found = compose(words).trial({}, seed, 0).config
    return {**found, "model": {"_target_": "tests.unit.trial.test_model.Lazy", **model}}


def test_lazy_layers_have_their_weights_before_the_optimizer_and_the_same_at_every_time():
    first = prepare(config())
    torch.rand(3)
    again, other = prepare(config()), prepare(config(seed=1))
    assert not any(is_lazy(each) for each in (*first.model.parameters(), *first.model.buffers()))
    assert first.model[1].weight.shape == (8, 64) and first.model.training
    assert {id(p) for group in first.optimizer.param_groups for p in group["params"]} == set(
        map(id, first.model.parameters())
    )
    assert same_weights(weights(first), weights(again)) and not same_weights(weights(first), weights(other))
    assert first.model[2].num_batches_tracked == 0
    assert preflight(config())["parameters"] == 64 * 8 + 8 + 16 + 8 * 10 + 10


def test_a_lazy_model_that_does_not_take_a_sample_is_one_line():
    with pytest.raises(ConfigError, match=r"^model: has lazy layers, and does not take a sample: .*") as raised:
        prepare(config(bad=True))
    assert "\n" not in str(raised.value)
