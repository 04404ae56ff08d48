"""Studies that are hard to draw: gaps, spikes, many and close values, long and equal names."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from hpsearch.base.types import TrialTable
from tests.support import synthetic

CLOSE = (0.123456789012, 0.123456789013, 0.123456789024, 0.5)
BOUND = (0.9, 0.99, 0.9995, 0.99995, 1.0)
SAMPLED = (1 - np.geomspace(1e-6, 0.3, 25)).tolist()
LONG = tuple(f"my.package.networks.residual_network_of_depth_{depth}_with_batch_normalization" for depth in range(30))
ALIKE = ("1", 1, "none", None, "a\nb", "a b", "a\tb", "", "é", 0.5, "0.5")


def study(name, space, settings, epochs=20, seeds=2, spike=None, lost=lambda point, epoch: False):
    """A study of settings: their curves differ by point and seed; what is lost of an epoch is not measured."""
    rng, trials, curves = np.random.default_rng(7), [], []
    for point, setting in enumerate(settings):
        for seed in range(seeds):
            start = synthetic.START + 10 * (point * seeds + seed)
            acc, loss = synthetic.curve(0.01 * (point % 7 + 1), epochs, rng)
            rows = synthetic.curve_rows(point, seed, acc, loss, start, 5.0)
            for row in rows:
                if lost(point, row["epoch"]):
                    row["valid/acc"] = math.nan
                if row["epoch"] == spike:
                    row |= {"train/loss": 500.0 + point, "valid/loss": 0.1 / (point + 2)}
            curves += rows
            command = f"python -m hpsearch x={point} seed={seed}"
            row = synthetic.trial_row(point, seed, start, 5.0, **setting, command=command, score=acc[-1])
            trials.append({**row, "valid/acc": acc[-1], "valid/loss": loss[-1]})
    steps = pd.DataFrame({name: [] for name in ("point", "seed", "fold", "step", "loss")})
    return TrialTable(name, synthetic.study(space, seeds=seeds), pd.DataFrame(trials), pd.DataFrame(curves), steps)


def of_one(key, values, expression="choice(...)", name="values", **changes):
    """A study of the values of one hyperparameter."""
    table = study(name, {key: expression}, [{key: value} for value in values], **changes)
    if not all(isinstance(value, int | float) for value in values):  # pandas would make numbers of some of them
        cells = pd.Series([value for value in values for _ in range(changes.get("seeds", 2))], dtype=object)
        table = replace(table, trials=table.trials.assign(**{key: cells}))
    return table


def gaps():
    """NaN in epochs 6 to 12 of some trials, at single epochs of others, at the beginning and at the end."""
    stretches = ({*range(6, 13)}, {3, 9, 15}, {*range(5)}, {*range(15, 21)}, set(), {7, 9, 11}, {2, *range(4, 19)})
    rates = synthetic.RATES[:7]
    return of_one("optimizer.lr", rates, "tag(log, interval(1e-3, 10))", "gaps", lost=lambda p, e: e in stretches[p])


def spikes():
    """A loss of 500 in epoch 5 of 300."""
    return of_one("optimizer.lr", synthetic.RATES[:4], "tag(log, interval(1e-3, 10))", "spikes", epochs=300, spike=5)


def both():
    """Spikes in long curves with gaps, of two hyperparameters."""
    settings = [{"optimizer.lr": rate, "optimizer.momentum": m} for rate in (0.01, 0.1) for m in BOUND[:4]]
    space = {"optimizer.lr": "choice(0.01,0.1)", "optimizer.momentum": "choice(...)"}
    return study("both", space, settings, epochs=150, spike=60, lost=lambda p, e: p % 2 and 30 <= e < 50)


def default_names():
    """Two studies that differ in the number of epochs, under the long names that they are given."""
    name = "search__space.optimizer.lr-tag-log--interval-1e-3..e.choice-16-32-64__trainer.epochs-20-{}"
    one = replace(gaps(), name=name.format("1f3a9c"))
    trainer = {**one.study["config"]["trainer"], "epochs": 25}
    other = of_one(
        "optimizer.lr", synthetic.RATES[:5], "tag(log, interval(1e-3, 10))", name.format("77ab01"), epochs=25
    )
    return one, replace(other, study={**other.study, "config": {**other.study["config"], "trainer": trainer}})


STUDIES = {
    "gaps": gaps,
    "spikes": spikes,
    "both": both,
    "categories": lambda: of_one("model._target_", LONG, name="categories", seeds=1),
    "digits": lambda: of_one("optimizer.momentum", CLOSE, name="digits"),
    "bound": lambda: of_one("optimizer.momentum", BOUND, name="bound"),
    "alike": lambda: of_one("args.kind", ALIKE, name="alike"),
    "one": lambda: of_one("optimizer.lr", [0.1], name="one", seeds=1, lost=lambda p, e: e in (4, 5, 6)),
    "sampled": lambda: of_one("optimizer.momentum", SAMPLED, "interval(0.7, 1)", "sampled"),
    "mixed": lambda: synthetic.mixed(points=30),
}  # fmt: skip
