from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from torch import nn
from torch.func import grad, stack_module_state, vmap

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import L1, L2, ElasticNet, Lp
from hpsearch.regularizers.penalties import member_penalties

CONF = Path(__file__).resolve().parents[3] / "conf"


def model():
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))


def test_the_penalty_is_half_the_squared_weights():
    net = model()
    expected = 0.3 / 2 * (net[0].weight.pow(2).sum() + net[2].weight.pow(2).sum())
    torch.testing.assert_close(L2(strength=0.3).penalty(net.named_parameters()), expected)


def test_biases_and_norms_are_penalized_when_asked():
    net = model()
    expected = 0.3 / 2 * sum(p.pow(2).sum() for p in net.parameters())
    torch.testing.assert_close(L2(strength=0.3, bias_and_norm=True).penalty(net.named_parameters()), expected)


def test_it_is_the_coupled_weight_decay_of_sgd():
    penalized, decayed = model(), model()
    decayed.load_state_dict(penalized.state_dict())
    x = torch.randn(8, 4)
    for net, decay in ((penalized, 0.0), (decayed, 0.2)):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=decay)
        for _ in range(5):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            if net is penalized:
                loss = loss + L2(strength=0.2, bias_and_norm=True).penalty(net.named_parameters())
            loss.backward()
            optimizer.step()
    for one, two in zip(penalized.parameters(), decayed.parameters(), strict=True):
        torch.testing.assert_close(one, two)


def test_nothing_to_penalize_is_zero():
    assert L2(strength=1.0).penalty(nn.BatchNorm1d(3).named_parameters()) == 0


def test_members_under_vmap_get_their_own_gradient():
    nets = [nn.Linear(3, 2) for _ in range(4)]
    params, _ = stack_module_state(nets)
    gradients = vmap(grad(lambda p: L2(strength=0.5).penalty(p.items())))(params)
    torch.testing.assert_close(gradients["weight"], 0.5 * params["weight"])
    assert (gradients["bias"] == 0).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("strength", -1e-9),
        ("strength", float("nan")),
        ("strength", float("inf")),
        ("strength", True),
        ("strength", "1"),
        ("bias_and_norm", 1),
        ("bias_and_norm", None),
    ],
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^regularizer\.l2\.{field} = {value!r}: "):
        L2(**({"strength": 0.1} | {field: value}))


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        ([], []),
        (["regularizer=none"], []),
        (["regularizer=l2"], ["l2"]),
        (["regularizer=[l2]"], ["l2"]),
        (["regularizer=[l2,other]"], ["l2", "other"]),
    ],
)
def test_options_combine_under_their_names(tmp_path, overrides, names):
    (tmp_path / "regularizer").mkdir()
    (tmp_path / "regularizer" / "other.yaml").write_text("# @package regularizer.other\nstrength: 3\n")
    (tmp_path / "config.yaml").write_text(
        f"hydra:\n  searchpath: ['file://{CONF}']\ndefaults:\n  - regularizer: none\n  - _self_\n"
    )
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(tmp_path), version_base="1.3", job_name="test"):
        config = compose("config", overrides)
    assert sorted(config.regularizer) == names
    if "l2" in names:
        options = {key: value for key, value in config.regularizer.l2.items() if key != "_target_"}
        assert config.regularizer.l2._target_ == "hpsearch.regularizers.L2"
        assert options.keys() == L2.__dataclass_fields__.keys()
        assert L2(**options).strength == 1e-4


PENALTIES = {
    "L2": [L2(strength=each) for each in (0.0, 0.1, 0.5)],
    "L1": [L1(strength=each) for each in (0.3, 0.1, 0.0)],
    "Lp": [Lp(strength=each, p=1.3, bias_and_norm=True) for each in (0.3, 0.1, 0.2)],
    "elastic net": [ElasticNet(strength=each, l1_ratio=0.2) for each in (0.3, 0.1, 0.2)],
    "exponents": [Lp(strength=0.1, p=each) for each in (1.2, 1.5, 2.0)],
    "biases of one": [L2(strength=0.1, bias_and_norm=each) for each in (True, False, True)],
    "shares": [ElasticNet(strength=0.1, l1_ratio=each) for each in (0.0, 0.5, 1.0)],
}


@pytest.mark.parametrize("case", PENALTIES)
def test_members_at_once_have_the_penalties_and_gradients_that_each_has_alone(case):
    penalties, nets = PENALTIES[case], [model().double() for _ in range(3)]
    for net in nets:
        net.register_parameter("scale", nn.Parameter(torch.randn((), dtype=torch.float64)))
    stacked, _ = stack_module_state(nets)
    found = member_penalties(penalties)(stacked.items())
    found.sum().backward()
    for k, (each, net) in enumerate(zip(penalties, nets, strict=True)):
        expected = each.penalty(net.named_parameters())
        expected.backward()
        torch.testing.assert_close(found[k], expected, rtol=1e-12, atol=0)
        for name, parameter in net.named_parameters():
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            given = stacked[name].grad
            torch.testing.assert_close(torch.zeros_like(gradient) if given is None else given[k], gradient)


def test_members_without_anything_to_penalize():
    stacked, _ = stack_module_state([nn.BatchNorm1d(3) for _ in range(2)])
    assert member_penalties([L2(strength=1.0), L2(strength=2.0)])(stacked.items()).tolist() == [0.0, 0.0]
