import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.func import functional_call, grad, jacrev

from hpsearch.base.errors import ConfigError
from hpsearch.nn.dropout import Dropout
from hpsearch.regularizers.penalties import L2
from hpsearch.reports.curvature.numbers import TOLERANCES, Verdict, judge, quadrature
from hpsearch.trial.measure.curvature import measure_curvature
from hpsearch.trial.measure.lanczos import lanczos, pairs
from hpsearch.trial.measure.loss_surface import LossSurface

OPTIONS = {"k": 4, "probes": 4, "steps": 30, "longest": 300, "precision": "float64", "tolerance": 1e-8}


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.layer(x.view(-1, 4, 3))[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.inputs, self.head = nn.Linear(3, 4), nn.Linear(4, 3)

    def forward(self, x):
        x = self.inputs(x.view(-1, 4, 3))
        return self.head(nn.functional.scaled_dot_product_attention(x, x, x).mean(1))


def mlp():
    return nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 3))


def convolutional():
    """Batch normalization with statistics of its own, pooling with kinks, dropout."""
    net = nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)),
        nn.Conv2d(1, 4, 2),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Dropout(0.5),
        nn.Flatten(),
        nn.Linear(4, 3),
    )
    net[2].running_mean.normal_()
    net[2].running_var.uniform_(0.5, 2)
    return net


NETS = {"mlp": mlp, "convolutional": convolutional, "recurrent": Recurrent, "attention": Attention}


@pytest.fixture(params=NETS)
def net(request):
    torch.manual_seed(1)
    return NETS[request.param]()


def samples(count=40):
    draws = torch.Generator().manual_seed(2)
    return torch.randn(count, 12, generator=draws), torch.randint(3, (count,), generator=draws)


def in_batches(x, y, size=16):
    return list(zip(x.split(size), y.split(size), strict=True))


def dense(net, loss, x, y):
    """The Hessian of the mean loss in evaluation mode, by torch.func."""
    net = net.double().eval()
    shapes = [(name, p.shape) for name, p in net.named_parameters() if p.requires_grad]
    start = torch.cat([p.detach().flatten() for p in net.parameters() if p.requires_grad])

    def value(flat):
        parts = torch.split(flat, [math.prod(shape) for _, shape in shapes])
        named = {name: part.view(shape) for (name, shape), part in zip(shapes, parts, strict=True)}
        return loss(functional_call(net, named, x.double()), y)

    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        return jacrev(grad(value))(start)


@pytest.mark.parametrize("exact", [True, False])
def test_extreme_eigenvalues_are_those_of_a_dense_hessian(net, exact):
    x, y = samples()
    found = measure_curvature(net, nn.CrossEntropyLoss(), in_batches(x, y), exact=exact, **OPTIONS)
    expected = torch.linalg.eigvalsh(dense(net, nn.CrossEntropyLoss(), x, y)).numpy()
    assert found["parameters"] == len(expected)
    np.testing.assert_allclose([value for value, _ in found["top"]], expected[::-1][:4], rtol=1e-4)
    np.testing.assert_allclose([value for value, _ in found["bottom"]], expected[:4], rtol=1e-4, atol=1e-12)
    if not exact:
        np.testing.assert_allclose([v for v, _ in found["bottom"]], expected[:4], atol=found["bottom"][3][1] + 1e-9)


def test_float32_agrees_within_its_tolerance():
    torch.manual_seed(1)
    net, (x, y) = mlp(), samples()
    found = measure_curvature(net, nn.CrossEntropyLoss(), [(x, y)], exact=False, **OPTIONS | {"precision": "float32"})
    expected = torch.linalg.eigvalsh(dense(net, nn.CrossEntropyLoss(), x, y)).numpy()
    tolerance = TOLERANCES["float32"] * np.abs(expected).max()
    np.testing.assert_allclose([value for value, _ in found["top"]], expected[::-1][:4], atol=tolerance)
    np.testing.assert_allclose([value for value, _ in found["bottom"]], expected[:4], atol=tolerance)


def test_loss_and_gradient_are_those_of_the_mean_over_all_samples(net):
    x, y = samples()
    surface = LossSurface(net, nn.CrossEntropyLoss(), in_batches(x, y))
    net = net.double().eval()
    loss = nn.functional.cross_entropy(net(x.double()), y)
    expected = torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.parameters()))])
    assert surface.value() == pytest.approx(loss.item(), rel=1e-12)
    torch.testing.assert_close(surface.gradient(), expected)


def test_the_model_stays_as_it_was(net):
    before, mode = {name: value.clone() for name, value in net.state_dict().items()}, net.training
    x, y = samples()
    measure_curvature(net, nn.CrossEntropyLoss(), [(x, y)], exact=False, **OPTIONS)
    assert net.training is mode and all(parameter.grad is None for parameter in net.parameters())
    assert all(value.dtype == before[name].dtype for name, value in net.state_dict().items())
    assert all(value.equal(before[name]) for name, value in net.state_dict().items())


def test_quadrature_has_the_moments_of_its_start_vector():
    torch.manual_seed(1)
    net, (x, y) = mlp(), samples()
    surface = LossSurface(net, nn.CrossEntropyLoss(), [(x, y)])
    start, matrix = surface.random(0), dense(net, nn.CrossEntropyLoss(), x, y)
    krylov = lanczos(surface.product, start, 6, lambda step: surface.random(0, step))
    found = quadrature(krylov.diagonal.tolist(), krylov.off_diagonal.tolist())
    for power in range(12):
        expected = start @ torch.linalg.matrix_power(matrix, power) @ start
        assert found.shares @ found.values**power == pytest.approx(expected.item(), rel=1e-8)


def test_the_mean_of_the_probes_has_the_moments_of_the_spectrum():
    torch.manual_seed(1)
    net, (x, y) = mlp(), samples()
    many = OPTIONS | {"probes": 60, "steps": 12, "longest": 12}
    found = measure_curvature(net, nn.CrossEntropyLoss(), [(x, y)], exact=False, **many)
    spectra = [quadrature(*matrix) for matrix in found["matrices"]]
    expected = torch.linalg.eigvalsh(dense(net, nn.CrossEntropyLoss(), x, y)).numpy()
    for power in (1, 2, 3):
        each = [s.shares @ s.values**power for s in spectra]
        assert abs(np.mean(each) - np.mean(expected**power)) < 4 * np.std(each, ddof=1) / math.sqrt(len(each))


def test_errors_bound_the_distance_to_an_eigenvalue_before_convergence():
    values = torch.linspace(-1, 2, 200, dtype=torch.float64)
    start = torch.randn(200, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    found = pairs(lanczos(lambda v: values * v, start / start.norm(), 20, lambda step: start))
    distances = (found.values[:, None] - values).abs().min(dim=1).values
    assert (distances <= found.errors + 1e-12).all()
    assert found.errors.max() > 1e-3


def test_repeated_eigenvalues_are_found_as_often_as_they_occur():
    values = torch.tensor([-1.0] * 3 + [2.0] * 5 + [3.0] * 2, dtype=torch.float64)
    draws = torch.Generator().manual_seed(3)

    def unit(_):
        drawn = torch.randn(len(values), generator=draws, dtype=torch.float64)
        return drawn / drawn.norm()

    found = pairs(lanczos(lambda v: values * v, unit(0), 50, unit))
    torch.testing.assert_close(found.values, values)


def test_penalties_count_and_frozen_parameters_do_not():
    torch.manual_seed(1)
    net, (x, y) = mlp(), samples()
    net[0].requires_grad_(False)
    bare, penalized = (
        measure_curvature(net, nn.CrossEntropyLoss(), [(x, y)], (), penalties, exact=True, **OPTIONS)
        for penalties in ((), (L2(strength=0.25, bias_and_norm=True),))
    )
    assert bare["parameters"] == 21
    np.testing.assert_allclose(penalized["eigenvalues"], np.add(bare["eigenvalues"], 0.25), atol=1e-12)


class Height(nn.Module):
    """Its output is a function of its weights; with the loss `first`, so is the training loss."""

    def __init__(self, height, *at):
        super().__init__()
        self.weights, self.height = nn.Parameter(torch.tensor(at)), height

    def forward(self, x):
        return self.height(self.weights.unbind()).expand(len(x))


class First(nn.Module):
    def forward(self, outputs, targets):
        return outputs.mean()


class Product(nn.Module):
    """A linear network with one hidden unit: y = b a x."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a)), nn.Parameter(torch.tensor(b))

    def forward(self, x):
        return self.b * self.a * x


def judged(model, loss, x, y, exact, **options):
    return judge(measure_curvature(model, loss, [(x, y)], exact=exact, **OPTIONS | options))


@pytest.mark.parametrize("exact", [True, False])
def test_a_product_network_has_a_saddle_at_zero_and_a_minimum_where_it_fits(exact):
    x = torch.linspace(-1, 1, 9)
    saddle = judged(Product(0.0, 0.0), nn.MSELoss(), x, x, exact, k=2)
    slope = 2 * x.square().mean().item()  # d2/dadb of the mean of (b a x - x)^2
    assert saddle.verdict is Verdict.SADDLE and saddle.critical
    assert [saddle.bottom[0][0], saddle.top[0][0]] == pytest.approx([-slope, slope])
    assert saddle.positive.low <= 0.5 <= saddle.positive.high and saddle.positive.exact is exact
    assert saddle.line.lowest[1] < saddle.loss
    valley = judged(Product(2.0, 0.5), nn.MSELoss(), x, x, exact, k=2)
    assert valley.verdict is Verdict.MINIMUM and "does not fall" in valley.reason  # a b = 1 is a flat valley
    slope_away = judged(Product(2.0, 0.8), nn.MSELoss(), x, x, exact, k=2)
    assert slope_away.verdict is Verdict.UNDECIDED and not slope_away.critical
    assert slope_away.reason.startswith("no critical point: the gradient's norm is ")


HEIGHTS = {
    "bowl": (lambda w: w[0] ** 2 + 3 * w[1] ** 2 + 2, (0.0, 0.0), Verdict.MINIMUM),
    "one negative eigenvalue of many": (
        lambda w: sum(each**2 for each in w[1:]) - 0.01 * w[0] ** 2 + 2,
        (0.0,) * 12,
        Verdict.SADDLE,
    ),
    "dome": (lambda w: 2 - w[0] ** 2 - w[1] ** 2, (0.0, 0.0), Verdict.MAXIMUM),
    "flat and rising": (lambda w: 2 + w[0] ** 2 + w[1] ** 4, (0.0, 0.0), Verdict.MINIMUM),
    "flat and falling": (lambda w: 2 + w[0] ** 2 - w[1] ** 4, (0.0, 0.0), Verdict.UNDECIDED),
    "flat and cubic": (lambda w: 2 + w[0] ** 2 + w[1] ** 3, (0.0, 0.0), Verdict.UNDECIDED),
    "plane": (lambda w: 2 + w[0] + 0 * w[1], (1.0, 1.0), Verdict.UNDECIDED),
    "slope of a bowl": (lambda w: w[0] ** 2 + w[1] ** 2 + 1, (1.0, 0.0), Verdict.UNDECIDED),
}


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("name", HEIGHTS)
def test_constructed_points_are_named_right(name, exact):
    height, at, verdict = HEIGHTS[name]
    found = judged(Height(height, *at), First(), torch.zeros(4), torch.zeros(4), exact, k=2)
    assert found.verdict is verdict, found.reason


def test_other_samples_decide_whether_a_bend_is_real():
    """On the samples looked at the loss bends down along one weight, on others up."""
    x, y = torch.tensor([-0.1, -0.1]), torch.zeros(2)
    others = [(torch.full((2,), value), torch.zeros(2)) for value in (0.9, 1.0, 1.1)]

    class Bend(nn.Module):
        def __init__(self):
            super().__init__()
            self.weights = nn.Parameter(torch.zeros(2))

        def forward(self, x):
            return 2 + x * self.weights[0] ** 2 + self.weights[1] ** 2

    found = judge(measure_curvature(Bend(), First(), [(x, y)], others, exact=True, **OPTIONS))
    assert found.bottom[0][0] == pytest.approx(-0.2)
    assert found.elsewhere == pytest.approx((2.0, 0.2 / math.sqrt(3)))
    assert found.verdict is Verdict.UNDECIDED and "other" in found.reason
    same = judge(measure_curvature(Bend(), First(), [(x, y)], [(x, y), (x, y)], exact=True, **OPTIONS))
    assert same.verdict is Verdict.SADDLE


def test_the_line_follows_the_bottom_direction_downhill_first():
    found = judged(
        Height(lambda w: 5 - w[0] ** 2 + w[0] / 50 + w[1] ** 2, 0.0, 0.0), First(), torch.zeros(2), torch.zeros(2), True
    )
    line = found.line
    assert line.slope == pytest.approx(-0.02)
    expected = [5 - t**2 - t / 50 for t in line.distances]
    assert line.losses == pytest.approx(expected)
    assert line.distances[-1] == pytest.approx(math.sqrt(2 * 5 / 2))
    assert line.lowest == pytest.approx((line.distances[-1], expected[-1]))


class Once(torch.autograd.Function):
    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x**2

    @staticmethod
    @once_differentiable
    def backward(context, slope):
        return 2 * context.saved_tensors[0] * slope


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Flatten(), "Flatten has no trained parameters"),
        (Height(lambda w: w[0] / 0, 1.0), "the training loss at these weights is inf"),
        (Height(lambda w: Once.apply(w[0]) ** 2, 1.0), "a layer of the model has no second derivative"),
    ],
)
def test_what_has_no_curvature_is_refused_in_one_line(model, message):
    for exact in (True, False):
        with pytest.raises(ConfigError, match=message) as refused:
            measure_curvature(model, First(), [(torch.zeros(2, 1), torch.zeros(2))], exact=exact, **OPTIONS)
        assert "\n" not in str(refused.value)
