"""Hinge loss and the perceptron's criterion against formulas written out sample by sample, torch and textbooks."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from sklearn.svm import LinearSVC

from hpsearch.base.errors import ConfigError
from hpsearch.losses.class_weights import ClassWeighted, class_losses, each_loss, reported_losses
from hpsearch.losses.constants import best_margins, margin_of
from hpsearch.losses.hinge import Hinge
from hpsearch.losses.perceptron import Perceptron
from hpsearch.models.linear import Perceptron as PerceptronModel

FORMS = ("crammer_singer", "weston_watkins")


def slow(scores, label, margin, power, multiclass):
    leads = [margin + score - scores[label] for c, score in enumerate(scores) if c != label]
    if multiclass == "crammer_singer":
        return max(0.0, max(leads)) ** power
    return sum(max(0.0, lead) ** power for lead in leads)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("margin", [1.0, 0.3])
@pytest.mark.parametrize("multiclass", FORMS)
def test_hinge_is_its_formula(multiclass, margin, power, classes):
    outputs, y = torch.randn(7, classes), torch.arange(7) % classes
    loss = Hinge(margin, power, multiclass)
    rows = [
        slow(row, label, margin, power, multiclass) for row, label in zip(outputs.tolist(), y.tolist(), strict=True)
    ]
    assert loss(outputs, y).item() == pytest.approx(sum(rows) / 7, rel=1e-5)
    torch.testing.assert_close(each_loss(loss, outputs, y), torch.tensor(rows))
    of_classes = [[slow(row, c, margin, power, multiclass) for c in range(classes)] for row in outputs.tolist()]
    torch.testing.assert_close(class_losses(loss, outputs), torch.tensor(of_classes))


@pytest.mark.parametrize("power", [1, 2])
def test_weston_watkins_is_torch_times_the_number_of_classes(power):
    outputs, y = torch.randn(9, 4, requires_grad=True), torch.arange(9) % 4
    ours = Hinge(0.7, power, "weston_watkins")(outputs, y)
    theirs = 4 * torch.nn.MultiMarginLoss(p=power, margin=0.7)(outputs, y)
    torch.testing.assert_close(ours, theirs)
    (one,), (other,) = (torch.autograd.grad(loss, outputs) for loss in (ours, theirs))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("multiclass", FORMS)
@pytest.mark.parametrize("loss", [Hinge, Perceptron])
def test_one_output_is_the_lead_of_class_1(loss, multiclass):
    z, y = torch.randn(8, 1), torch.tensor([0, 1] * 4)
    made = Hinge(0.5, 2, multiclass) if loss is Hinge else Perceptron()
    margin, power = (0.5, 2) if loss is Hinge else (0.0, 1)
    signed = (z[:, 0] * (2 * y - 1)).tolist()
    expected = [max(0.0, margin - lead) ** power for lead in signed]
    assert made(z, y).item() == pytest.approx(sum(expected) / 8, rel=1e-5)
    torch.testing.assert_close(made(torch.cat([-z / 2, z / 2], 1), y), made(z, y))


@pytest.mark.parametrize("classes", [2, 10])
def test_outputs_zero(classes):
    zeros, y = torch.zeros(4, classes), torch.arange(4) % classes
    assert Hinge(0.5)(zeros, y) == 0.5
    assert Hinge(0.5, 2, "weston_watkins")(zeros, y) == pytest.approx(0.25 * (classes - 1))
    assert Perceptron()(zeros, y) == 0


def test_blended_targets_and_class_weights_count_each_class_by_its_share():
    outputs, shares = torch.randn(6, 3), torch.rand(6, 3).softmax(1)
    loss = Hinge()
    rows = [sum(shares[i, c].item() * slow(outputs[i].tolist(), c, 1, 1, FORMS[0]) for c in range(3)) for i in range(6)]
    assert loss(outputs, shares).item() == pytest.approx(sum(rows) / 6, rel=1e-5)
    y, known = torch.tensor([0, 1, 2, 2, 1, 0]), torch.tensor([0.2, 0.3, 0.5])
    weighted = ClassWeighted(loss, [1.0, 2.0, 4.0], known)
    rows = [[1, 2, 4][c] * slow(row, c, 1, 1, FORMS[0]) for row, c in zip(outputs.tolist(), y.tolist(), strict=True)]
    assert weighted(outputs, y).item() == pytest.approx(sum(rows) / 6 / (0.2 + 0.6 + 2.0), rel=1e-5)


def test_reports_show_the_loss_that_is_trained_on():
    loss = Hinge(2.0)
    assert reported_losses(loss) == {"loss": loss}
    assert [margin_of(each) for each in (loss, ClassWeighted(loss, [1, 1], torch.ones(2) / 2), Perceptron())] == [
        2,
        2,
        0,
    ]
    assert margin_of(torch.nn.CrossEntropyLoss()) is None


def textbook(x, y, classes, lr):
    """One pass of the perceptron's rule, sample by sample, from zeros; ties are mistakes."""
    w, b = np.zeros((classes, x.shape[1])), np.zeros(classes)
    for sample, label in zip(x, y, strict=True):
        scores = w @ sample + b
        others = [(score, -c) for c, score in enumerate(scores) if c != label]
        if max(others)[0] >= scores[label]:
            wrong = -max(others)[1]
            w[label], b[label] = w[label] + lr * sample, b[label] + lr
            w[wrong], b[wrong] = w[wrong] - lr * sample, b[wrong] - lr
    return w, b


def test_one_sample_at_a_time_it_is_the_rule_of_the_perceptron_with_one_output():
    x = torch.randn(40, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = (x @ torch.arange(-2.0, 3.0, dtype=torch.float64) > 0.3).long()
    model = PerceptronModel((5,), 2).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    w, b, mistakes = np.zeros(5), 0.0, 0
    for sample, label in zip(x, y, strict=True):
        optimizer.zero_grad()
        Perceptron()(model(sample[None]), label[None]).backward()
        optimizer.step()
        sign = 1 if label else -1
        if sign * (w @ sample.numpy() + b) <= 0:
            w, b, mistakes = w + 0.5 * sign * sample.numpy(), b + 0.5 * sign, mistakes + 1
    assert 1 < mistakes < 40
    np.testing.assert_allclose(model.output.weight.detach().numpy()[0], w)
    assert model.output.bias.item() == pytest.approx(b)


def test_and_with_several_classes():
    x = torch.randn(60, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    y = (x @ torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3))).argmax(1)
    model = PerceptronModel((4,), 3).double()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    with torch.no_grad():  # the first sample ties all classes, of which any may be taken: give it to a fixed one
        model.output.bias.copy_(torch.tensor([3e-9, 2e-9, 1e-9]))
    for sample, label in zip(x, y, strict=True):
        optimizer.zero_grad()
        Perceptron()(model(sample[None]), label[None]).backward()
        optimizer.step()
    w, b = textbook(x.numpy(), y.numpy(), 3, 1.0)
    np.testing.assert_allclose(model.output.weight.detach().numpy(), w, atol=1e-7)
    np.testing.assert_allclose(model.output.bias.detach().numpy(), b, atol=1e-7)


def test_the_machine_that_scikit_learn_finds_minimizes_our_objective():
    x, y = load_iris(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    c = 0.5
    found = LinearSVC(C=c, multi_class="crammer_singer", fit_intercept=False, tol=1e-8, max_iter=200_000).fit(x, y)
    inputs, labels, strength = torch.from_numpy(x), torch.from_numpy(y), 1 / (c * len(y))

    def objective(weight):
        return float(Hinge()(inputs @ weight.T, labels)) + strength / 2 * float(weight.square().sum())

    best = torch.from_numpy(found.coef_)
    draws = torch.Generator().manual_seed(0)
    for size in (1e-1, 1e-2):
        for _ in range(50):
            near = best + size * torch.randn(best.shape, dtype=best.dtype, generator=draws)
            assert objective(near) > objective(best)
    assert objective(best) < objective(0.9 * best) and objective(best) < objective(1.1 * best)


def exact(share, margin, multiclass):
    """The least mean hinge loss of power 1 of constant outputs, as a linear program over outputs and slacks."""
    n, pairs = len(share), list(itertools.permutations(range(len(share)), 2))
    slacks = pairs if multiclass == "weston_watkins" else list(range(n))
    cost = [0.0] * n + [share[s[0]] if isinstance(s, tuple) else share[s] for s in slacks]
    rows = []
    for c, j in pairs:
        row = np.zeros(n + len(slacks))
        row[j], row[c], row[n + slacks.index((c, j) if multiclass == "weston_watkins" else c)] = 1, -1, -1
        rows.append(row)
    bounds = [(None, None)] * n + [(0, None)] * len(slacks)
    return linprog(cost, A_ub=np.array(rows), b_ub=[-margin] * len(rows), bounds=bounds).fun


@pytest.mark.parametrize("counts", [[1, 1, 1], [8, 1, 1], [10, 6, 2, 1], [40, 12, 3, 1], [5, 5, 1, 1], [9, 1]])
@pytest.mark.parametrize("multiclass", FORMS)
def test_the_best_constant_outputs_are_those_of_the_linear_program(multiclass, counts):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    loss = Hinge(0.8, 1, multiclass)
    for columns in {len(counts), 1} if len(counts) == 2 else {len(counts)}:
        (outputs,) = best_margins(loss, y, columns)
        found = float(loss(outputs.expand(len(y), -1), y))
        assert found == pytest.approx(exact([c / sum(counts) for c in counts], 0.8, multiclass), rel=1e-5)


def test_the_best_constant_outputs_of_a_squared_hinge_and_of_weighted_classes():
    y = torch.tensor([0] * 5 + [1] * 3)
    (outputs,) = best_margins(Hinge(1.0, 2), y, 1)
    assert outputs.item() == pytest.approx(-2 / 8)  # m (p_1 - p_0), a multiple of an eighth
    weighted = ClassWeighted(Hinge(), [1.0, 5.0], torch.tensor([5 / 8, 3 / 8]))
    assert best_margins(weighted, y, 1)[0].item() == 1  # 15 to 5 for class 1
    assert best_margins(torch.nn.CrossEntropyLoss(), y, 2) == best_margins(Perceptron(), y, 2) == []


@pytest.mark.parametrize(
    ("option", "value"), [("margin", 0.0), ("power", 3), ("power", 1.5), ("multiclass", "one_vs_rest")]
)
def test_a_bad_value_is_named(option, value):
    with pytest.raises(ConfigError, match=rf"^loss\.{option} = {value!r}"):
        Hinge(**{option: value})
