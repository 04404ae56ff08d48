"""Are the statistics of reports what they claim to be? Simulated studies with known truths, 1,000 of each kind.

python -m tests.benchmarks.check_statistics [STUDIES]
"""

import argparse

import numpy as np
import pandas as pd
from scipy.special import ndtri

from hpsearch.base.samples import SampleResults
from hpsearch.base.types import Objective, TrialId, TrialTable
from hpsearch.data.units import Units, units_of
from hpsearch.reports.kit.evidence import StudyIntervals
from hpsearch.search.confirm import MOST
from hpsearch.statistics.best import set_of_best, smallest_difference
from hpsearch.statistics.comparisons import ALPHA, detectable_factor, holm, paired_p
from hpsearch.statistics.intervals import bca_interval, mean_interval
from hpsearch.statistics.optimism import expected_optimism
from hpsearch.statistics.survival import kaplan_meier_median
from tests.benchmarks.failing_rates import failing_rates

ARMS, SEEDS = 9, 5


def coverage(interval, n, studies, draw):
    """Share of the studies whose interval for the mean of n values of mean 0 holds 0."""
    found = [interval(draw(n)) for _ in range(studies)]
    return np.mean([each.low <= 0 <= each.high for each in found])


def family_error(studies, rng):
    """Share of studies of equal arms in which at least one is said to differ from the reference."""
    wrong = 0
    for _ in range(studies):
        scores = rng.normal(size=SEEDS) + rng.normal(size=(ARMS, SEEDS))
        adjusted = holm([paired_p((arm - scores[0]).tolist()) for arm in scores[1:]])
        wrong += any(p is not None and p <= ALPHA for p in adjusted)
    return wrong / studies


def found_share(n, studies, rng):
    """Share of the studies that find a difference of k(n) true standard deviations."""
    rows = rng.normal(detectable_factor(n), size=(studies, n))
    return np.mean([paired_p(row.tolist()) <= ALPHA for row in rows])


def left_out(points, deviations, studies, rng, margin):
    """Share of the studies of equal points, three seeds each, of which at least one is called worse than the best."""
    found = [set_of_best(rng.normal(size=3) + rng.normal(size=(points, 3)) * deviations[:, None], margin)
             for _ in range(studies)]  # fmt: skip
    return np.mean(["worse" in each.standing for each in found])


def first_standings(points, loss, studies, rng, margin):
    """What is said of the first point, which is worse than all others by so many standard deviations."""
    level = -loss * (np.arange(points) == 0)[:, None]
    draws = (level + rng.normal(size=3) + rng.normal(size=(points, 3)) for _ in range(studies))
    return [set_of_best(draw, margin).standing[0] for draw in draws]


def optimism_ratio(points, n, width, stopped, studies, rng):
    """Estimated over true optimism of the best of points over so many deviations; some were pruned early."""
    truths, estimates = [], []
    for _ in range(studies):
        levels, noise = width * rng.random(points), rng.normal(size=(points, n))
        early = (levels[:, None] + 0.5 * noise + np.sqrt(0.75) * rng.normal(size=(points, n))).mean(axis=1)
        kept = np.argsort(-early)[: points - stopped]
        scores = levels[kept, None] + noise[kept]
        means, error = scores.mean(axis=1), set_of_best(scores).sd / np.sqrt(n)
        truths.append(means.max() - levels[kept][means.argmax()])
        estimates.append(expected_optimism(means, error, stopped))
    return np.mean(estimates) / np.mean(truths)


def optimisms(studies, rng):
    """Report how near the estimates of optimism are to what it is, on average."""
    sound = []
    for points, stopped in ((8, 0), (20, 0), (40, 20)):
        for n in (2, 3, 5):
            for width in (0.0, 3.0, 10.0):
                ratio = optimism_ratio(points, n, width, stopped, studies, rng)
                name = f"{points} points over {width:.0f} sd, {stopped} pruned, {n} seeds"
                sound.append(report(f"estimated over true optimism: {name}", ratio, 0.8, 1.2))
    return sound


def right_answers(n, hardness, share, spread, rng):
    """Right and wrong answers of n trained models on the same samples, hard and easy ones, models better and worse."""
    level = ndtri(share) * np.sqrt(spread**2 + 2**2 + 1)
    return (level + spread * rng.normal(size=(n, 1)) + hardness + rng.normal(size=(n, len(hardness))) > 0).astype(float)


def hard_alone(samples, rng):
    """How hard samples are that stand for themselves."""
    return 2 * rng.normal(size=samples), None


def hard_by_group(samples, rng):
    """How hard samples are of groups of 3 to 12, each of one hardness for the half, and of which group each is."""
    groups = np.repeat(np.arange(samples), rng.integers(3, 13, samples))[:samples]
    shared = rng.normal(size=samples)[groups]
    return 2 * np.sqrt(0.5) * (shared + rng.normal(size=samples)), groups


def hard_in_time(samples, rng):
    """How hard samples are that follow one another, neighbours alike (correlation .8), and in which block each is."""
    hardness, shocks = np.empty(samples), 2 * np.sqrt(1 - 0.8**2) * rng.normal(size=samples)
    hardness[0] = 2 * rng.normal()
    for place in range(1, samples):
        hardness[place] = 0.8 * hardness[place - 1] + shocks[place]
    return hardness, units_of({"valid": None}, {"valid": np.arange(samples)}).of["valid"]


def quoted(right, units, kept):
    """The interval that a page quotes for the mean of a point's seeds, with and without the results of samples."""
    n, samples = right.shape
    unit = {} if units is None else {"valid": units.astype(np.int64)}
    facts = {"data.valid_size": samples, **Units(unit).facts}
    trials = pd.DataFrame([{"point": 0, "seed": seed, "fold": 0, **facts} for seed in range(n)])
    found = {TrialId(0, seed): SampleResults({"valid/acc": row}, unit, "group") for seed, row in enumerate(right)}
    study = {"config": {"data": {} if units is None else {"groups": "of"}}}
    table = TrialTable("s", study, trials, trials, trials, samples=found if kept else {})
    intervals = StudyIntervals(table, Objective("valid/acc", share=True))
    return intervals.known(0, [(seed, 0) for seed in range(n)], right.mean(axis=1).tolist()).interval


def accuracy_coverage(n, samples, share, spread, studies, rng, hard=hard_alone):
    """Shares of the studies whose quoted intervals hold the population's accuracy, results of samples kept or not."""
    held = []
    for _ in range(studies):
        hardness, units = hard(samples, rng)
        right = right_answers(n, hardness, share, spread, rng)
        both = [quoted(right, units, kept) for kept in (True, False)]
        held.append([each is not None and each.low <= share <= each.high for each in both])
    return np.mean(held, axis=0)


def best_points(studies, rng):
    """Report how often a comparison of all points with the best leaves out, keeps or equates what it should not."""
    sound = []
    for points in (8, 20):
        one, half, tenfold = np.ones(points), np.where(np.arange(points) % 2, 1.0, 4.0), np.ones(points)
        tenfold[0] = 10.0
        for name, deviations, most in (("equal", one, 0.05), ("fourfold", half, 0.05), ("one tenfold", tenfold, 0.1)):
            margin = 1.25 * float(np.sqrt(np.mean(deviations**2)))
            share = left_out(points, deviations, studies, rng, margin)
            sound.append(report(f"an equal one of {points} points left out, spreads {name}", share, 0.0, most))
        share = left_out(points, one, studies, rng, 0.0)
        sound.append(report(f"an equal one of {points} points left out, no margin", share, 0.0, 0.065))
        kept = np.mean([each != "worse" for each in first_standings(points, 5.0, studies, rng, 1.25)])
        sound.append(report(f"a point 5 sd worse kept among {points}", kept, 0.0, 0.1))
        equal = np.mean([each == "equal" for each in first_standings(points, 6.0, studies, rng, 6.0)])
        sound.append(report(f"a point worse by the margin called equal among {points}", equal, 0.0, 0.05))
    return sound


def small_margin(studies, rng):
    """Report the same with the margin that 360 validation samples give, where the smaller spread is that of digits."""
    margin, sound = smallest_difference(360) / 0.010, []
    for points in (8, 20):
        half = np.where(np.arange(points) % 2, 1.0, 4.0)
        share = left_out(points, half, studies, rng, margin)
        sound.append(
            report(f"an equal one of {points} points left out, spreads fourfold, margin auto", share, 0.0, 0.065)
        )
    return sound


def fresh_seeds(points, width, studies, rng):
    """Search over one seed, train the best five over three fresh ones and quote the best mean of these.

    Returns how much too good the score of the one seed is and the quoted one is, what of that is stated, and how often
    the quoted interval holds the truth.
    """
    found = []
    for _ in range(studies):
        truths = width * rng.random(points)
        searched = truths + rng.normal(size=points)
        chosen = np.argsort(-searched)[:MOST]
        scores = truths[chosen, None] + rng.normal(size=(MOST, 3))
        means, truth = scores.mean(axis=1), truths[chosen[scores.mean(axis=1).argmax()]]
        stated = expected_optimism(means, set_of_best(scores).sd / np.sqrt(3))
        held = holds_picked(scores, truth)
        found.append((searched[chosen[0]] - truths[chosen[0]], means.max() - truth, stated, held))
    return np.mean(found, axis=0)


def confirmations(studies, rng):
    """Report what is left of the optimism of a search over one seed, whether it is stated, and the cover."""
    sound = []
    for width in (0.0, 3.0, 10.0):
        searched, quoted, stated, held = fresh_seeds(20, width, studies, rng)
        name = f"20 points over {width:.0f} sd, five over fresh seeds"
        sound.append(report(f"optimism left of that of one seed: {name}", quoted / searched, 0.0, 0.42))
        sound.append(report(f"stated over true optimism: {name}", stated / quoted, 0.75, 1.2))
        sound.append(report(f"cover of the best of the five: {name}", held, 0.92, 0.985))
    return sound


def holds_picked(scores, truth):
    """Whether the interval that a page quotes for the best mean of some points holds its true one."""
    picked = scores[scores.mean(axis=1).argmax()]
    optimism = expected_optimism(scores.mean(axis=1), set_of_best(scores).sd / np.sqrt(scores.shape[1]))
    table = TrialTable(
        "s", {"config": {}}, pd.DataFrame({"point": [0], "seed": [0], "fold": [0]}), *[pd.DataFrame()] * 2
    )
    intervals = StudyIntervals(table, Objective("valid/loss"))
    found = intervals.known(0, [(seed, 0) for seed in range(len(picked))], picked.tolist(), optimism=optimism).interval
    return found.low <= truth <= found.high


def picked_points(studies, rng):
    """Report how often the interval of a point that was picked for its mean holds the truth, seeds in common or not."""
    sound = []
    for points in (5, 20):
        for n in (3, 5, 10):
            for width in (0.0, 3.0, 10.0):
                held = []
                for study in range(studies):
                    truths = width * rng.random(points)
                    scores = truths[:, None] + rng.normal(size=(points, n)) + (study % 2) * rng.normal(size=n)
                    held.append(holds_picked(scores, truths[scores.mean(axis=1).argmax()]))
                name = f"best of {points} points over {width:.0f} sd, {n} seeds"
                sound.append(report(f"cover of the quoted interval: {name}", np.mean(held), 0.92, 1.0))
    return sound


def accuracies(studies, rng):
    """Report how often the intervals of an accuracy hold that of the population."""
    sound = []
    kinds = {"": hard_alone, ", of groups": hard_by_group, ", in time": hard_in_time}
    for kind, hard in kinds.items():
        for samples in (288, 1200, 6000):
            for n in (3, 5, 10):
                for share, spread in ((0.9, 0.1), (0.85, 0.3), (0.97, 0.3)) if not kind else ((0.9, 0.2),):
                    crossed, alone = accuracy_coverage(n, samples, share, spread, studies, rng, hard)
                    name = f"{n} seeds, {samples} samples{kind}, accuracy {share}, spread {spread}"
                    sound.append(report(f"{name}: results kept", crossed, 0.92, 0.975))
                    sound.append(report(f"{name}: shares alone", alone, 0.93, 1.0))
    return sound


def report(name, value, low, high):
    print(f"{name:<72} {value:.3f}   {low:.3f} to {high:.3f}   {'ok' if low <= value <= high else 'MISSED'}")
    return low <= value <= high


def main(arguments=None):
    """Print every figure beside what it may be; 1 when one is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("studies", nargs="?", type=int, default=1000, help="simulated studies of each kind")
    studies = parser.parse_args(arguments).studies
    rng = np.random.default_rng(0)
    normal, skewed = (lambda n: rng.normal(size=n).tolist()), (lambda n: (rng.gamma(4.0, size=n) - 4.0).tolist())
    sound = [report(f"coverage of the t interval, n = {n}", coverage(mean_interval, n, studies, normal), 0.92, 0.98)
             for n in (3, 5, 10)]  # fmt: skip
    for name, draw in (("normal", normal), ("skewed", skewed)):
        share = coverage(bca_interval, 20, studies, draw)
        sound.append(report(f"coverage of the BCa interval, n = 20, {name} values", share, 0.92, 0.98))
    for n in (3, 5, 10):
        print(f"{f'coverage of the BCa interval, n = {n}, not shown there':<72} "
              f"{coverage(bca_interval, n, studies, normal):.3f}")  # fmt: skip
    for checks in (best_points, small_margin, confirmations, picked_points, optimisms, accuracies):
        sound += checks(studies, rng)
    sound += failing_rates(studies, rng, report)
    wrong = family_error(studies, rng)
    sound.append(report(f"a difference claimed among {ARMS} equal arms, {SEEDS} seeds", wrong, 0.0, 0.065))
    for n in (3, 5, 10, 20):
        share = found_share(n, studies, rng)
        sound.append(report(f"power at k({n}) = {detectable_factor(n):.3f} true deviations", share, 0.75, 0.85))
    # By hand: S = 5/6 after 2, 4/6 after 4, then one censored at 5, so S = 4/6 * 2/3 = 4/9 <= 1/2 after 7.
    median = kaplan_meier_median([2, 4, 5, 7, 9, 9], [True, True, False, True, False, False])
    sound.append(report("Kaplan-Meier median of 2 4 5+ 7 9+ 9+", median or np.nan, 7, 7))
    return 0 if all(sound) else 1


if __name__ == "__main__":
    raise SystemExit(main())
