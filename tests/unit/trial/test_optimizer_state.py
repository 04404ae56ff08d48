"""A state is taken that the same optimizer kept, and no other."""

from copy import deepcopy

import pytest
import torch

from hpsearch.trial.optimizer_state import unlike

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1),
    "momentum": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, amsgrad=True),
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "adadelta": torch.optim.Adadelta,
    "adafactor": torch.optim.Adafactor,
    "adamax": torch.optim.Adamax,
    "asgd": torch.optim.ASGD,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": lambda p: torch.optim.RMSprop(p, centered=True, momentum=0.5),
    "rprop": torch.optim.Rprop,
}


def _trained(make):
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(8, 2))
    model[0].bias.requires_grad_(False)
    optimizer = make(model.parameters())
    for _ in range(2):
        model(torch.ones(1, 1, 4, 4)).sum().backward()
        optimizer.step()
    return make(model.parameters()), deepcopy(optimizer.state_dict())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("state", [torch.ones(2), {"param_groups": torch.ones(2)}, [], None])
def test_what_is_no_table_of_groups_is_damaged(state):
    assert unlike(state, _trained(OPTIMIZERS["sgd"])[0]) == "it is damaged"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_optimizer_kept_is_its_own(name):
    fresh, state = _trained(OPTIMIZERS[name])
    before = repr(fresh.state_dict())
    assert unlike(state, fresh) == ""
    assert repr(fresh.state_dict()) == before


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda state: state["state"][0].pop("exp_avg"), "something else"),
        (lambda state: state["state"][0].update(exp_avg=None), "something else"),
        (lambda state: state["state"][0].update(step=None), "something else"),
        (lambda state: state["state"][2].update(exp_avg=torch.zeros(8, 2)), "something else"),
        (lambda state: state["param_groups"][0].update(params=[0, 1, 1, 3]), "other parameters"),
        (lambda state: state["param_groups"][0].update(params=[torch.ones(2), 1, 2, 3]), "damaged"),
    ],
)
def test_what_it_did_not_keep_is_refused(change, why):
    fresh, state = _trained(torch.optim.Adam)
    change(state)
    assert why in unlike(state, fresh)
