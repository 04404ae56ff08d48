import pytest
import torch
from sklearn.preprocessing import PolynomialFeatures

from hpsearch.base.errors import ConfigError
from hpsearch.models.polynomial import PolynomialRegression


def test_terms_without_interactions_are_the_powers_of_each_input():
    x = torch.tensor([[2.0, 3.0]])
    assert PolynomialRegression((2,), 1, degree=3).terms(x).tolist() == [[2, 3, 4, 9, 8, 27]]


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_terms_with_interactions_are_all_products(degree):
    x = torch.rand(5, 3)
    expected = PolynomialFeatures(degree, include_bias=False).fit_transform(x.numpy())
    model = PolynomialRegression((3,), 1, degree, interactions=True)
    torch.testing.assert_close(model.terms(x), torch.from_numpy(expected))
    assert model(x).shape == (5, 1)


def test_it_can_be_a_cubic():
    model = PolynomialRegression((1,), 1, degree=3, scaled=False)
    with torch.no_grad():
        model.output.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        model.output.bias.fill_(3.0)
    x = torch.linspace(-1, 1, 9)[:, None]
    torch.testing.assert_close(model(x), 3 + x - 2 * x**2 + 0.5 * x**3)


def test_the_saved_state_is_the_linear_layer_and_the_scales():
    linear = {"output.weight", "output.bias"}
    assert set(PolynomialRegression((3,), 1, interactions=True, scaled=False).state_dict()) == linear
    assert set(PolynomialRegression((3,), 1).state_dict()) == linear | {"largest", "mean", "spread"}


@pytest.mark.parametrize(("degree", "interactions", "size"), [(5, False, 1.0), (3, True, 30.0), (40, False, 1e3)])
def test_scaled_terms_are_standardized_over_the_training_part(degree, interactions, size):
    x = size * torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    model = PolynomialRegression((2,), 1, degree, interactions).double()
    model.fit_terms(x)
    raw = model.terms(x)  # in float64 nothing overflows
    expected = (raw - raw.mean(0)) / raw.std(0, correction=0)
    model.output = torch.nn.Identity()
    torch.testing.assert_close(model(x), expected, rtol=1e-9, atol=1e-9)
    again = PolynomialRegression((2,), 1, degree, interactions)
    again.fit_terms(x.float())
    assert again(x.float()).isfinite().all()  # where x ** 40 is beyond float32


def test_an_input_that_does_not_vary_is_centred():
    x = torch.tensor([[3.0, 1.0], [3.0, -1.0]])
    model = PolynomialRegression((2,), 1, degree=2)
    model.fit_terms(x)
    model.output = torch.nn.Identity()
    assert model(x).tolist() == [[0, 1, 0, 0], [0, -1, 0, 0]]
    model = PolynomialRegression((2,), 1, degree=1)
    model.fit_terms(torch.zeros(3, 2))
    assert model(torch.zeros(3, 2)).isfinite().all()


def test_too_many_products_are_refused():
    with pytest.raises(ConfigError) as error:
        PolynomialRegression((1, 28, 28), 10, degree=2, interactions=True)
    assert str(error.value) == (
        "model.interactions = True: 784 inputs have 308,504 products up to model.degree = 2, "
        "at most 100,000 are allowed"
    )


@pytest.mark.parametrize(("key", "value"), [("degree", 0), ("degree", 1.5), ("interactions", 1), ("scaled", 2)])
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key} = "):
        PolynomialRegression((3,), 1, **{key: value})
