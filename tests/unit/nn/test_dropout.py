import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from hpsearch.base.errors import ConfigError
from hpsearch.base.rng import mix
from hpsearch.nn.dropout import Dropout, address_dropout, advance


def mask(layer, shape=(64, 256)):
    """Return what is kept of a tensor of ones."""
    return layer(torch.ones(shape)) > 0


def at(seed, step, rate=0.5, layers=1):
    model = nn.Sequential(*(Dropout(rate) for _ in range(layers)))
    address_dropout(model, seed)
    advance(model, step)
    return model


def test_the_expectation_and_the_variance_are_kept():
    for rate in (0.1, 0.5, 0.8):
        out = at(seed=1, step=2, rate=rate)(torch.full((1000, 1000), 3.0))
        assert out.unique().tolist() == [0, pytest.approx(3 / (1 - rate))]
        assert abs(out.mean() / 3 - 1) < 0.005
        assert abs(out.var() / (9 * rate / (1 - rate)) - 1) < 0.01


def test_evaluation_and_rate_zero_do_nothing():
    x = torch.randn(8, 8)
    assert at(0, 0, rate=0.5).eval()(x) is x
    assert at(0, 0, rate=0.0)(x) is x


def test_the_same_address_gives_the_same_mask_whatever_was_drawn_before():
    first = mask(at(seed=7, step=3))
    torch.rand(100)
    other = at(seed=7, step=9)
    other(torch.ones(5))
    advance(other, 3)
    assert torch.equal(first, mask(other))


def correlation(a, b):
    return torch.corrcoef(torch.stack((a.flatten(), b.flatten())).double())[0, 1].abs()


def test_masks_of_different_addresses_are_independent():
    shape = (512, 512)
    two_layers = at(seed=1, step=5, layers=2)
    reference = mask(two_layers[0], shape)
    others = {
        "layer": mask(two_layers[1], shape),
        "step": mask(at(seed=1, step=6), shape),
        "seed": mask(at(seed=2, step=5), shape),
        "next sample": reference.roll(1, 0),
        "next feature": reference.roll(1, 1),
    }
    for name, other in others.items():
        assert correlation(reference, other) < 5 / 512, name


def test_the_mask_of_a_step_is_no_shuffle_of_the_one_before():
    for size in (2, 4, 16, 64):
        kept, kept_next = (mask(at(seed=1, step=step)).view(-1, size).sum(1) for step in (4, 5))
        assert (kept == kept_next).float().mean() < 0.9


def test_gradients_flow_through_what_is_kept():
    x = torch.ones(50, 50, requires_grad=True)
    out = at(seed=3, step=0, rate=0.25)(x)
    out.sum().backward()
    assert torch.equal(x.grad, out.detach())


def test_half_precision_stays_half():
    assert at(0, 0)(torch.ones(4, 4, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_members_under_vmap_get_the_masks_they_get_alone():
    seeds, steps, rates = [0, 1, 12345, 2**40], [0, 3, 3, 100], [0.5, 0.5, 0.2, 0.9]
    models = [at(seed, step, rate, layers=2) for seed, step, rate in zip(seeds, steps, rates, strict=True)]
    params, buffers = stack_module_state(models)
    x = torch.randn(16, 32)

    def forward(params, buffers, x):
        return functional_call(models[0], (params, buffers), (x,))

    fused = vmap(forward, in_dims=(0, 0, None))(params, buffers, x)
    per_member = vmap(forward)(params, buffers, x.expand(4, 16, 32).clone())
    for member, model in enumerate(models):
        assert torch.equal(fused[member], model(x))
        assert torch.equal(per_member[member], model(x))


def test_a_saved_model_holds_no_address():
    assert at(seed=1, step=2).state_dict() == {}


def test_large_seeds_and_steps():
    for seed in (0, 2**63 - 1):
        assert 0.4 < mask(at(seed=seed, step=2**31 - 1)).float().mean() < 0.6


def reference_mix(x):
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & 0xFFFFFFFF
    x = ((x ^ (x >> 15)) * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def test_the_mix_in_signed_lanes_is_the_unsigned_one():
    lanes = torch.randint(-(2**31), 2**31, (10_000,), dtype=torch.int64, generator=torch.Generator().manual_seed(0))
    mixed = mix(lanes.int())
    assert mixed.dtype == torch.int32
    assert [lane & 0xFFFFFFFF for lane in mixed.tolist()] == [reference_mix(x & 0xFFFFFFFF) for x in lanes.tolist()]


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan"), True, "0.5", None])
def test_a_bad_rate_is_refused(rate):
    with pytest.raises(ConfigError) as error:
        Dropout(rate)
    assert str(error.value) == f"model.dropout = {rate!r}: must be a number in [0, 1)"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_mask_is_the_same_on_a_gpu():
    model = at(seed=5, step=8)
    assert torch.equal(mask(model), (model.cuda()(torch.ones(64, 256, device="cuda")) > 0).cpu())
