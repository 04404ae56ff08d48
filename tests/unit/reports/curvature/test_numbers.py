import re

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

from hpsearch.reports.curvature.numbers import Spectrum, Verdict, density, judge, quadrature, shares
from hpsearch.reports.curvature.page import curvature_figure
from hpsearch.reports.kit.still import drawn_as_svg


def spectrum(values, errors=None):
    values = np.sort(np.asarray(values, dtype=float))
    count = len(values)
    return Spectrum(values, np.full(count, 1 / count), np.zeros(count) if errors is None else np.asarray(errors))


def tridiagonal(values, steps, seed):
    """Lanczos without tricks, on a diagonal matrix, in long double."""
    start = np.random.default_rng(seed).standard_normal(len(values)).astype(np.longdouble)
    vectors, diagonal, off = [start / np.sqrt(start @ start)], [], []
    for _ in range(steps):
        image = values * vectors[-1]
        diagonal.append(image @ vectors[-1])
        for _ in range(2):
            image = image - sum((image @ v) * v for v in vectors)
        off.append(np.sqrt(image @ image))
        vectors.append(image / off[-1])
    return np.array(diagonal, float), np.array(off, float), (vectors[0] ** 2).astype(float)


def test_a_density_integrates_to_one_and_has_the_mean_and_variance_of_the_spectra():
    rng = np.random.default_rng(0)
    spectra = [spectrum(rng.standard_normal(50) ** 3) for _ in range(3)]
    x, y = density(spectra)
    values = np.concatenate([s.values for s in spectra])
    width = 0.01 * (values.max() - values.min())
    assert np.trapezoid(y, x) == pytest.approx(1, abs=1e-4)
    assert np.trapezoid(x * y, x) == pytest.approx(values.mean(), rel=1e-3, abs=1e-3)
    assert np.trapezoid((x - values.mean()) ** 2 * y, x) == pytest.approx(values.var() + width**2, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_a_density_of_equal_eigenvalues_integrates_to_one(value):
    x, y = density([spectrum([value, value])])
    assert np.trapezoid(y, x) == pytest.approx(1, abs=1e-4)


def test_nodes_and_shares_are_the_eigenvalues_and_first_entries():
    diagonal, off = [1.0, 2.0, 3.0], [0.5, 0.25, 0.125]
    values, vectors = eigh_tridiagonal(diagonal, off[:2])
    found = quadrature(diagonal, off)
    np.testing.assert_allclose(found.values, values)
    np.testing.assert_allclose(found.shares, vectors[0] ** 2)
    np.testing.assert_allclose(found.errors, 0.125 * np.abs(vectors[2]))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("steps", [3, 8, 20])
def test_enclosures_hold_the_distribution_that_the_start_vector_sees(seed, steps):
    values = np.sort(np.random.default_rng(100 + seed).standard_normal(60) ** 3)
    diagonal, off, weights = tridiagonal(values, steps, seed)
    positive, near, negative = shares([quadrature(diagonal, off)], 1e-9, parameters=10**12)  # no chance: what it sees
    assert positive.low - 1e-5 <= weights[values > 0].sum() <= positive.high + 1e-5
    assert negative.low - 1e-5 <= weights[values < 0].sum() <= negative.high + 1e-5
    assert 0 <= near.low <= near.high <= 1 and not positive.exact


@pytest.mark.parametrize("heavy", [0.0, 0.9])
def test_bounds_hold_the_share_of_eigenvalues_however_many_are_nearly_zero(heavy):
    rng = np.random.default_rng(0)
    values = np.sort(np.where(rng.random(200) < heavy, 1e-4, 1.0) * (rng.standard_normal(200) + 0.3))
    truth = np.mean(values > 0)
    wrong = 0
    for study in range(40):
        spectra = [quadrature(*tridiagonal(values, 12, 4 * study + probe)[:2]) for probe in range(4)]
        positive, _, negative = shares(spectra, 1e-9, parameters=200)
        wrong += not (positive.low <= truth <= positive.high and negative.low <= 1 - truth <= negative.high)
    assert wrong <= 2


def test_more_probes_and_parameters_leave_less_to_chance():
    one = spectrum(np.linspace(-1, 1, 20))
    widths = [
        (bound := shares([one] * probes, 1e-9, parameters)[0]).high - bound.low
        for probes, parameters in ((1, 1000), (4, 1000), (4, 100000))
    ]
    # Two nodes of mass 1 / 20 around the bound, and sqrt(log(40) / (q (P + 2))) on each side.
    assert widths == pytest.approx([
        0.1 + 2 * np.sqrt(np.log(40) / (q * (p + 2))) for q, p in ((1, 1000), (4, 1000), (4, 100000))
    ])


def test_exact_shares_are_counts_and_zeros_are_counted_apart():
    found = shares([spectrum([-2, -1e-12, 0, 1e-12, 1, 2, 3, 4])], 1e-9, parameters=8, exact=True)
    assert [(share.low, share.high) for share in found] == [(0.5, 0.5), (0.375, 0.375), (0.125, 0.125)]
    assert [str(share) for share in found] == ["0.5", "0.375", "0.125"]


def test_the_share_itself_is_a_number_only_where_it_is_known():
    bounds = judge(measured())
    assert "minimum_ratio" not in bounds.numbers
    assert 0 <= bounds.numbers["minimum_ratio_low"] < bounds.numbers["minimum_ratio_high"] <= 1
    known = judge(measured(method="exact", eigenvalues=[-0.5, 1.0, 1.5, 2.0]))
    assert known.numbers["minimum_ratio"] == known.numbers["minimum_ratio_low"] == 0.75


def measured(**changes):
    return {
        "method": "lanczos",
        "precision": "float64",
        "parameters": 100,
        "samples": 50,
        "products": 20,
        "loss": 1.0,
        "gradient_norm": 1e-3,
        "matrices": [([0.0, 1.0], [1.0, 0.1]), ([0.5, 0.5], [1.0, 0.1])],
        "top": [(2.0, 0.0)],
        "bottom": [(-0.5, 0.0)],
        "line": {"distances": [-1.0, 0.0, 1.0], "losses": [0.75, 1.0, 0.75], "slope": 0.0},
        "elsewhere": [],
        **changes,
    }


LEVEL = {"line": {"distances": [-1.0, 0.0, 1.0], "losses": [1.0, 1.0, 1.0], "slope": 0.0}}


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, Verdict.SADDLE, "from −0.5 to 2"),
        (
            {"gradient_norm": 0.1},
            Verdict.UNDECIDED,
            "no critical point: the gradient's norm is 0.1, .* 0.25 %, were it quadratic",
        ),
        ({"elsewhere": [-0.5, -0.4, -0.6]}, Verdict.SADDLE, "−0.5 ± 0.0577"),
        ({"elsewhere": [-0.5, 0.4, 0.0]}, Verdict.UNDECIDED, "do not bear it out"),
        ({"bottom": [(0.5, 0.1)]}, Verdict.MINIMUM, "every eigenvalue is positive, the smallest is 0.5 ± 0.1"),
        ({"bottom": [(0.5, 0.6)]}, Verdict.UNDECIDED, "0.5 ± 0.6, of either sign"),
        ({"bottom": [(-1e-12, 1e-12)]}, Verdict.UNDECIDED, "falls along a direction without curvature"),
        ({"bottom": [(-1e-12, 1e-12)], **LEVEL}, Verdict.MINIMUM, "not proved"),
        ({"top": [(-0.4, 0.1)]}, Verdict.MAXIMUM, "the largest is −0.4 ± 0.1"),
        ({"top": [(-0.4, 0.5)]}, Verdict.UNDECIDED, "the largest −0.4 ± 0.5"),
        ({"loss": 0.0, "gradient_norm": 0.0}, Verdict.SADDLE, ""),
    ],
)
def test_verdicts_take_gradient_errors_and_other_samples_into_account(changes, verdict, words):
    found = judge(measured(**changes))
    assert found.verdict is verdict
    assert re.search(words, found.reason), found.reason


def test_the_figures_show_density_eigenvalues_and_line():
    found = judge(measured())
    figure = curvature_figure(found, "single/0/0")
    names = [trace.name for trace in figure.data]
    assert names == ["density", "outermost eigenvalues", "by slope and smallest eigenvalue", "training loss"]
    assert list(figure.data[1].x) == [-0.5, 2.0]
    assert list(figure.data[2].y) == [0.75, 1.0, 0.75]
    assert "single/0/0: saddle" in figure.layout.title.text
    assert figure.layout.xaxis.title.text == f"eigenvalue of the Hessian; share of positive ones: {found.positive}"
    picture = drawn_as_svg(figure.to_plotly_json())
    assert picture == drawn_as_svg(figure.to_plotly_json())
    assert ">single/0/0: saddle<" in picture and ">0.01<" in picture and "$" not in picture
