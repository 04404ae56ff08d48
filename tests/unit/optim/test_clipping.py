"""Gradients of members against torch's clipping of each."""

import pytest
import torch
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from hpsearch.optim.clipping import member_clipping, member_norms

CPU = torch.device("cpu")
SHAPES = [(3, 4), (5,), (2, 3, 2), ()]


def gradients(members, dtype=torch.float64):
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(members, *shape, generator=generator, dtype=dtype) for shape in SHAPES]


def alone(given, member, norm, value):
    """Return the gradients of a member as torch clips them."""
    parameters = [torch.nn.Parameter(torch.zeros_like(each[member])) for each in given]
    for parameter, each in zip(parameters, given, strict=True):
        parameter.grad = each[member].clone()
    if norm is not None:
        clip_grad_norm_(parameters, norm)
    if value is not None:
        clip_grad_value_(parameters, value)
    return [parameter.grad for parameter in parameters]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("norms", "values"),
    [
        ([None, None, None], [None, None, None]),
        ([0.5, None, 100.0], [None, None, None]),
        ([None, None, None], [None, 0.1, 5.0]),
        ([0.5, 2.0, None], [0.05, None, 0.3]),
    ],
)
def test_each_member_is_clipped_as_alone(norms, values, dtype):
    given = gradients(3, dtype)
    found = [each.clone() for each in given]
    member_clipping(norms, values, CPU)(found)
    for member, (norm, value) in enumerate(zip(norms, values, strict=True)):
        expected = alone(given, member, norm, value)
        if norm is None and value is None:
            assert all(torch.equal(one[member], other) for one, other in zip(found, expected, strict=True))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one[member], other, rtol=1e-6 if dtype == torch.float32 else 1e-12, atol=0)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_a_member_that_breaks_leaves_the_others_and_one_without_a_limit_is_left_alone(broken):
    given = gradients(3)
    given[0][1, 0, 0] = given[0][2, 0, 0] = broken
    found = [each.clone() for each in given]
    member_clipping([0.5, 0.5, None], [None, None, None], CPU)(found)
    for one, other in zip(found, alone(given, 0, 0.5, None), strict=True):
        torch.testing.assert_close(one[0], other, rtol=1e-12, atol=0)
    for one, other in zip(found, given, strict=True):
        torch.testing.assert_close(one[2], other[2], rtol=0, atol=0, equal_nan=True)


def test_norms_are_over_all_tensors_of_a_member():
    given = gradients(4)
    expected = [torch.cat([each[k].flatten() for each in given]).norm() for k in range(4)]
    torch.testing.assert_close(member_norms(given), torch.stack(expected), rtol=1e-12, atol=0)
