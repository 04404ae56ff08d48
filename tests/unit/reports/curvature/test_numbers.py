import re

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

from hpsearch.reports.curvature.numbers import Spectrum, Verdict, density, judge, quadrature, shares
from hpsearch.reports.curvature.page import curvature_figure
from hpsearch.reports.kit.still import still


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
    positive, near, negative = shares([quadrature(diagonal, off)], 1e-9)
    assert positive.low - 1e-9 <= weights[values > 0].sum() <= positive.high + 1e-9
    assert negative.low - 1e-9 <= weights[values < 0].sum() <= negative.high + 1e-9
    assert positive.mean + near.mean + negative.mean == pytest.approx(1)
    assert near.low <= near.mean <= near.high + 1e-9


def test_exact_shares_are_counts_and_zeros_are_counted_apart():
    positive, near, negative = shares([spectrum([-2, -1e-12, 0, 1e-12, 1, 2, 3, 4])], 1e-9, exact=True)
    assert (positive.mean, near.mean, negative.mean) == (0.5, 0.375, 0.125)
    assert (positive.low, positive.high, positive.se) == (0.5, 0.5, 0)


def test_a_node_whose_error_reaches_beyond_zero_has_no_sign():
    positive, near, negative = shares([spectrum([-1, -0.1, 0.1, 1], [0, 0.2, 0.05, 0])] * 2, 1e-9)
    assert (positive.mean, near.mean, negative.mean) == (0.5, 0.25, 0.25)


def test_the_error_of_a_share_is_its_standard_error_over_probes():
    spectra = [spectrum([-1] * count + [1] * (10 - count)) for count in (2, 3, 4)]
    positive, _, _ = shares(spectra, 1e-9)
    assert positive.mean == pytest.approx(0.7)
    assert positive.se == pytest.approx(0.1 / np.sqrt(3))


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
        ({"gradient_norm": 0.1}, Verdict.UNDECIDED, "no critical point: the gradient's norm is 0.1, .* 0.25 %"),
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
    picture = still(figure)
    assert picture == still(figure)
    assert ">single/0/0: saddle<" in picture and ">0.01<" in picture and "$" not in picture
