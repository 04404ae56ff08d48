import numpy as np
import pytest

from hpsearch.base.errors import ConfigError
from hpsearch.data.curve import Curve


def test_points_lie_around_a_sine_and_around_a_polynomial():
    for function, curve in (("sine", lambda x: np.sin(np.pi * x)), ([1.0, 0.0, -2.0], lambda x: 1 - 2 * x**2)):
        found = Curve(samples=4000, function=function, noise=0.3).arrays(False)
        x, rest = found.x[:, 0], found.y - curve(found.x[:, 0])
        assert found.x.shape == (4000, 1) and -1 <= x.min() < -0.99 and 0.99 < x.max() < 1
        assert abs(rest.mean()) < 4 * 0.3 / np.sqrt(4000) and rest.std() == pytest.approx(0.3, rel=0.05)
        assert abs(np.corrcoef(x, rest)[0, 1]) < 0.06
    assert np.array_equal(Curve(noise=0.0).arrays(False).y, np.sin(np.pi * Curve().arrays(False).x[:, 0]))


def test_the_draw_decides_the_points():
    assert np.array_equal(Curve().arrays(False).x, Curve(noise=0.5).arrays(False).x)
    assert not np.array_equal(Curve().arrays(False).x, Curve(draw=1).arrays(False).x)


@pytest.mark.parametrize(
    ("field", "value"), [("samples", 2), ("noise", -1.0), ("draw", 0.5), ("function", "cosine"), ("function", [1, "a"])]
)
def test_a_bad_field_is_named(field, value):
    with pytest.raises(ConfigError, match=rf"^data\.{field}"):
        Curve(**{field: value})
