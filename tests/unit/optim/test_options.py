"""The options of conf/optimizer name arguments that torch has, and train."""

import inspect
import pydoc
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

CONF = Path(__file__).resolve().parents[3] / "conf" / "optimizer"
OPTIONS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("*.yaml"))}
RESERVED = {"_target_", "_partial_", "decay_bias_and_norm", "initial_momentum", "initial_momentum_steps"}


def optimizer_class(option):
    return pydoc.locate(OPTIONS[option]["_target_"])


def arguments(option):
    return {key: value for key, value in OPTIONS[option].items() if key not in RESERVED}


def test_every_option_is_there():
    assert set(OPTIONS) >= {
        "sgd",
        "momentum",
        "nesterov",
        "adagrad",
        "rmsprop",
        "adam",
        "adamw",
        "adadelta",
        "nadam",
        "lion",
        "momentum_warmup",
    }


@pytest.mark.parametrize("option", OPTIONS)
def test_keys_are_torchs_arguments(option):
    known = inspect.signature(optimizer_class(option)).parameters
    assert arguments(option).keys() <= known.keys()
    # what is left at torch's default is how it computes, or another option (decoupled decay is adamw)
    assert set(known) - {"params"} - arguments(option).keys() <= {
        "maximize",
        "foreach",
        "fused",
        "capturable",
        "differentiable",
        "decoupled_weight_decay",
    }
    assert OPTIONS[option]["_partial_"] is True
    assert OPTIONS[option]["decay_bias_and_norm"] is False
    assert arguments(option)["lr"] > 0


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_minimizes_a_quadratic(option):
    x = torch.ones(3, requires_grad=True)
    optimizer = optimizer_class(option)([x], **arguments(option))
    for _ in range(50):
        optimizer.zero_grad()
        loss = (x**2).sum()
        loss.backward()
        optimizer.step()
    assert (x.abs() < 1).all()


@pytest.mark.parametrize(("option", "momentum", "nesterov"), [("sgd", 0, False), ("momentum", 0.9, False)])
def test_the_forms_of_sgd(option, momentum, nesterov):
    assert (OPTIONS[option]["momentum"], OPTIONS[option]["nesterov"]) == (momentum, nesterov)
    assert OPTIONS["nesterov"] == OPTIONS["momentum"] | {"nesterov": True}
