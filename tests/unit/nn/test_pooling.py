import pytest
import torch
from torch import nn

from hpsearch.base.errors import ConfigError
from hpsearch.nn.pooling import Pooling

RULES = {
    "max": lambda window: max(window),
    "avg": lambda window: sum(window) / len(window),
    "l2": lambda window: sum(value**2 for value in window) ** 0.5,
}


def slow(x, kind, size, stride, padding):
    """Pool one map, window by window, over what lies in it."""
    side = x.shape[0]
    starts = range(-padding, side + padding - size + 1, stride)
    inside = [range(max(0, start), min(side, start + size)) for start in starts]
    return torch.tensor([
        [RULES[kind]([x[i, j].item() for i in rows for j in cols]) for cols in inside] for rows in inside
    ])


@pytest.mark.parametrize(("size", "stride", "padding"), [(2, None, 0), (3, 2, 1), (3, 1, 1), (4, 3, 2)])
@pytest.mark.parametrize("kind", RULES)
def test_a_window_gives_what_it_says_of_what_lies_in_the_image(kind, size, stride, padding):
    x = torch.randn(1, 1, 7, 7)
    pooling = Pooling(kind, size, stride, padding)
    torch.testing.assert_close(pooling.layer()(x)[0, 0], slow(x[0, 0], kind, size, stride or size, padding))
    assert pooling.step == (size, stride or size, padding)


def test_the_length_is_that_of_torch_and_has_a_gradient_where_nothing_fires():
    x = torch.randn(2, 3, 6, 6)
    torch.testing.assert_close(Pooling("l2").layer()(x), nn.LPPool2d(2, 2)(x))
    still = torch.zeros(1, 1, 4, 4, requires_grad=True)
    Pooling("l2").layer()(still).sum().backward()
    assert torch.equal(still.grad, torch.zeros_like(still))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "median"}, "model.pool = 'median': must be one of max, avg, l2"),
        ({"size": 0}, "model.pool_size = 0"),
        ({"stride": 0}, "model.pool_stride = 0"),
        ({"padding": -1}, "model.pool_padding = -1"),
        ({"padding": 2}, "model.pool_padding = 2: must be at most half of model.pool_size = 2"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        Pooling(**options)
