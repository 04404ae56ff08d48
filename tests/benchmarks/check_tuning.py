"""How much does an arm lose by the learning rate that its search chooses? Simulated searches with known truths.

python -m tests.benchmarks.check_tuning [STUDIES]

Regret is the true mean at the best of the rates at which every seed trains, less that at the chosen one. Curves over
the rate are a parabola, a plateau with shoulders and one that falls three times as steeply on the right; seeds scatter
by 0.01, three times as much beside the edge, above which more and more of them die.
"""

import argparse

import numpy as np

from hpsearch.statistics.comparisons import least_significant_difference
from hpsearch.statistics.smoothing import local_quadratic, steps

SD = 0.01
GRIDS = (("9 rates, a step of 0.2 decades", 9, 0.2), ("5 rates, a step of 0.75 decades", 5, 0.75))
BENDS = (0.03, 0.1, 0.3, 1.0)
"""Loss of the mean a decade away from the best rate."""


def truth(shape, places, best, bend):
    """True means of rates at these places, in decades."""
    away = places - best
    if shape == "plateau":
        return -4 * bend * np.maximum(0, np.abs(away) - 0.35) ** 2
    return -bend * away**2 * np.where((away > 0) & (shape == "skew"), 3, 1)


def search(shape, count, step, bend, seeds, rng):
    """Places, true means, scores ``[rate, seed]``, who trains, and how often a seed dies, where two rates train."""
    while True:
        places = step * np.arange(count)
        best = rng.uniform(0.1, 0.9) * places[-1]
        edge = best + rng.uniform(0.2, 0.6)
        means = truth(shape, places, best, bend)
        sd = SD * (1 + 2 * np.exp(-np.maximum(0, edge - places) / 0.15))
        scores = means[:, None] + sd[:, None] * rng.normal(size=(count, seeds))
        dies = 1 / (1 + np.exp(-(places - edge) / 0.06))
        trains = rng.random((count, seeds)) >= dies[:, None]
        if trains.all(axis=1).sum() > 1:
            return steps([10**places]), means, scores, trains, dies


def weighted(places, mean):
    """Return means over the neighbours, weighted 1:2:1."""
    near = np.maximum(0, 2 - np.abs(places - places.T))
    return near @ mean / near.sum(axis=1)


def regrets(shape, count, step, bend, studies, rng):
    """Regret by one seed, the mean over three, the same weighted 1:2:1 and smoothed; the share of seeds that die."""
    lost, died = np.zeros(4), np.zeros(4)
    for _ in range(studies):
        places, means, scores, trains, dies = search(shape, count, step, bend, 3, rng)
        first, whole = trains[:, 0], trains.all(axis=1)
        mean = scores.mean(axis=1)
        chosen = [np.flatnonzero(first)[np.argmax(scores[first, 0])]]
        smoothed = local_quadratic(places[whole], mean[whole])
        least = mean[whole].max() - least_significant_difference(scores[whole].tolist(), 3)
        near = np.where(mean[whole] >= least, smoothed, -np.inf)
        for values in (mean[whole], weighted(places[whole], mean[whole]), near):
            chosen.append(np.flatnonzero(whole)[np.argmax(values)])
        lost += [max(0.0, means[whole].max() - means[each]) for each in chosen]
        died += dies[chosen]
    return lost / studies, died / studies


def main(arguments=None):
    """Print every figure beside what it may be; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="?", type=int, default=1000, help="simulated searches of each kind")
    studies = parser.parse_args(arguments).studies
    rng, found = np.random.default_rng(0), []
    print(f"{'regret':<62} {'one seed':>9} {'mean of 3':>9} {'1:2:1':>9} {'smoothed':>9}")
    for name, count, step in GRIDS:
        for shape in ("parabola", "plateau", "skew"):
            for bend in BENDS:
                found.append(regrets(shape, count, step, bend, studies, rng))
                line(f"{name}, {shape}, {bend} a decade away", found[-1][0])
    lost, died = np.mean(found, axis=0)
    worst = np.max([each[3] - each[1] for each, _ in found])
    sound = lost[3] <= 0.6 * lost[0] and worst <= 0.001 and died[3] <= died[0]
    line("on average", lost)
    line(f"share of seeds that die at the chosen rate   {'ok' if sound else 'MISSED'}", died)
    return 0 if sound else 1


def line(name, values):
    print(f"{name:<62} {' '.join(f'{each:9.4f}' for each in values)}")


if __name__ == "__main__":
    raise SystemExit(main())
