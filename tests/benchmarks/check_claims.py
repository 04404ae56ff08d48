"""How often are the claims about training supported where they are wrong, and where they are right? 1,000 draws each.

python -m tests.benchmarks.check_claims [STUDIES]
"""

import argparse
import math

import numpy as np
import pandas as pd
from scipy.special import expit

from hpsearch.base.types import TrialTable
from hpsearch.reports.ablation.arms import name_of
from hpsearch.reports.ablation.claims import CLAIMS
from hpsearch.reports.ablation.claims.claim import BATCH, MOMENTUM, RATE, ClaimVerdict
from hpsearch.reports.ablation.tuning import ArmSearch, TriedSetting
from tests.support.ablations import arm, cost, evidence, over_batches

WRONG = 0.07
"""Share of studies in which a wrong claim may be supported."""
RATES = np.geomspace(0.05, 2, 9)
STEP = math.log10(RATES[1] / RATES[0])


def parabola(off):
    return -(off**2)


def steep_above(off):
    """Falls slowly below its top and steeply above, as accuracy over the rate does."""
    return -(np.exp(-2 * off) / 2 + np.exp(6 * off) / 6 - 2 / 3) / 4


def searched(levels, scores, trains=None):
    """The search of one arm over `RATES`: scores ``[rate, seed]``, and which of them train."""
    momentum, trains = levels.get(MOMENTUM, 0.0), np.ones(scores.shape, bool) if trains is None else trains
    tried = tuple(
        TriedSetting(
            params={RATE: rate * (1 - momentum)},
            mean=float(own.mean()),
            diverged=False,
            stable=bool(ok.all()),
            scores={(seed, 0): float(score) for seed, score in enumerate(own)},
            trains=tuple(ok.tolist()),
        )
        for rate, own, ok in zip(RATES, scores, trains, strict=True)
    )
    return ArmSearch(name_of(levels), levels, {RATE: 0.1}, 0.0, scores.shape[1], {}, tried)


def best_rates(rng, steps, seeds, noise, shapes=(parabola, parabola)):
    """Claim 1: two momenta whose best effective rates are so many steps of the grid apart."""
    first = np.log10(RATES)[rng.integers(3, 5)] + STEP * (rng.random() - 0.5)
    both = []
    for momentum, shape, at in zip((0.0, 0.9), shapes, (first, first + steps * STEP), strict=True):
        curve = shape(np.log10(RATES) - at)[:, None] + noise * rng.normal(size=seeds)
        both.append(searched({MOMENTUM: momentum}, curve + noise * rng.normal(size=(len(RATES), seeds))))
    return evidence(both)


def edges(rng, shift, seeds, width, unlucky=0.0):
    """Claim 2: two momenta, the share of seeds that train a logistic curve, shifted by so many decades."""
    x = np.log10(RATES)
    edge, both = rng.uniform(x[3], x[-1]), []
    for momentum, at in ((0.0, edge), (0.9, edge + shift)):
        trains = rng.random((len(x), seeds)) < (1 - unlucky) * expit((at - x) / width)[:, None]
        scores = np.where(trains, parabola(x - x[1])[:, None] + 0.02 * rng.normal(size=trains.shape), -9.0)
        both.append(searched({MOMENTUM: momentum}, scores, trains))
    return evidence(both)


def slopes(rng, slope, sizes, seeds, noise, shape=parabola):
    """Claim 3: batch sizes whose best rate goes as a power of the size."""
    logs = np.log10(sizes)
    at = np.log10(RATES[4]) + slope * (logs - logs.mean())
    noisy = (shape(np.log10(RATES) - each)[:, None] + noise * rng.normal(size=(len(RATES), seeds)) for each in at)
    return evidence([searched({BATCH: size}, scores) for size, scores in zip(sizes, noisy, strict=True)])


def losses(rng, loss, seeds, bend=True):
    """Claim 4: updates that level off, or a power law; the largest batch scores so much less than the smallest."""
    sizes = (16, 64, 256)
    needed = [40 + 8000 / size if bend else 8000 * size**-0.7 for size in sizes]
    updates = {
        b: [each * math.exp(0.05 * rng.normal()) for _ in range(seeds)] for b, each in zip(sizes, needed, strict=True)
    }
    scores = {b: (0.9 - loss * (b == 256) + 0.005 * rng.normal(size=seeds)).tolist() for b in sizes}
    arms, costs = over_batches(updates, scores)
    return evidence([searched({BATCH: 16}, np.zeros((9, 1)))], arms, costs)


def updates(rng, exponent, noise, sizes=5, seeds=5):
    """Claim 5: updates that go as a power of the batch size; None: along the curve, its corner in the middle."""
    b = np.geomspace(8, 800, sizes)
    needed = 100 * (1 + 80 / b) if exponent is None else 1000 * b**-exponent
    needed = needed * np.exp(noise * rng.normal(size=sizes))
    arms, costs = over_batches({
        size: each * np.exp(noise * rng.normal(size=seeds)) for size, each in zip(b, needed, strict=True)
    })
    return evidence([searched({BATCH: 8.0}, np.zeros((9, 1)))], arms, costs, tuned_for="updates")


def times(rng, slower, rounds, sizes=6, noise=0.05, drift=0.0):
    """Claim 6: the smallest size so many times slower; each round under another load, which drifts between trials."""
    drifts = drift * rng.choice([-1, 1]) * np.arange(rounds * sizes).reshape(rounds, -1)
    load = 0.3 * rng.normal(size=(rounds, 1)) + drifts
    spikes = (rng.random((rounds, sizes)) < 0.05) * rng.exponential(1.0, size=(rounds, sizes))
    seconds = np.exp(load + spikes + noise * rng.normal(size=(rounds, sizes)))
    seconds[:, 0] *= slower
    arms, costs, starts = [], [], []
    for place in range(sizes):
        arms.append(arm([0.9] * rounds, **{BATCH: 2.0 ** (4 + place)}))
        costs.append(cost(times={r: (seconds[r, place], seconds[r, place] / 9) for r in range(rounds)}))
        starts += [{"point": 0, "seed": r, "fold": 0, "started": float(r * sizes + place)} for r in range(rounds)]
    none = pd.DataFrame()
    return evidence(arms=arms, costs=costs, table=TrialTable("t", {}, pd.DataFrame(starts), none, none))


def lags(rng, lag, seeds, peak=0.5, noise=0.05, epochs=40):
    """Claim 7: loss and accuracy rise fast to their best and fall slowly from it, one later by so much of training."""
    t = np.arange(1, epochs + 1) / epochs
    rows = []
    for seed in range(seeds):
        values = []
        for best, sd in ((peak, 0.02), (peak + lag, noise)):
            values.append(-(((t - best) / np.where(t < best, 0.3, 0.6)) ** 2) + sd * rng.normal(size=epochs))
        columns = {"epoch": np.arange(1, epochs + 1), "valid/loss": -values[0], "valid/acc": values[1]}
        rows.append(pd.DataFrame({"point": 0, "seed": seed, "fold": 0, **columns}))
    none = pd.DataFrame()
    return evidence(arms=[arm([0.9] * seeds)], table=TrialTable("t", {}, none, pd.concat(rows), none))


NULLS = {
    1: [
        (
            f"best rates {steps} steps apart, {seeds} seeds, noise {noise}, {name}",
            best_rates,
            (steps, seeds, noise, shapes),
        )
        for steps in (1.0, 1.5)
        for seeds in (2, 3, 5)
        for noise in (0.01, 0.05)
        for name, shapes in (("parabolas", (parabola, parabola)), ("steep above", (steep_above, steep_above)))
    ],
    2: [
        (
            f"equal edges, {seeds} seeds, width {width} decades, {unlucky:.0%} unlucky",
            edges,
            (0.0, seeds, width, unlucky),
        )
        for seeds in (2, 3, 5)
        for width in (0.01, 0.1, 0.3)
        for unlucky in (0.0, 0.02)
    ],
    3: [
        (f"slope {slope}, {len(sizes)} sizes, {seeds} seeds, noise {noise}", slopes, (slope, sizes, seeds, noise))
        for slope in (0.0, 0.5)
        for sizes in ((16, 64, 256), (16, 32, 64, 128, 256))
        for seeds in (2, 3, 5)
        for noise in (0.01, 0.05)
    ],
    4: [(f"loss equal to its margin, {seeds} seeds", losses, (0.02, seeds)) for seeds in (3, 5, 10, 20)]
    + [(f"a power law without loss, {seeds} seeds", losses, (0.0, seeds, False)) for seeds in (3, 5, 10)],
    5: [
        (f"exponent {exponent}, noise {noise:.0%}, {sizes} sizes", updates, (exponent, noise, sizes))
        for exponent in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
        for noise in (0.03, 0.07, 0.15)
        for sizes in (5, 7)
    ],
    6: [
        (f"equal times, {rounds} rounds, drift {drift}", times, (1.0, rounds, 6, 0.05, drift))
        for rounds in (3, 5, 8)
        for drift in (0.0, 0.005)
    ],
    7: [
        (f"best at {peak:.0%} of training both, {seeds} seeds, noise {noise}", lags, (0.0, seeds, peak, noise))
        for peak in (0.25, 0.5, 0.75)
        for seeds in (3, 5, 10)
        for noise in (0.02, 0.1, 0.3)
    ],
}
"""By the number of a claim: studies in which it is wrong."""
TRUTHS = {
    1: [
        (f"the same best rate, {seeds} seeds, noise {noise}", best_rates, (0.0, seeds, noise))
        for seeds in (2, 3, 5)
        for noise in (0.01, 0.05)
    ],
    2: [
        (f"edges {shift} decades apart, {seeds} seeds, width .1", edges, (shift, seeds, 0.1))
        for seeds in (2, 3, 5)
        for shift in (0.4, 0.8)
    ],
    3: [
        (f"in proportion, {len(sizes)} sizes, 3 seeds, noise {noise}", slopes, (1.0, sizes, 3, noise))
        for sizes in ((32, 64, 128), (16, 32, 64, 128))
        for noise in (0.01, 0.05)
    ],
    4: [(f"no loss, {seeds} seeds", losses, (0.0, seeds)) for seeds in (3, 5, 10)],
    5: [
        (f"the curve, noise {noise:.0%}, {sizes} sizes", updates, (None, noise, sizes))
        for noise in (0.03, 0.07, 0.15)
        for sizes in (5, 7)
    ],
    6: [
        (f"{slower} times slower, {rounds} rounds", times, (slower, rounds))
        for slower in (1.2, 2.0)
        for rounds in (3, 5)
    ],
    7: [(f"{lag:.0%} of training later, {seeds} seeds", lags, (lag, seeds)) for lag in (0.1, 0.2) for seeds in (3, 5)],
}
"""By the number of a claim: studies in which it is right."""


def supported(number, make, given, studies, rng):
    """Share of the studies in which a claim is supported."""
    test = next(claim.test for claim in CLAIMS if claim.number == number)
    return np.mean([test(make(rng, *given)).verdict == ClaimVerdict.SUPPORTED for _ in range(studies)])


def main(arguments=None):
    """Print how often each claim is supported, where it is wrong and where it is right; 1 when too often wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="?", type=int, default=1000, help="simulated studies of each kind")
    parser.add_argument("--claim", type=int, action="append", help="only this one; several")
    given = parser.parse_args(arguments)
    rng, sound = np.random.default_rng(0), True
    for number in given.claim or NULLS:
        for name, make, how in NULLS[number]:
            share = supported(number, make, how, given.studies, rng)
            sound &= share <= WRONG
            print(f"claim {number}, wrong: {name:<66} {share:.3f}   {'ok' if share <= WRONG else 'MISSED'}", flush=True)
        for name, make, how in TRUTHS[number]:
            share = supported(number, make, how, given.studies, rng)
            print(f"claim {number}, right: {name:<66} {share:.3f}", flush=True)
    return 0 if sound else 1


if __name__ == "__main__":
    raise SystemExit(main())
