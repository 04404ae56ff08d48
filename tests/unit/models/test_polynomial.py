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
    model = PolynomialRegression((1,), 1, degree=3)
    with torch.no_grad():
        model.output.weight.copy_(torch.tensor([[1.0, -2.0, 0.5]]))
        model.output.bias.fill_(3.0)
    x = torch.linspace(-1, 1, 9)[:, None]
    torch.testing.assert_close(model(x), 3 + x - 2 * x**2 + 0.5 * x**3)


def test_the_saved_state_is_the_linear_layer():
    assert set(PolynomialRegression((3,), 1, interactions=True).state_dict()) == {"output.weight", "output.bias"}


def test_too_many_products_are_refused():
    with pytest.raises(ConfigError) as error:
        PolynomialRegression((1, 28, 28), 10, degree=2, interactions=True)
    assert str(error.value) == (
        "model.interactions = True: 784 inputs have 308,504 products up to model.degree = 2, "
        "at most 100,000 are allowed"
    )


@pytest.mark.parametrize(("key", "value"), [("degree", 0), ("degree", 1.5), ("interactions", 1)])
def test_a_bad_option_is_named(key, value):
    with pytest.raises(ConfigError, match=rf"^model\.{key} = "):
        PolynomialRegression((3,), 1, **{key: value})
