import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from hpsearch.base.errors import ConfigError
from hpsearch.regularizers import CutMix, Mixup

X = torch.arange(6.0)[:, None, None, None] + torch.zeros(6, 2, 8, 8)
Y = torch.arange(6)


@pytest.mark.parametrize("mixing", [Mixup(alpha=0.7), CutMix(alpha=0.7)], ids=["mixup", "cutmix"])
def test_draws_are_a_function_of_seed_and_step(mixing):
    first = mixing.mix(X, Y, 6, 1, 4)
    torch.rand(3)
    again = mixing.mix(X, Y, 6, 1, 4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    for seed, step in ((2, 4), (1, 5)):
        assert not torch.equal(mixing.mix(X, Y, 6, seed, step)[1], first[1])
    assert torch.equal(X[3], torch.full((2, 8, 8), 3.0)) and Y.tolist() == [0, 1, 2, 3, 4, 5]


def test_mixup_blends_inputs_and_targets_alike():
    shares = []
    for step in range(200):
        x, y = Mixup(alpha=0.5).mix(X, Y, 6, 0, step)
        torch.testing.assert_close(y.sum(1), torch.ones(6))
        torch.testing.assert_close(x[:, 0, 0, 0], y @ torch.arange(6.0))  # sample i is filled with its class number
        assert (y.argmax(1) == Y).all()
        shares += [share for share in y.max(1).values.tolist() if share < 1]
    assert 0.5 <= min(shares) < 0.55 and max(shares) > 0.99


def test_the_share_has_the_mean_of_the_folded_beta_distribution():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
    shares = []
    for step in range(2000):
        mixed = Mixup(alpha=1.0).mix(x, y, 1, 0, step)[0]
        if mixed[1] < 1:
            shares.append(mixed[1].item())
    assert 900 < len(shares) < 1100  # the other half met themselves
    assert sum(shares) / len(shares) == pytest.approx(0.75, abs=0.02)


def test_mixup_of_a_regression_blends_its_targets():
    targets = torch.tensor([[0.0], [10.0], [20.0]])
    x, y = Mixup(alpha=1.0).mix(targets / 10, targets, 1, 0, 3)
    torch.testing.assert_close(x * 10, y)


def test_cutmix_pastes_a_box_and_blends_by_its_area():
    areas = []
    for step in range(300):
        x, y = CutMix(alpha=1.0).mix(X, Y, 6, 0, step)
        assert torch.equal(x[:, 0], x[:, 1])
        for i in range(6):
            own = (x[i, 0] == i).float().mean().item()
            if (x[i, 0] != i).any():
                assert y[i, i].item() == pytest.approx(own)
                rows, columns = (x[i, 0] != i).nonzero().unbind(1)
                box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
                assert box == len(rows)
                areas.append(own)
        torch.testing.assert_close(y.sum(1), torch.ones(6))
    assert min(areas) < 0.5 and max(areas) > 0.9


def test_soft_targets_are_the_mean_of_both_losses():
    logits = torch.randn(6, 6)
    _, y = Mixup(alpha=1.0).mix(X, Y, 6, 0, 1)
    lam = y.max(1).values.min().item()
    rest = y - lam * one_hot(Y, 6)
    other = rest.argmax(1)
    assert 0.5 < lam < 1 and (other != Y).any()
    expected = lam * cross_entropy(logits, Y) + (1 - lam) * cross_entropy(logits, other)
    torch.testing.assert_close(cross_entropy(logits, y), expected)


def test_cutmix_needs_images():
    with pytest.raises(ConfigError, match=r"^regularizer\.cutmix: needs images, the inputs have shape \(4,\)"):
        CutMix().mix(torch.zeros(3, 4), torch.zeros(3, dtype=torch.int64), 2, 0, 0)


@pytest.mark.parametrize(("kind", "name"), [(Mixup, "mixup"), (CutMix, "cutmix")])
def test_a_bad_alpha_is_named(kind, name):
    with pytest.raises(ConfigError, match=rf"^regularizer\.{name}\.alpha = 0"):
        kind(alpha=0)
