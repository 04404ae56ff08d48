"""The options of conf/loss spell out every argument, and are means over the batch."""

import inspect
import math
import pydoc
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from hpsearch.base.errors import ConfigError
from hpsearch.losses.binary_cross_entropy import BinaryCrossEntropy
from hpsearch.losses.fit import check_fit
from hpsearch.losses.focal import Focal
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.perceptron import Perceptron
from hpsearch.losses.squared_error import SquaredError

CONF = Path(__file__).resolve().parents[3] / "conf" / "loss"
OPTIONS = {path.stem: OmegaConf.to_container(OmegaConf.load(path)) for path in sorted(CONF.glob("*.yaml"))}
DEPRECATED = {"size_average", "reduce"}


def build(option, **changes):
    options = OPTIONS[option] | changes
    return pydoc.locate(options.pop("_target_"))(**options)


@pytest.mark.parametrize("option", OPTIONS)
def test_every_default_is_spelled_out(option):
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


def sigmoid_cross_entropy(z, t):
    return -(t * math.log(1 / (1 + math.exp(-z))) + (1 - t) * math.log(1 - 1 / (1 + math.exp(-z))))


@pytest.mark.parametrize("outputs", [1, 2, 3])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_binary_cross_entropy(outputs, smoothing):
    logits, y = torch.randn(5, outputs), torch.tensor([0, 1, 1, 0, 1])
    terms = []
    for row, label in zip(logits.tolist(), y.tolist(), strict=True):
        for c, z in enumerate(row):
            yes = float(label == (1 if outputs == 1 else c))
            terms.append(sigmoid_cross_entropy(z, yes * (1 - smoothing) + smoothing / 2))
    found = build("binary_cross_entropy", label_smoothing=smoothing)(logits, y)
    assert found.item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def test_a_yes_can_weigh_more():
    found = build("binary_cross_entropy", pos_weight=3.0)(torch.tensor([[0.7], [0.2]]), torch.tensor([1, 0]))
    expected = (3 * sigmoid_cross_entropy(0.7, 1) + sigmoid_cross_entropy(0.2, 0)) / 2
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weight", [None, [0.2, 1.0, 3.0]])
def test_focal(gamma, weight):
    logits, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    p = logits.softmax(1)
    terms = [
        (weight or [1, 1, 1])[c] * (1 - p[i, c].item()) ** gamma * -math.log(p[i, c].item()) for i, c in enumerate(y)
    ]
    assert build("focal", gamma=gamma, weight=weight)(logits, y).item() == pytest.approx(sum(terms) / 5, rel=1e-5)


def test_focal_without_focus_is_cross_entropy_and_takes_shares():
    logits, y = torch.randn(5, 3), torch.tensor([0, 1, 2, 1, 0])
    shares = torch.rand(5, 3).softmax(1)
    for targets in (y, shares):
        expected = torch.nn.functional.cross_entropy(logits, targets)
        torch.testing.assert_close(build("focal", gamma=0.0)(logits, targets), expected)


def test_focal_of_one_output_is_that_of_a_sigmoid():
    z, y = torch.randn(6, 1), torch.tensor([0, 1, 1, 0, 1, 0])
    p = torch.where(y == 1, torch.sigmoid(z[:, 0]), 1 - torch.sigmoid(z[:, 0]))
    torch.testing.assert_close(build("focal")(z, y), ((1 - p) ** 2 * -p.log()).mean())


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_has_a_finite_gradient_where_all_is_certain(gamma):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    build("focal", gamma=gamma)(logits, torch.tensor([0, 0])).backward()
    assert logits.grad.isfinite().all()


def test_l1_and_huber():
    outputs, y = torch.randn(5, 2) * 3, torch.randn(5, 2)
    error = (outputs - y).abs()
    torch.testing.assert_close(build("l1")(outputs, y), error.mean())
    expected = torch.where(error < 0.5, error**2 / 2, 0.5 * (error - 0.25)).mean()
    torch.testing.assert_close(build("huber", delta=0.5)(outputs, y), expected)


@pytest.mark.parametrize(
    ("option", "field", "value"),
    [
        ("binary_cross_entropy", "label_smoothing", 1.5),
        ("binary_cross_entropy", "pos_weight", 0.0),
        ("focal", "gamma", -1.0),
        ("focal", "weight", [1.0, -1.0]),
    ],
)
def test_a_bad_value_is_named(option, field, value):
    with pytest.raises(ConfigError, match=rf"^loss\.{field}"):
        build(option, **{field: value})


LABELS = torch.tensor([0, 1, 1])
FITS = [
    (torch.nn.CrossEntropyLoss(), torch.zeros(3, 2), LABELS, "classification", 2, None),
    (Focal(), torch.zeros(3, 1), LABELS, "classification", 2, None),
    (torch.nn.MSELoss(), torch.zeros(3, 2), torch.zeros(3, 2), "regression", 2, None),
    (torch.nn.CrossEntropyLoss(), torch.zeros(3, 4), LABELS, "classification", 2, "gives 4 outputs, the labels have 2"),
    (torch.nn.CrossEntropyLoss(), torch.zeros(3, 1), LABELS, "classification", 2, "needs one output per class"),
    (
        BinaryCrossEntropy(),
        torch.zeros(3, 1),
        LABELS,
        "classification",
        3,
        "gives 1 outputs, the labels have 3",
    ),
    (
        torch.nn.CrossEntropyLoss(),
        torch.zeros(3, 2, 1),
        LABELS,
        "classification",
        2,
        r"shape \(3, 2, 1\) for 3",
    ),
    (torch.nn.MSELoss(), torch.zeros(3, 1), torch.zeros(3, 2), "regression", 2, "gives 1 outputs, the data has 2"),
    (Focal(), torch.zeros(3, 1), torch.zeros(3, 1), "regression", 1, "Focal is for classes"),
    (
        torch.nn.MSELoss(),
        torch.zeros(3, 2),
        LABELS,
        "classification",
        2,
        "MSELoss is for numbers, the data has classes: loss=mse",
    ),
    (Hinge(), torch.zeros(3, 1), LABELS, "classification", 2, None),
    (SquaredError(), torch.zeros(3, 2), LABELS, "classification", 2, None),
    (Hinge(), torch.zeros(3, 1), torch.zeros(3, 1), "regression", 1, "Hinge is for classes"),
    (Perceptron(), torch.zeros(3, 1), torch.zeros(3, 1), "regression", 1, "Perceptron is for classes"),
    (torch.nn.L1Loss(), torch.zeros(3, 2), LABELS, "classification", 2, "is for numbers, .*: loss=cross_entropy"),
    (Focal(weight=[1, 2]), torch.zeros(3, 1), LABELS, "classification", 2, None),
    (Focal(weight=[1, 2, 3]), torch.zeros(3, 2), LABELS, "classification", 2, "3 weights, but there are 2 classes"),
]


@pytest.mark.parametrize(("loss", "outputs", "y", "task", "num_outputs", "message"), FITS)
def test_outputs_that_do_not_fit_the_labels_are_refused_in_one_line(loss, outputs, y, task, num_outputs, message):
    if message is None:
        check_fit(loss, outputs, y, task, num_outputs)
        return
    with pytest.raises(ConfigError, match=message) as error:
        check_fit(loss, outputs, y, task, num_outputs)
    assert "\n" not in str(error.value)
