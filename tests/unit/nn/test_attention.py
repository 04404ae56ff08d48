import math

import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.attention import Additive, MultiHeadAttention, ScaledDotProduct, attend
from hpsearch.nn.dropout import address_dropout, advance

torch.manual_seed(0)
B, Q, K, D = 2, 3, 5, 4
QUERIES, KEYS, VALUES = torch.randn(B, Q, D), torch.randn(B, K, D), torch.randn(B, K, D)


def softmax(scores):
    powers = [math.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def slow_attention(score):
    out = torch.zeros(B, Q, D)
    for b in range(B):
        for q in range(Q):
            weights = softmax([score(QUERIES[b, q], KEYS[b, k]) for k in range(K)])
            for k in range(K):
                out[b, q] += weights[k] * VALUES[b, k]
    return out


def test_scaled_dot_product_attention_is_its_formula():
    slow = slow_attention(lambda q, k: sum(a * b for a, b in zip(q.tolist(), k.tolist(), strict=True)) / 2)
    fast = attend(ScaledDotProduct()(QUERIES, KEYS), VALUES)
    torch.testing.assert_close(fast, slow)
    torch.testing.assert_close(fast, nn.functional.scaled_dot_product_attention(QUERIES, KEYS, VALUES))


def test_additive_attention_is_its_formula():
    layer = Additive(D, 7)

    def score(q, k):
        hidden = [
            math.tanh(sum(layer.query.weight[h] * q).item() + sum(layer.key.weight[h] * k).item()) for h in range(7)
        ]
        return sum(w * h for w, h in zip(layer.score.weight[0].tolist(), hidden, strict=True))

    torch.testing.assert_close(attend(layer(QUERIES, KEYS), VALUES), slow_attention(score))


@pytest.mark.parametrize("heads", [1, 2, 6])
def test_multi_head_attention_equals_torch(heads):
    mine, theirs = MultiHeadAttention(12, heads), nn.MultiheadAttention(12, heads, batch_first=True)
    projections = (mine.query, mine.key, mine.value)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([layer.weight for layer in projections]))
        theirs.in_proj_bias.copy_(torch.cat([layer.bias for layer in projections]))
        theirs.out_proj.load_state_dict(mine.output.state_dict())
    q, k, v = torch.randn(B, Q, 12, requires_grad=True), torch.randn(B, K, 12), torch.randn(B, K, 12)
    expected, _ = theirs(q, k, v)
    out = mine(q, k, v)
    torch.testing.assert_close(out, expected)
    (grad,) = torch.autograd.grad(out.square().sum(), q)
    (expected_grad,) = torch.autograd.grad(expected.square().sum(), q)
    torch.testing.assert_close(grad, expected_grad)


def test_heads_of_additive_attention_attend_alone():
    layer = MultiHeadAttention(8, 2, "additive")
    q, k, v = (torch.randn(B, n, 8) for n in (Q, K, K))
    parts = []
    for entries in (slice(0, 4), slice(4, 8)):
        scores = layer.score(layer.query(q)[..., entries], layer.key(k)[..., entries])
        parts.append(attend(scores, layer.value(v)[..., entries]))
    torch.testing.assert_close(layer(q, k, v), layer.output(torch.cat(parts, -1)))


def test_dropout_on_the_weights_is_addressed():
    layer = MultiHeadAttention(8, 2, dropout=0.5)
    address_dropout(layer, seed=3)
    x = torch.randn(B, 16, 8)
    first, again = layer(x, x, x), layer(x, x, x)
    advance(layer, 1)
    later = layer(x, x, x)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)
    assert not torch.allclose(first, layer.eval()(x, x, x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, r"model.heads = 3: must divide the number of entries of a token, 8"),
        ({"heads": 0}, r"model.heads = 0: must be a whole number >= 1"),
        ({"score": "adds"}, r"model.attention = 'adds': must be one of dot, additive"),
        ({"dropout": 1.0}, r"model.dropout = 1.0"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=message):
        MultiHeadAttention(8, **options)
