"""Ablations and pairs of studies with a known truth."""

import itertools
from dataclasses import replace

import numpy as np

from hpsearch.reports.ablation.arms import with_arms
from tests.benchmarks.known_searches import BATCH, GRID, LR, SWEEP, peak, sweep
from tests.benchmarks.known_truth import Design, Drawn, Setting, table_of

MOMENTUM, UNIT = "optimizer.momentum", "model.activation"
FIVE, TEN, LOSS = Design(5), Design(10), Design(5, metric="valid/loss", maximize=False, sd=0.01)
UNITS, BATCHES, MOMENTA = ("relu", "tanh", "gelu"), (32, 128, 512), (0.0, 0.9)


def arms(levels, mean=lambda *_: 0.9, *, fails=lambda *_: 0.0, how="diverged", design=FIVE, name="ablation",
         retuned=False, target=None, slow=lambda *_: False):  # fmt: skip
    """An ablation of the full grid of some factors.

    Args:
        levels: values by key.
        mean: of an arm by its values.
        fails: chance that a seed of it fails.
        how: in which way.
        design: how it is run.
        name: of the study.
        retuned: whether the learning rate was searched for every arm.
        target: value to reach.
        slow: whether an arm trains too slowly.

    The best rate, the course of a training and its time are the same in all arms: every claim about them is wrong.
    """

    def draw(rng, samples=None):
        cells = list(itertools.product(*levels.values()))
        extra = [{LR: 0.1} if retuned else {} for _ in cells]
        settings = tuple(
            Setting({**dict(zip(levels, cell, strict=True)), **rates}, mean(*cell), fails(*cell), how, slow(*cell))
            for cell, rates in zip(cells, extra, strict=True)
        )
        space = {key: f"choice({', '.join(map(str, values))})" for key, values in levels.items()}
        record = {"sampler": "Manual" if retuned else "Grid", "within": {"name": name}}
        config = ablation_config(list(levels), retuned, target)
        whole = replace(design, samples=samples, record={**record, **design.record}, config={**config, **design.config})
        table, truth = table_of(f"{name}.arms", settings, {**space, **(SWEEP if retuned else {})}, whole, rng)
        flat = any(each.fails and each.how == "dead" for each in settings)  # its loss is lowest anywhere
        truth = replace(truth, facts={"claims": dict.fromkeys(range(1, 7 if flat else 8), False)})
        tables = (with_arms(table), _tuned(settings, list(levels), space, whole, rng)) if retuned else (table,)
        return Drawn("ablation", tables, (truth,))

    return draw


def ablation_config(factors, retuned, target):
    """Return the groups of the configuration that make a study an ablation."""
    nuisance = {"nuisance": {LR: "tag(log, interval(1e-4, 10))"}} if retuned else {}
    options = {"factors": factors, "nuisance": "retuned" if retuned else "held", "target": target}
    return {"ablation": options, **nuisance}


def _tuned(settings, factors, space, design, rng):
    """Return the search over the rate of every arm: five rates around .1, the middle one the best."""
    tried = tuple(
        replace(each, params={**{key: each.params[key] for key in factors}, LR: rate}, mean=each.mean - loss)
        for each in settings
        for rate, loss in zip((0.01, 0.0316, 0.1, 0.316, 1.0), (0.1, 0.03, 0.0, 0.03, 0.1), strict=True)
    )
    once = replace(design, seeds=1, first_seed=1000)
    return table_of("ablation.tune", tried, {**space, **SWEEP}, once, rng)[0]


def pair(first, second, *, together=False):
    """Two studies, of ablations together on the same samples."""

    def draw(rng):
        same = {"samples": int(rng.integers(2**32))} if together else {}
        one, other = first(rng, **same), second(rng, **same)
        return Drawn("comparison", (*one.tables[:1], *other.tables[:1]), (one.truths[0], other.truths[0]))

    return draw


def twins(first, second, design=FIVE, other=None):
    """Two searches over the same samples with the means of either."""

    def draw(rng):
        tables, truths = [], []
        samples = int(rng.integers(2**32))
        for name, mean, how in (("first", first, design), ("second", second, other or design)):
            settings = tuple(Setting({LR: rate}, each) for rate, each in
                             zip(GRID, np.broadcast_to(mean, len(GRID)).tolist(), strict=True))  # fmt: skip
            table, truth = table_of(name, settings, SWEEP, replace(how, samples=samples), rng)
            tables.append(table)
            truths.append(truth)
        return Drawn("comparison", tuple(tables), tuple(truths))

    return draw


def _interacting(batch, momentum):
    return 0.9 - 0.04 * (batch > 100) * (momentum > 0)


TWO = {BATCH: BATCHES, MOMENTUM: MOMENTA}
ABLATIONS = {
    "equal arms": arms({UNIT: UNITS, BATCH: BATCHES}),
    "equal arms, samples kept": arms({UNIT: UNITS, BATCH: BATCHES}, design=Design(5, keep=True)),
    "equal arms, ten seeds": arms({UNIT: UNITS, BATCH: BATCHES}, design=TEN),
    "equal arms of a loss": arms({UNIT: UNITS, BATCH: BATCHES}, lambda *_: 0.3, design=LOSS),
    "equal arms, two seeds": arms({UNIT: UNITS}, design=Design(2)),
    "arms of one seed": arms({UNIT: UNITS}, design=Design(1)),
    "one factor that matters": arms({UNIT: UNITS}, lambda unit: 0.9 - 0.05 * (unit == "tanh")),
    "two factors, one matters": arms(TWO, lambda batch, _: 0.9 - 0.03 * (batch > 100)),
    "two factors that interact": arms(TWO, _interacting),
    "two arms": arms({UNIT: UNITS[:2]}),
    "one arm": arms({UNIT: UNITS[:1]}),
    "arms retuned": arms(TWO, retuned=True),
    "arms retuned, one matters": arms(TWO, lambda batch, _: 0.9 - 0.03 * (batch > 100), retuned=True),
    "an arm that diverges": arms({UNIT: UNITS}, fails=lambda unit: float(unit == "tanh")),
    "an arm that dies": arms({UNIT: UNITS}, fails=lambda unit: float(unit == "tanh"), how="dead"),
    "an arm with a seed in three that diverges": arms({UNIT: UNITS}, fails=lambda unit: 0.33 * (unit == "gelu")),
    "an arm with a seed in three that dies": arms({UNIT: UNITS}, fails=lambda u: 0.33 * (u == "gelu"), how="dead"),
    "a reference with a seed in three that diverges": arms({UNIT: UNITS}, fails=lambda u: 0.33 * (u == "relu")),
    "a reference with a seed in three that dies": arms({UNIT: UNITS}, fails=lambda u: 0.33 * (u == "relu"), how="dead"),
    "every arm diverges": arms({UNIT: UNITS}, fails=lambda _: 1.0),
    "an arm too slow": arms({UNIT: UNITS}, slow=lambda unit: unit == "tanh"),
    "arms with unequal seeds": arms({UNIT: UNITS}, design=Design(6, lost=0.15)),
    "arms whose seeds change nothing": arms(
        {UNIT: UNITS}, lambda unit: 0.3 + 0.1 * UNITS.index(unit), design=replace(LOSS, sd=0.0)
    ),
    "arms with a target": arms({UNIT: UNITS}, target=0.85),
    "arms with a target that few reach": arms({UNIT: UNITS}, target=0.91),
    "arms by steps": arms({UNIT: UNITS}, design=Design(5, config={"trainer": {"steps": 500, "epochs": None}})),
    "arms near 1": arms({UNIT: UNITS}, lambda _: 0.998),
}
PAIRS = {
    "equal studies, shared seeds": twins(0.9, 0.9),
    "equal studies, other seeds": twins(0.9, 0.9, other=Design(5, first_seed=100)),
    "a better study, shared seeds": twins(peak(0.1, 0.05), peak(0.1, 0.05) - 0.05),
    "studies of one seed": twins(0.9, 0.9, Design(1)),
    "equal studies of a loss": twins(0.3, 0.3, LOSS),
    "studies with different objectives": pair(sweep(), sweep(0.3, design=LOSS, name="other")),
    "a study that diverges": pair(sweep(), sweep(0.9, 1.0, name="other")),
    "equal ablations": pair(arms({UNIT: UNITS}), arms({UNIT: UNITS}, name="other"), together=True),
    "a better ablation": pair(arms({UNIT: UNITS}), arms({UNIT: UNITS}, lambda _: 0.85, name="other"), together=True),
}
