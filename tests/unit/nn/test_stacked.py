"""Networks trained as one against each of them trained alone."""

import copy
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from hpsearch.base.steps import PADDING
from hpsearch.config.build import build
from hpsearch.nn import stacked_layers
from hpsearch.nn.dropout import Dropout, address_dropout, advance
from hpsearch.nn.stacked import Stacked, fault, unlike

CONF = Path(__file__).parents[3] / "conf" / "model"
PLAIN = {"torchvision", "timm", "transformers"}
"""Options whose models need libraries of their own, and may be anything."""
WORDS, VOCABULARY = (5,), 7
SLIM = {"ratio": 16, "hidden": [8]}
CASES = {
    "linear": ({}, (6,)),
    "polynomial": ({}, (4,)),
    "logistic": ({}, (6,)),
    "softmax": ({}, (6,)),
    "svm": ({}, (6,)),
    "perceptron": ({}, (6,)),
    "mlp": ({"hidden": [8, 6], "norm": "batch", "dropout": [0.2, 0.4]}, (6,)),
    "mlp_of_size": ({"parameters": 300}, (6,)),
    "lenet": ({"dropout": 0.3, "norm": "weight"}, (1, 12, 12)),
    "lenet_original": ({}, (1, 12, 12)),
    "alexnet": (SLIM | {"norm": "local_response"}, (1, 8, 8)),
    "vgg11": (SLIM | {"norm": "group"}, (1, 8, 8)),
    "nin": ({"ratio": 16, "norm": "layer", "activation": "maxout"}, (1, 8, 8)),
    "small_conv": ({"hidden": [8], "channels": [4, 6], "activation": "crelu"}, (2, 4, 4)),
    "small_conv_original": ({"hidden": [8], "channels": [4, 6], "pool": "l2", "activation": "prelu"}, (1, 4, 4)),
    "googlenet": ({"ratio": 16}, (1, 8, 8)),
    "resnet18": ({"width": 4, "blocks": [1, 1]}, (1, 6, 6)),
    "densenet": ({"blocks": [2, 2], "growth_rate": 4, "dropout": 0.2}, (1, 8, 8)),
    "elman": ({"hidden": 5, "activation": "relu"}, (1, 4, 3)),
    "lstm": ({"hidden": 5, "bidirectional": True, "layers": 2, "dropout": 0.3}, (1, 4, 3)),
    "gru": ({"hidden": 5, "bidirectional": True}, WORDS),
    "encoder": ({"size": 8, "depth": 1, "dropout": 0.2}, WORDS),
    "jordan": ({"hidden": 5, "bidirectional": True}, (1, 4, 3)),
    "vit": ({"size": 8, "depth": 1, "dropout": 0.2, "attention": "additive"}, (1, 8, 8)),
    "spatial_transformer": ({}, (1, 12, 12)),
}
KINDS = [
    pytest.param(option, marks=[pytest.mark.slow] if option in ("alexnet", "vgg11", "googlenet", "densenet") else [])
    for option in CASES
]


def make(option, seed=0):
    """Return a network of a configuration in float64, its draws of dropout addressed."""
    changes, in_shape = CASES[option]
    torch.manual_seed(seed)
    config = yaml.safe_load((CONF / f"{option}.yaml").read_text()) | changes
    words = {"vocabulary": VOCABULARY} if in_shape is WORDS else {}
    outputs = 2 if option == "logistic" else 3
    model = build("model", config, in_shape=in_shape, num_outputs=outputs, **words).double()
    address_dropout(model, seed)
    return model


def batches(option, members, steps=3, size=4):
    generator = torch.Generator().manual_seed(1)
    shape = (steps, members, size, *CASES[option][1])
    if CASES[option][1] is not WORDS:
        return torch.randn(shape, generator=generator, dtype=torch.float64)
    lengths = torch.randint(1, WORDS[0] + 1, (*shape[:3], 1), generator=generator)
    words = torch.randint(1, VOCABULARY, shape, generator=generator)
    return words.where(torch.arange(WORDS[0]) < lengths, PADDING)


def alone(model, inputs, rate):
    """Train one network; return its outputs and gradients of each step."""
    seen = []
    for step, x in enumerate(inputs):
        advance(model, step)
        model.zero_grad()
        outputs = model(x)
        outputs.square().mean().backward()
        gradients = {name: each.grad.clone() for name, each in model.named_parameters()}
        seen.append({"outputs": outputs.detach()} | gradients)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter -= rate * parameter.grad
    return seen


def together(stacked, inputs, rates):
    """Train a stack; return for each member its outputs and gradients of each step."""
    seen = [[] for _ in stacked.models]
    rates = torch.tensor(rates, dtype=torch.float64)
    for step, x in enumerate(inputs):
        stacked.advance(step)
        for parameter in stacked.parameters.values():
            parameter.grad = None
        outputs = stacked(x)
        outputs.square().flatten(1).mean(1).sum().backward()
        for place, each in enumerate(seen):
            gradients = {name: parameter.grad[place].clone() for name, parameter in stacked.parameters.items()}
            each.append({"outputs": outputs[place].detach()} | gradients)
        with torch.no_grad():
            for parameter in stacked.parameters.values():
                parameter -= rates.view(-1, *[1] * (parameter.ndim - 1)) * parameter.grad
    return seen


def assert_equal(found, expected, scale=0.0):
    found, expected = found.detach().double(), expected.detach().double()
    assert (found - expected).norm() <= 1e-9 * max(expected.norm(), scale)


def assert_same_training(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        scale = max(float(each.norm()) for each in theirs.values())  # a bias before batch norm has no gradient at all
        for name, value in theirs.items():
            assert_equal(ours[name], value, scale)


def assert_same_state(model, other):
    tensors, others = (dict(each.named_parameters()) | dict(each.named_buffers()) for each in (model, other))
    for name, value in others.items():
        assert_equal(tensors[name], value, 1.0)


RATES = [0.1, 0.03, 0.3]


@pytest.mark.parametrize("option", CASES)
def test_a_member_gets_what_it_gets_alone(option):
    models = [make(option, seed) for seed in range(3)]
    twins = copy.deepcopy(models)
    inputs = batches(option, 3)
    found = together(Stacked(models), inputs, RATES)
    for place, twin in enumerate(twins):
        assert_same_training(found[place], alone(twin, inputs[:, place], RATES[place]))
        assert_same_state(models[place], twin)
        with torch.no_grad():
            x = inputs[0, place]
            assert_equal(models[place].eval()(x), twin.eval()(x))


@pytest.mark.parametrize("option", KINDS)
def test_evaluation_of_one_batch_by_all(option):
    models = [make(option, seed) for seed in range(2)]
    x = batches(option, 1)[0, 0]
    stacked = Stacked(models)
    stacked.train(False)
    with torch.no_grad():
        outputs = stacked(x, shared=True)
        for place, model in enumerate(models):
            assert_equal(outputs[place], model.eval()(x))


def test_every_option_has_a_case_or_is_plain():
    assert CASES.keys() | PLAIN == {file.stem for file in CONF.glob("*.yaml")}


MIXED = "mlp"
"""A case with batch norm and dropout."""


def test_a_member_depends_neither_on_its_slot_nor_on_the_others_nor_on_their_number():
    inputs = batches(MIXED, 4)
    expected = together(Stacked([make(MIXED, seed) for seed in range(4)]), inputs, [0.1] * 4)
    models = [make(MIXED, seed) for seed in (3, 1, 2)]
    with torch.no_grad():
        for parameter in models[1].parameters():
            parameter.fill_(torch.nan)
    found = together(Stacked(models), inputs[:, [3, 1, 2]], [0.1] * 3)
    assert_same_training(found[0], expected[3])
    assert_same_training(found[2], expected[2])
    assert found[1][-1]["outputs"].isnan().all()


def test_members_leave_and_new_ones_enter():
    models, inputs, rates = [make(MIXED, seed) for seed in range(3)], batches(MIXED, 3, steps=4), [0.1, 0.03, 0.3]
    twins = copy.deepcopy(models)
    first, new = Stacked(models), make(MIXED, 3)
    twins.append(copy.deepcopy(new))
    together(first, inputs[:2], rates)
    left = first.release(1)
    kept = copy.deepcopy(left.state_dict())
    together(Stacked([models[0], models[2], new]), inputs[2:], rates)
    for tensor in (*first.parameters.values(), *first.buffers.values()):
        tensor.detach().zero_()
    alone(twins[0], inputs[:2, 0], 0.1)
    alone(twins[0], inputs[2:, 0], 0.1)
    alone(twins[1], inputs[:2, 1], 0.03)
    alone(twins[2], inputs[:2, 2], 0.3)
    alone(twins[2], inputs[2:, 1], 0.03)
    alone(twins[3], inputs[2:, 2], 0.3)
    for model, twin in zip([*models, new], twins, strict=True):
        assert_same_state(model, twin)
    assert all(torch.equal(kept[name], value) for name, value in left.state_dict().items())
    assert all(each.untyped_storage().nbytes() == each.nbytes for each in left.parameters())


def test_a_member_is_a_view_of_the_stack():
    models = [make(MIXED, seed) for seed in range(2)]
    parameters = list(models[1].parameters())
    stacked = Stacked(models)
    assert all(each is other for each, other in zip(models[1].parameters(), parameters, strict=True))
    with torch.no_grad():
        for tensor in (*stacked.parameters.values(), *stacked.buffers.values()):
            tensor[1].fill_(7)
    tensors = [*models[1].parameters(), *models[1].buffers()]
    assert len(tensors) == len(stacked.parameters) + len(stacked.buffers)
    assert all((each == 7).all() for each in tensors)
    advance(models[0], 5)
    assert stacked.buffers["hidden.0.3.step"].tolist() == [5, 7]
    stacked.advance(torch.tensor([2, 3]))
    assert [int(module.step) for model in models for module in model.modules() if isinstance(module, Dropout)] == [
        *[2, 2],
        *[3, 3],
    ]


def test_some_members_alone_give_the_same():
    inputs = batches(MIXED, 3)[0]
    whole, split = (Stacked([make(MIXED, seed) for seed in range(3)]) for _ in range(2))
    for stacked, parts in ((whole, [slice(None)]), (split, [slice(0, 1), slice(1, 3)])):
        for part in parts:
            stacked(inputs[part], members=part).square().flatten(1).mean(1).sum().backward()
    for name, parameter in whole.parameters.items():
        assert_equal(split.parameters[name].grad, parameter.grad, 1.0)
    for name, buffer in whole.buffers.items():
        assert_equal(split.buffers[name], buffer)


def test_frozen_parameters_and_layers_stay():
    models = [make(MIXED, seed) for seed in range(2)]
    for model in models:
        model.hidden.requires_grad_(False)
        model.hidden.eval()
    stacked = Stacked(models)
    stacked.train()
    stacked.follow(models[0])
    before = {name: value.clone() for name, value in stacked.buffers.items()}
    stacked(batches(MIXED, 2)[0]).sum().backward()
    assert {name for name, each in stacked.parameters.items() if each.grad is not None} == {
        "output.weight",
        "output.bias",
    }
    assert all(torch.equal(stacked.buffers[name], value) for name, value in before.items())


class Own(nn.Module):
    """A user's network: what it does between its two layers is its own."""

    def __init__(self, between):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 2)
        self.between = between
        self.register_buffer("mean", torch.zeros(4))

    def forward(self, x):
        return self.last(self.between(self, self.first(x)))


class Claiming(Own):
    """Says that it is the same for any number of axes in front, whatever is between its layers."""

    leading_axes = True


def replacing_a_buffer(model, x):
    model.mean = 0.9 * model.mean + 0.1 * x.detach().mean(0)
    return x


FAULTS = {
    "layer '1', Dropout, draws at random; hpsearch.nn.Dropout does not": lambda: nn.Sequential(
        nn.Linear(4, 4), nn.Dropout()
    ),
    "layer '0', RReLU": lambda: nn.Sequential(nn.RReLU(), nn.Linear(4, 4)),
    "called random operation": lambda: Own(lambda _, x: x + torch.randn_like(x)),
    "data-dependent control flow": lambda: Own(lambda _, x: x if x.sum() > 0 else -x),
    "item()": lambda: Own(lambda _, x: x * x.max().item()),
    "outputs of a member among others": lambda: Claiming(lambda _, x: x - x.mean(0)),
    "values of mean": lambda: Own(replacing_a_buffer),
    "batching rule": lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
    "performance drop": lambda: Own(
        lambda _, x: nn.functional.multi_margin_loss(x, x.argmax(1), reduction="none")[:, None] + x
    ),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_what_cannot_be_stacked_says_why_and_stays_as_it_is(reason):
    model = FAULTS[reason]()
    before = copy.deepcopy(model.state_dict())
    said = fault(model, torch.randn(8, 4))
    assert reason.lower() in said.lower()
    assert "\n" not in said
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_random_layers_that_draw_nothing_are_no_fault():
    assert fault(nn.Sequential(nn.Linear(4, 4), nn.Dropout()).eval(), torch.randn(8, 4)) == ""
    assert fault(nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), torch.randn(8, 3, 4)) == ""


@pytest.mark.parametrize(
    ("other", "where"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU()), "layer '0'"),
        (nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU()), "layer '1'"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.ReLU()), "layer '2'"),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU()).requires_grad_(False), "0.weight"),
    ],
)
def test_members_of_different_architectures_are_refused(other, where):
    models = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(2)]
    assert unlike(models) == ""
    assert f"members 0 and 2 differ in {where}" in unlike([*models, other])
    with pytest.raises(ValueError, match="differ in"):
        Stacked([*models, other])
    slopes = [nn.Sequential(nn.Linear(4, 4), nn.LeakyReLU(slope)) for slope in (0.1, 0.2)]
    assert "'negative_slope': 0.2" in unlike(slopes)


@pytest.mark.parametrize(
    ("name", "values"),
    [("sizes", ([1, 2], [1, 3])), ("f", (torch.tanh, torch.relu)), ("grid", (torch.zeros(2), torch.ones(2)))],
)
def test_members_of_different_constants_are_refused(name, values):
    models = [nn.Linear(2, 2) for _ in values]
    for model, value in zip(models, values, strict=True):
        setattr(model, name, value)
    assert f"'{name}'" in unlike(models)
    setattr(models[1], name, copy.copy(values[0]))
    assert unlike(models) == ""


def test_a_member_without_dropout_among_others_with_it():
    models = [nn.Sequential(Dropout(rate), nn.Linear(50, 1)) for rate in (0.0, 0.5)]
    x = torch.rand(2, 4, 50)
    expected = torch.stack([model(each) for model, each in zip(models, x, strict=True)])
    torch.testing.assert_close(Stacked(models)(x), expected)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 4)
        self.last.weight = self.first.weight

    def forward(self, x):
        return self.last(self.first(x).tanh())


def test_tied_weights_stay_tied():
    models = [Tied().double() for _ in range(2)]
    twins, inputs = copy.deepcopy(models), torch.randn(3, 2, 5, 4, dtype=torch.float64)
    found = together(Stacked(models), inputs, [0.1, 0.2])
    for place, twin in enumerate(twins):
        assert_same_training(found[place], alone(twin, inputs[:, place], 0.1 * (place + 1)))
        assert models[place].last.weight is models[place].first.weight


@pytest.mark.parametrize("option", ["mlp", "lenet", "resnet18", "densenet", "vit"])
def test_in_bfloat16_outputs_and_gradients_have_the_types_of_a_member_alone(option):
    models = [make(option, seed).float() for seed in range(2)]
    twins, x = copy.deepcopy(models), batches(option, 2)[0]
    stacked, x = Stacked(models), x.float()
    with torch.autocast("cpu", torch.bfloat16):
        outputs, expected = stacked(x), [twin(each) for twin, each in zip(twins, x, strict=True)]
    outputs.float().square().sum().backward()
    for place, each in enumerate(expected):
        assert each.dtype == outputs.dtype
        torch.testing.assert_close(outputs[place], each, rtol=0.05, atol=0.05)
    assert {parameter.grad.dtype for parameter in stacked.parameters.values()} == {torch.float32}


MAPPED = {"polynomial", "spatial_transformer", "elman", "lstm", "gru", "jordan", "encoder"}
"""Options with layers that have no rule."""


@pytest.mark.parametrize("option", CASES)
def test_layers_without_a_rule_are_few(option, monkeypatch):
    mapped = []
    monkeypatch.setattr(stacked_layers, "_mapped", mapped.append)
    stacked_layers.parts_of(make(option))
    assert bool(mapped) == (option in MAPPED)


@pytest.mark.parametrize("option", KINDS)
def test_no_option_has_a_fault(option):
    assert fault(make(option), batches(option, 1)[0, 0]) == ""


@pytest.mark.parametrize("option", KINDS)
def test_a_step_reads_nothing_on_the_host(option):
    stacked = Stacked([make(option, seed).to("meta") for seed in range(2)])
    stacked.advance(1)
    outputs = stacked(batches(option, 2)[0].to("meta"))
    outputs.sum().backward()
    assert outputs.shape[:2] == (2, 4)
    assert all(each.grad.is_meta for each in stacked.parameters.values())
