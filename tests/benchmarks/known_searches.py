"""Searches with a known truth: what is tried, and what is true of it."""

import numpy as np

from tests.benchmarks.known_truth import Design, Drawn, Setting, table_of

LR, WD, BATCH, MODEL = "optimizer.lr", "optimizer.weight_decay", "data.batch_size", "model"
SWEEP = {LR: "tag(log, interval(1e-4, 10))"}
PLANE = {LR: "tag(log, interval(1e-4, 10))", WD: "tag(log, interval(1e-6, 1e-2))"}
GRID = (0.001, 0.00316, 0.01, 0.0316, 0.1, 0.316, 1.0, 3.16)
THREE, ONE, FIVE, TEN = Design(), Design(seeds=1), Design(seeds=5), Design(seeds=10)
LOSS = Design(metric="valid/loss", maximize=False, sd=0.01)
OWN = {"trainer": {"_target_": "my_pkg.train", "epochs": None}}


def sweep(means=0.9, fails=0.0, *, rates=GRID, design=THREE, space=SWEEP, name="sweep", **same):
    """A study over one hyperparameter; a number stands for every value tried."""
    key = next(iter(space))

    def draw(rng):
        each = (np.broadcast_to(values, len(rates)).tolist() for values in (means, fails))
        settings = tuple(Setting({key: rate}, mean, share, **same)
                         for rate, mean, share in zip(rates, *each, strict=True))  # fmt: skip
        table, truth = table_of(name, settings, space, design, rng)
        return Drawn("search", (table,), (truth,))

    return draw


def chosen(*settings, space=SWEEP, design=THREE, name="chosen"):
    """A study of these settings."""

    def draw(rng):
        table, truth = table_of(name, settings, space, design, rng)
        return Drawn("search", (table,), (truth,))

    return draw


def scattered(count, mean=lambda lr, wd: 0.9, fails=lambda lr, wd: 0.0, *, design=ONE, pruned=0.0,
              name="scattered"):  # fmt: skip
    """A random search over two hyperparameters."""

    def draw(rng):
        places = rng.uniform((-4, -6), (1, -2), (count, 2))
        stopped = rng.random(count) < pruned
        settings = tuple(
            Setting({LR: 10**lr, WD: 10**wd}, mean(lr, wd), fails(lr, wd), pruned=bool(stop))
            for (lr, wd), stop in zip(places.tolist(), stopped, strict=True)
        )
        table, truth = table_of(name, settings, PLANE, design, rng)
        return Drawn("search", (table,), (truth,))

    return draw


def logistic(edge, width=0.15):
    """Chance to fail along the grid: half at the edge, on the logarithm of the rate."""
    return 1 / (1 + np.exp(-(np.log10(GRID) - np.log10(edge)) / width))


def peak(best, loss):
    """Means along the grid that fall from the best rate by so much per decade squared."""
    return 0.95 - loss * (np.log10(GRID) - np.log10(best)) ** 2


def _like(first, **changes):
    """The grid with one point unlike the others."""
    return [Setting({LR: rate}, **(changes if place == first else {})) for place, rate in enumerate(GRID)]


def _categories(count, sd=0.0):
    return tuple(Setting({MODEL: f"net{place}"}, 0.9 - sd * place) for place in range(count))


def _conditional():
    plain = [Setting({MODEL: "mlp", LR: rate, "model.kernel_size": None}) for rate in (0.01, 0.1)]
    return plain + [Setting({MODEL: "lenet", LR: rate, "model.kernel_size": size}) for rate in (0.01, 0.1)
                    for size in (3, 5)]  # fmt: skip


def _limits(count=12):
    return [Setting({LR: rate}, fails=float(place > 6), how="limit")
            for place, rate in enumerate(np.geomspace(0.001, 1, count).tolist())]  # fmt: skip


FRONT = {"objectives": [
    {"metric": "valid/acc", "direction": "maximize"}, {"metric": "parameters", "direction": "minimize"}
]}  # fmt: skip
EXTENDED = {"extensions": [
    {"name": LR, "key": LR, "side": "high", "old": [0.001, 0.1], "new": [0.001, 3.16], "best": 0.1, "failed": 0}
]}  # fmt: skip
INTERRUPTED = {"state": {"state": "PAUSED", "why": ""}}
AVERAGED = {"weights": "averaged over the last 2 epochs"}

SEARCHES = {
    "equal points": sweep(),
    "equal points, five seeds": sweep(design=FIVE),
    "equal points, ten seeds": sweep(design=TEN),
    "equal points, samples kept": sweep(design=Design(keep=True)),
    "far points, samples kept": sweep(peak(0.1, 0.2), design=Design(keep=True)),
    "one point, samples kept": sweep(rates=(0.1,), design=Design(keep=True)),
    "accuracy near 1, samples kept": sweep(peak(0.1, 0.002) + 0.048, design=Design(5, keep=True)),
    "twenty equal points": sweep(rates=np.geomspace(0.001, 1, 20).tolist()),
    "equal points, two seeds": sweep(design=Design(seeds=2)),
    "equal points, one seed": sweep(design=Design(seeds=1)),
    "far points, one seed": sweep(peak(0.1, 0.2), design=Design(seeds=1)),
    "far points": sweep(peak(0.1, 0.2)),
    "near points": sweep(peak(0.1, 0.01)),
    "near points, ten seeds": sweep(peak(0.1, 0.01), design=TEN),
    "best at the low edge": sweep(peak(0.001, 0.05)),
    "best at the high edge": sweep(peak(3.16, 0.05)),
    "a constant metric": sweep(0.5, design=Design(metric="valid/loss", sd=0.0)),
    "seeds change nothing": sweep(peak(0.1, 0.2), design=Design(metric="valid/loss", sd=0.0)),
    "ties of shares": sweep(0.995, design=Design(sd=0.01)),
    "all right": sweep(1.0),
    "accuracy near 1": sweep(peak(0.1, 0.002) + 0.048),
    "accuracy near chance": sweep(0.11),
    "all seeds diverge above an edge": sweep(peak(0.1, 0.02), np.asarray(GRID) > 0.5),
    "all seeds die above an edge": sweep(peak(0.1, 0.02), np.asarray(GRID) > 0.5, how="dead"),
    "half of the seeds diverge at an edge": sweep(0.9, logistic(0.5)),
    "half of ten seeds diverge at an edge": sweep(0.9, logistic(0.5), design=TEN),
    "half of ten seeds die at an edge": sweep(0.9, logistic(0.5), design=TEN, how="dead"),
    "a seed in fifty diverges": sweep(0.9, 0.02, design=FIVE),
    "a seed in fifty dies": sweep(0.9, 0.02, design=FIVE, how="dead"),
    "a seed in five dies at one rate": chosen(*_like(4, mean=0.95, fails=0.2, how="dead"), design=FIVE),
    "a seed in five diverges at one rate": chosen(*_like(4, mean=0.95, fails=0.2), design=FIVE),
    "all diverge": sweep(0.9, 1.0),
    "all die": sweep(0.9, 1.0, how="dead"),
    "all too slow": sweep(0.9, slow=True),
    "slow below, diverging above": chosen(
        *(Setting({LR: rate}, 0.9, float(rate > 0.5), slow=rate < 0.005) for rate in GRID)
    ),
    "slow below, dying above": chosen(
        *(Setting({LR: rate}, 0.9, float(rate > 0.5), "dead", slow=rate < 0.005) for rate in GRID), design=FIVE
    ),
    "all out of memory": sweep(0.9, 1.0, how="memory"),
    "half out of memory": sweep(0.9, np.asarray(GRID) > 0.05, how="memory"),
    "all raise an error": sweep(0.9, 1.0, how="error"),
    "one point raises an error": chosen(*_like(5, fails=1.0, how="error")),
    "a constraint": chosen(*_limits()),
    "a minimized loss": sweep(2 - peak(0.1, 0.02), design=LOSS),
    "an equal minimized loss": sweep(0.3, design=LOSS),
    "an equal loss, ten seeds": sweep(0.3, design=Design(10, metric="valid/loss", maximize=False, sd=0.01)),
    "a large loss": sweep(3e6, design=Design(metric="valid/loss", maximize=False, sd=1e4)),
    "a small loss": sweep(3e-9, design=Design(metric="valid/loss", maximize=False, sd=1e-10)),
    "regression": sweep(1.2, design=Design(metric="valid/rmse", maximize=False, sd=0.05)),
    "a negative R2": sweep(-0.1, design=Design(metric="valid/r2", sd=0.05)),
    "one very variable point": chosen(*_like(4, sd=10.0), design=LOSS),
    "spreads that differ fourfold": chosen(
        *(Setting({LR: rate}, 0.3, sd=4.0 if place % 2 else 1.0) for place, rate in enumerate(GRID)), design=LOSS
    ),
    "five folds, one seed": sweep(design=Design(seeds=1, folds=5)),
    "five folds, three seeds": sweep(design=Design(folds=5)),
    "five folds of a loss": sweep(0.3, design=Design(1, 5, "valid/loss", maximize=False, sd=0.01)),
    "groups": sweep(design=Design(config={"data": {"groups": "patient"}})),
    "blocks of time": sweep(design=Design(config={"data": {"time": "day"}})),
    "steps in place of epochs": sweep(design=Design(config={"trainer": {"steps": 500, "epochs": None}})),
    "zero among the values": sweep(
        rates=(0.0, 0.3, 0.6, 0.9), space={"optimizer.momentum": "choice(0, 0.3, 0.6, 0.9)"}
    ),
    "a best value of zero": sweep(
        (0.95, 0.9, 0.8, 0.7), rates=(0.0, 0.3, 0.6, 0.9), space={"optimizer.momentum": "range(0, 1, 0.3)"}
    ),
    "one point": sweep(rates=(0.1,)),
    "one trial": sweep(rates=(0.1,), design=Design(seeds=1)),
    "one point, five folds": sweep(rates=(0.1,), design=Design(seeds=1, folds=5)),
    "one point, three seeds of five folds": sweep(rates=(0.1,), design=Design(folds=5)),
    "one point of a loss": sweep(0.3, rates=(0.1,), design=LOSS),
    "one point, ten seeds": sweep(rates=(0.1,), design=TEN),
    "nothing searched": chosen(Setting({}), space={}),
    "two values": sweep(rates=(0.01, 0.1)),
    "categories": chosen(*_categories(5), space={MODEL: "choice(net0, net1, net2, net3, net4)"}),
    "far categories": chosen(*_categories(5, 0.05), space={MODEL: "choice(net0, net1, net2, net3, net4)"}),
    "a condition": chosen(*_conditional(), space={
        MODEL: "choice(mlp, lenet)", LR: "choice(0.01, 0.1)", "model=lenet/model.kernel_size": "choice(3, 5)"
    }),
    "a plane of equal points": scattered(20),
    "a plane of equal points, three seeds": scattered(12, design=Design()),
    "a plane with a slope": scattered(30, lambda lr, wd: 0.9 - 0.05 * abs(lr + 2)),
    "a plane that diverges by chance": scattered(30, fails=lambda lr, wd: 0.25),
    "a plane that diverges above an edge": scattered(30, fails=lambda lr, wd: float(lr > 0)),
    "thousands of points": scattered(2000, lambda lr, wd: 0.9 - 0.02 * abs(lr + 2)),
    "pruned candidates": scattered(40, pruned=0.85),
    "pruned candidates, three seeds": scattered(30, pruned=0.6, design=Design()),
    "an extended range": sweep(peak(0.1, 0.05), design=Design(record=EXTENDED)),
    "two objectives": sweep(peak(0.1, 0.05), design=Design(record=FRONT, facts={"parameters": 4810})),
    "interrupted": sweep(design=Design(lost=0.4, record=INTERRUPTED)),
    "unequal seeds": sweep(design=Design(seeds=5, lost=0.15)),
    "nothing ended": sweep(design=Design(lost=1.0, record=INTERRUPTED)),
    "averaged weights": sweep(design=Design(facts=AVERAGED)),
    "own loop, one report": sweep(0.3, space={"args.lr": "tag(log, interval(1e-4, 10))"}, design=Design(
        metric="score", maximize=False, sd=0.01, config=OWN, reports=False)),
    "own loop, one seed": sweep(0.3, space={"args.lr": "tag(log, interval(1e-4, 10))"}, design=Design(
        1, metric="score", maximize=False, sd=0.01, config=OWN, reports=False)),
    "a stage of a recipe": sweep(peak(0.1, 0.05), design=Design(seeds=1, record={"within": {"name": "recipe"}})),
}  # fmt: skip
