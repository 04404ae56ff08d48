from functools import partial

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.models.encoder import Encoder
from hpsearch.models.vit import ViT
from hpsearch.nn.transformer import EncoderLayer


@pytest.mark.parametrize("eps", [None, 0.3])
def test_an_encoder_layer_equals_torch(eps):
    mine = EncoderLayer(8, 2, "dot", 3, "gelu", 0.0, norm_eps=eps)
    theirs = nn.TransformerEncoderLayer(8, 2, 24, 0.0, "gelu", eps or 1e-5, batch_first=True, norm_first=True)
    projections = (mine.attention.query, mine.attention.key, mine.attention.value)
    with torch.no_grad():
        for layer in (mine.attention_norm, mine.network[0]):
            layer.weight.normal_()
            layer.bias.normal_()
        theirs.self_attn.in_proj_weight.copy_(torch.cat([layer.weight for layer in projections]))
        theirs.self_attn.in_proj_bias.copy_(torch.cat([layer.bias for layer in projections]))
    pairs = (
        (theirs.self_attn.out_proj, mine.attention.output),
        (theirs.norm1, mine.attention_norm),
        (theirs.norm2, mine.network[0]),
        (theirs.linear1, mine.network[1]),
        (theirs.linear2, mine.network[4]),
    )
    for to, source in pairs:
        to.load_state_dict(source.state_dict())
    x = torch.randn(2, 5, 8)
    torch.testing.assert_close(mine(x), theirs(x))


@pytest.mark.parametrize("model", [partial(ViT, (1, 8, 8)), partial(Encoder, (5,), vocabulary=9)])
def test_epsilon_reaches_every_layer_normalization_of_a_model(model):
    assert {each.eps for each in model(3, norm_eps=0.3).modules() if isinstance(each, nn.LayerNorm)} == {0.3}
    with pytest.raises(ConfigError, match=r"model\.norm_eps = 0: must be"):
        model(3, norm_eps=0)


@pytest.mark.parametrize("activation", ["crelu", "maxout", "prelu"])
def test_activations_change_the_hidden_units_alone(activation):
    assert EncoderLayer(8, 2, "additive", 2, activation, 0.0)(torch.randn(2, 5, 8)).shape == (2, 5, 8)


@pytest.mark.parametrize("attention", ["dot", "additive"])
def test_what_is_not_real_is_not_looked_at(attention):
    """A padded batch gives each sequence what it gives alone, whatever stands behind its end."""
    torch.manual_seed(0)
    layer = EncoderLayer(8, 2, attention, 2, "gelu", 0.0).double()
    x, lengths = torch.randn(3, 7, 8, dtype=torch.float64), (4, 7, 1)
    real = torch.arange(7) < torch.tensor(lengths)[:, None]
    for found, sequence, length in zip(layer(x, real), x, lengths, strict=True):
        torch.testing.assert_close(found[:length], layer(sequence[None, :length])[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(layer(x, torch.ones(3, 7, dtype=torch.bool)), layer(x))
