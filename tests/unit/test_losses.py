"""The options of conf/loss name arguments that torch has, and are means over the batch."""

import inspect
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[2] / "conf" / "loss"
OPTIONS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("*.yaml"))}
DEPRECATED = {"size_average", "reduce"}


def build(option, **changes):
    options = OPTIONS[option] | changes
    return getattr(torch.nn, options.pop("_target_").rpartition(".")[2])(**options)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_default_of_torch_is_spelled_out(option):
    known = inspect.signature(type(build(option))).parameters
    given = {key: value for key, value in OPTIONS[option].items() if key != "_target_"}
    expected = {name: p.default for name, p in known.items() if name not in DEPRECATED}
    assert given == expected


def test_cross_entropy():
    logits, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    rows = -logits.log_softmax(1)
    expected = rows[torch.arange(5), y].mean()
    torch.testing.assert_close(build("cross_entropy")(logits, y), expected)
    smooth = 0.9 * expected + 0.1 * rows.mean()
    torch.testing.assert_close(build("cross_entropy", label_smoothing=0.1)(logits, y), smooth)


def test_mean_squared_error():
    outputs, y = torch.randn(5, 2), torch.randn(5, 2)
    torch.testing.assert_close(build("mse")(outputs, y), (outputs - y).pow(2).mean())
