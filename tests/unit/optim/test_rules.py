"""Members that step together against optimizers of their class, each alone."""

import copy
import math
import pydoc
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from hpsearch.optim import adam, lion, sgd
from hpsearch.optim.rules import fault, has_rule, rule_of, structure_of

SHAPES = [(3, 4), (3,), (2, 3), (2,)]
STEPS = 50
TOLERANCE = 1e-12


class Member:
    """A model of four parameters with a loss of its own, as old as the steps that it has taken."""

    def __init__(
        self,
        seed,
        kind,
        lr=0.01,
        momenta=None,
        spared=False,
        rate_factor=1.0,
        device="cpu",
        dtype=torch.float64,
        **options,
    ):
        generator = torch.Generator().manual_seed(seed)
        draw = lambda shape: torch.randn(shape, generator=generator, dtype=torch.float64).to(device, dtype)  # noqa: E731
        self.parameters = [draw(shape).requires_grad_() for shape in SHAPES]
        self.slopes, self.targets = [draw(shape).abs() for shape in SHAPES], [draw(shape) for shape in SHAPES]
        self.slopes[0][0, 0] = 0  # a gradient of 0 where nothing decays
        self.seed, self.age, self.lr, self.momenta, self.unused = seed, 0, lr, momenta, None
        self.make = lambda parameters: kind(self._groups(parameters, options, spared, rate_factor), lr=lr, **options)
        self.optimizer = self.make(self.parameters)

    @staticmethod
    def _groups(parameters, options, spared, rate_factor):
        weights, biases = {"params": parameters[::2]}, {"params": parameters[1::2], "rate_factor": rate_factor}
        if spared:
            weights["weight_decay"], biases["weight_decay"] = options["weight_decay"], 0.0
        return [biases, weights] if spared or rate_factor != 1 else [{"params": parameters}]

    def rate(self):
        """Now and then 0, as schedules end."""
        return self.lr * (1 + 0.5 * math.sin(self.age + self.seed)) * (self.age % 7 > 0)

    def momentum(self):
        if self.momenta is None:
            group = self.optimizer.param_groups[0]
            return group["betas"][0] if "betas" in group else group.get("momentum", 0.0)
        return self.momenta[self.age % len(self.momenta)]

    def gradients(self):
        """Of a quadratic, and a swing that no step takes away."""
        terms = zip(self.parameters, self.slopes, self.targets, strict=True)
        found = [slope * (weight.detach() - math.cos(self.age) * target) for weight, slope, target in terms]
        return [None if j == self.unused and self.age % 3 else gradient for j, gradient in enumerate(found)]

    def alone(self, steps):
        for _ in range(steps):
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate() * group.get("rate_factor", 1.0)
                if self.momenta is not None and "betas" in group:
                    group["betas"] = (self.momentum(), group["betas"][1])
                elif self.momenta is not None:
                    group["momentum"] = self.momentum()
            for parameter, gradient in zip(self.parameters, self.gradients(), strict=True):
                parameter.grad = gradient
            self.optimizer.step()
            self.age += 1
        return self

    def pause(self):
        """Go on as from a file: other tensors, another optimizer."""
        state = copy.deepcopy(self.optimizer.state_dict())
        self.parameters = [parameter.detach().clone().requires_grad_() for parameter in self.parameters]
        self.optimizer = self.make(self.parameters)
        self.optimizer.load_state_dict(state)
        return self


def stack(members):
    """Make the members' parameters views of tensors [K, ...]."""
    stacked = [torch.stack([p.detach() for p in row]) for row in zip(*(m.parameters for m in members), strict=True)]
    for k, member in enumerate(members):
        for parameter, tensor in zip(member.parameters, stacked, strict=True):
            parameter.data = tensor[k]
    return [tensor.requires_grad_() for tensor in stacked]


def together(members, steps, rehearsed=False):
    stacked = stack(members)
    rule = rule_of([m.optimizer for m in members], [m.parameters for m in members], stacked)
    changing = [tensor.detach() for tensor in (*stacked, *rule.state())]
    before = [tensor.clone() for tensor in changing]
    if rehearsed:
        step(rule, members, stacked)
        for tensor, kept in zip(changing, before, strict=True):
            tensor.copy_(kept)
    for _ in range(steps):
        step(rule, members, stacked)
        for member in members:
            member.age += 1
    return members


def step(rule, members, stacked):
    for tensor, gradients in zip(stacked, zip(*(m.gradients() for m in members), strict=True), strict=True):
        tensor.grad = None if gradients[0] is None else torch.stack(gradients)
    scheduled = any(m.momenta is not None for m in members)
    lr_K = torch.tensor([m.rate() for m in members], dtype=torch.float64)
    rule.step(lr_K, torch.tensor([m.momentum() for m in members], dtype=torch.float64) if scheduled else None)


WARMED = [0.5] * 9 + [0.9] * 41
THROUGH_ZERO = [0.0, 0.0, 0.5, 0.9, 0.0, 0.8, 0.7, 0.0]
SGD_LIKE = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "nesterov": True},
    {"momentum": 0.5, "weight_decay": 0.1},
    {"momentum": 0.5, "weight_decay": 0.2, "spared": True, "rate_factor": 0.3},
    {"momentum": 0.7, "dampening": 0.5},
    {"momentum": 0.8, "dampening": 0.3},
]
ADAM_LIKE = [
    {},
    {"betas": (0.7, 0.99)},
    {"eps": 1e-2},
    {"weight_decay": 0.1, "rate_factor": 0.3},
    {"weight_decay": 0.2, "spared": True, "rate_factor": 0.3},
]
CORRECTED = [{"bias_correction": False}, {"bias_correction": False, "betas": (0.8, 0.9)}, *ADAM_LIKE]

DECAYED = [{"weight_decay": 0.1}, {"weight_decay": 0.2, "spared": True, "rate_factor": 0.3}]
RMSPROP_LIKE = [{"momentum": 0.9}, {"alpha": 0.9, "momentum": 0.5}, {"eps": 0.1}, *DECAYED]
ADAGRAD_LIKE = [{}, {"lr_decay": 0.1}, {"initial_accumulator_value": 0.5}, {"eps": 0.1}, *DECAYED]
ADADELTA_LIKE = [{}, {"rho": 0.5}, {"eps": 0.1}, *DECAYED]
LION_LIKE = [{}, {"betas": (0.5, 0.9)}, *DECAYED]


CONF = Path(__file__).resolve().parents[3] / "conf" / "optimizer"
OPTIONS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("*.yaml"))}
RESERVED = {"_target_", "_partial_", "decay_bias_and_norm", "initial_momentum", "initial_momentum_steps"}
ALONE = {}
INERT = {"sgd": {"dampening"}}
"""Keys that change nothing as long as the others are as they stand."""


def arguments(option):
    kept = {key: value for key, value in OPTIONS[option].items() if key not in RESERVED}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in kept.items()}


def with_all(rows, **options):
    return [row | options for row in rows]


def scheduled(rows, *momenta):
    return [row | {"momenta": momenta[k % len(momenta)]} for k, row in enumerate(rows)]


BETAS = [0.95, 0.9, 0.85, 0.9]
CASES = {
    "sgd": (torch.optim.SGD, [{}, {"weight_decay": 0.1}, {"weight_decay": 0.2, "spared": True}]),
    "sgd, one decay": (torch.optim.SGD, [{"weight_decay": 0.2, "spared": True}] * 2),
    "sgd of all kinds": (torch.optim.SGD, SGD_LIKE),
    "momentum": (sgd.SGD, with_all([{}, {"rate_factor": 0.1}], momentum=0.9)),
    "nesterov": (sgd.SGD, with_all([{"momentum": 0.9}, {"momentum": 0.5}], nesterov=True)),
    "momentum_warmup": (sgd.SGD, scheduled(with_all(SGD_LIKE, momentum=0.9), WARMED, [0.9], [0.5, 0.6])),
    "momentum through 0": (sgd.SGD, scheduled([{}, {"weight_decay": 0.1}, {}], THROUGH_ZERO, [0.0], [0.9])),
    "inside": (sgd.SGD, with_all(SGD_LIKE, form="inside")),
    "inside, scheduled": (sgd.SGD, scheduled(with_all(SGD_LIKE, form="inside", momentum=0.9), WARMED, THROUGH_ZERO)),
    "adam": (adam.Adam, CORRECTED),
    "adam, scheduled": (adam.Adam, scheduled(CORRECTED, BETAS, [0.9])),
    "adamw": (adam.AdamW, CORRECTED),
    "amsgrad": (adam.Adam, with_all(CORRECTED, amsgrad=True)),
    "torch's adam": (torch.optim.Adam, ADAM_LIKE),
    "torch's adamw": (torch.optim.AdamW, ADAM_LIKE),
    "nadam": (
        torch.optim.NAdam,
        [*ADAM_LIKE, {"momentum_decay": 0.1}, {"weight_decay": 0.1, "spared": True, "decoupled_weight_decay": True}],
    ),
    "nadam, scheduled": (torch.optim.NAdam, scheduled(ADAM_LIKE, BETAS, [0.9])),
    "rmsprop": (torch.optim.RMSprop, [{}, *RMSPROP_LIKE]),
    "rmsprop, centered": (torch.optim.RMSprop, with_all([{}, *RMSPROP_LIKE], centered=True)),
    "rmsprop, scheduled": (
        torch.optim.RMSprop,
        scheduled(with_all(RMSPROP_LIKE, momentum=0.9), [0.9, 0.8], [0.5, 0.0, 0.4]),
    ),
    "adagrad": (torch.optim.Adagrad, ADAGRAD_LIKE),
    "adadelta": (torch.optim.Adadelta, ADADELTA_LIKE),
    "lion": (lion.Lion, LION_LIKE),
    "lion, scheduled": (lion.Lion, scheduled(LION_LIKE, BETAS, [0.9])),
}
"""A class of optimizers and the options of each member that shares a group."""


def group(case, seed=0, **options):
    """Return the members of a case, at rates of their own."""
    kind, rows = CASES[case]
    return [Member(seed + k, kind, **{"lr": 0.01 * (1 + k), **row}, **options) for k, row in enumerate(rows)]


def agree(found, expected, tolerance=TOLERANCE):
    for k, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        assert ours.age == theirs.age
        for j, (one, other) in enumerate(zip(ours.parameters, theirs.parameters, strict=True)):
            error = ((one - other).norm() / other.norm()).item()
            assert error < tolerance, f"member {k}, parameter {j}: {error:.2g}"


@pytest.mark.parametrize("case", CASES)
def test_members_step_as_each_would_alone(case):
    agree(together(group(case), STEPS), [member.alone(STEPS) for member in group(case)])


@pytest.mark.parametrize("case", CASES)
def test_a_group_of_one_and_its_state_are_those_of_a_lone_optimizer(case):
    """With one member every coefficient is one number, for all."""
    for one, other in zip(group(case), group(case), strict=True):
        agree(together([one], 6), [other.alone(6)])
        found, expected = one.optimizer.state_dict()["state"], other.optimizer.state_dict()["state"]
        if one.momenta is None:
            assert [set(each) for each in found.values()] == [set(each) for each in expected.values()]
        for key in expected:
            for name, tensor in expected[key].items():
                torch.testing.assert_close(found[key][name], tensor, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_a_member_goes_on_alone_and_together_again(case):
    expected = [member.alone(5).pause().alone(4).pause().alone(6) for member in group(case)]
    found = together(group(case), 5)
    for member in found:
        member.pause().alone(4).pause()
    agree(together(found, 6), expected)


@pytest.mark.parametrize("case", CASES)
def test_a_member_that_takes_the_place_of_another_inherits_nothing(case):
    """And its neighbours do not notice, nor that the one before it was lost."""
    members, expected = group(case), [member.alone(15) for member in group(case)[:-1]]
    members[-1].targets[0][0] = math.nan
    together(members, 6)
    lost = members[-1].parameters[0]
    assert any(tensor.isnan().any() for tensor in (lost, *members[-1].optimizer.state[lost].values()))
    members[-1] = group(case, seed=10)[-1]
    agree(together(members, 9), [*expected, group(case, seed=10)[-1].alone(9)])


@pytest.mark.parametrize("case", CASES)
def test_a_parameter_without_a_gradient_is_left_alone(case):
    members, twins = group(case), group(case)
    for member in (*members, *twins):
        member.unused = 1
    agree(together(members, 5), [twin.alone(5) for twin in twins])


@pytest.mark.parametrize("case", CASES)
def test_a_step_that_is_put_back_has_not_been(case):
    members, expected = group(case), [member.alone(4) for member in group(case)]
    together(members, 4, rehearsed=True)
    agree(members, expected)


def changed(base, name):
    """The options with another value of one of them, and with what torch wants beside Nesterov's momentum."""
    value = base[name]
    if isinstance(value, bool):
        return base | {name: not value} | ({"momentum": 0.7} if name == "nesterov" else {})
    if isinstance(value, str):
        return base | {"form": "inside"}
    if isinstance(value, tuple):
        return base | {name: tuple(0.5 * each for each in value)}
    return base | {name: 0.5 * value + 0.1} | ({"nesterov": False} if name == "dampening" else {})


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_conf_has_a_rule_that_heeds_all_of_its_keys(option):
    """An option whose optimizer can train in no group is named in ALONE, with the reason."""
    if option in ALONE:
        return
    kind, base = pydoc.locate(OPTIONS[option]["_target_"]), arguments(option)
    assert has_rule(kind)
    rows = [base, *(changed(base, name) for name in base)]
    makes = [[Member(0, kind, **row) for row in rows] for _ in range(2)]
    for structure in {structure_of(member.optimizer) for member in makes[0]}:
        found, expected = ([m for m in make if structure_of(m.optimizer) == structure] for make in makes)
        agree(together(found, 20), [member.alone(20) for member in expected])
    ends = [torch.cat([p.detach().flatten() for p in member.parameters]) for member in makes[0]]
    unlike = [name for name, end in zip(base, ends[1:], strict=True) if not torch.equal(end, ends[0])]
    assert set(base) - set(unlike) <= INERT.get(option, set())


@pytest.mark.parametrize("case", ["sgd of all kinds", "inside", "adam", "nadam", "rmsprop, centered", "lion"])
def test_in_single_precision_they_differ_by_rounding(case):
    members, twins = group(case, dtype=torch.float32), group(case, dtype=torch.float32)
    agree(together(members, 20), [twin.alone(20) for twin in twins], tolerance=2e-6)
    assert members[0].parameters[0].dtype == torch.float32


@pytest.mark.parametrize("case", CASES)
def test_no_step_reads_anything_back_to_the_host(case):
    """On this device there is nothing to read: `item`, `bool`, `nonzero` and mixed devices raise."""
    kind, rows = CASES[case]
    members = [Member(k, kind, device="meta", **row) for k, row in enumerate(rows)]
    stacked = [torch.empty(len(rows), *shape, device="meta", requires_grad=True) for shape in SHAPES]
    rule = rule_of([m.optimizer for m in members], [m.parameters for m in members], stacked)
    for tensor in stacked:
        tensor.grad = torch.empty_like(tensor)
    rates = torch.empty(len(rows), dtype=torch.float64, device="meta")
    for _ in range(2):
        rule.step(rates, rates if any(m.momenta for m in members) else None)


def test_what_cannot_step_together_is_said():
    weight = torch.zeros(3, requires_grad=True)
    assert fault(torch.optim.SGD([weight])) == ""
    assert fault(torch.optim.LBFGS([weight])) == "torch.optim.lbfgs.LBFGS has no rule"
    assert fault(torch.optim.SGD([weight], maximize=True)) == "optimizer.maximize"
    assert fault(torch.optim.SGD([weight, weight.detach().double().requires_grad_()])) == (
        "parameters of torch.float32, torch.float64"
    )
    hooked = torch.optim.SGD([weight])
    hooked.register_step_post_hook(lambda *_: None)
    assert fault(hooked) == "the optimizer's steps are hooked into"
    groups = [{"params": [weight], "amsgrad": True}, {"params": [torch.zeros(3)]}]
    assert fault(torch.optim.Adam(groups)) == "optimizer.amsgrad differs between parameter groups"
    dampened = sgd.SGD([weight], momentum=0.9, dampening=0.1)
    assert fault(dampened, [0.0, 0.9]) == "optimizer.dampening with a momentum that begins at 0"
    assert fault(dampened, [0.5, 0.9]) == ""


def test_what_differs_in_structure_is_refused():
    members = [Member(0, sgd.SGD, form="inside"), Member(1, sgd.SGD)]
    with pytest.raises(ValueError, match="cannot step together"):
        rule_of([m.optimizer for m in members], [m.parameters for m in members], stack(members))
    assert structure_of(Member(0, sgd.SGD, momentum=0.9).optimizer) == structure_of(members[1].optimizer)
