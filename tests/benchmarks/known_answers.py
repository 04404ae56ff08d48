"""Ablations whose training, test part and times have a known truth: what the paragraph of answers is held against."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hpsearch.base.types import TrialTable
from tests.benchmarks.answer_forms import level_of
from tests.benchmarks.known_ablations import BATCH, MOMENTA, MOMENTUM, UNIT, UNITS, arms
from tests.benchmarks.known_ends import Draw
from tests.benchmarks.known_truth import EPOCHS, Design

OfArm = Callable[[int], float]
SD, LOAD = 0.004, 0.2
"""Spread over seeds of what is measured; of a round's load, as a factor of times."""
MIDDLE, SLOPE = 0.95, 0.5
"""The validation part rises with the training part, half as fast; an arm's level is what it has at this one."""


def answered(draw: Draw, train: OfArm, test: OfArm, level: OfArm, pace: OfArm, *, rounds: bool = True) -> Draw:
    """An ablation with training and test part in evaluation mode, and times.

    Args:
        draw: draws it.
        train: mean of the training part at the end, of an arm.
        test: mean of the test part there.
        level: mean of the validation part where the training part is at `MIDDLE`.
        pace: how many times as long a training takes as that of the first arm.
        rounds: whether the trials were made in rounds over all arms.
    """

    def drawn(rng):
        found = draw(rng)
        table, truth = found.tables[0], found.truths[0]
        of_arm = {name: [of(place) for place in range(len(truth.settings))]
                  for name, of in (("training", train), ("test", test), ("level", level))}  # fmt: skip
        table = _rounds(_measured(table, of_arm, pace, rng)) if rounds else _measured(table, of_arm, pace, rng)
        of_arm["level"] = [each - SLOPE * MIDDLE for each in of_arm["level"]]
        facts = {"answers": {**of_arm, "validation": truth.here}, "answers_level": level_of(table)}
        paces = [pace(place) for place in range(len(truth.settings))]
        truth = replace(truth, facts={**truth.facts, **facts, "paces": paces})
        return replace(found, tables=(table, *found.tables[1:]), truths=(truth, *found.truths[1:]))

    return drawn


def _rounds(table: TrialTable) -> TrialTable:
    return replace(table, trials=table.trials.assign(started=table.trials["seed"] * 1e3 + table.trials["point"]))


def _measured(table, of_arm, pace, rng):
    """Put the measurements of every trial into its row and its curve, half of their spread common to a seed."""
    trials, curves = table.trials.copy(), table.curves.copy()
    common = {seed: rng.normal(size=3) for seed in trials["seed"].unique()}
    load = {seed: LOAD * rng.normal() for seed in trials["seed"].unique()}
    for row in trials[trials["state"] == "COMPLETE"].itertuples():
        noise = SD * (0.5 * common[row.seed] + rng.normal(size=3))
        end = of_arm["training"][row.point] + noise[0]
        trials.loc[row.Index, ["train_eval/acc", "test/acc"]] = end, of_arm["test"][row.point] + noise[1]
        own = curves.index[(curves["point"] == row.point) & (curves["seed"] == row.seed) & (curves["epoch"] > 0)]
        train = end - 0.3 * (1 - curves.loc[own, "epoch"] / EPOCHS)
        curves.loc[own, "train_eval/acc"] = train
        curves.loc[own, "valid/acc"] = of_arm["level"][row.point] + SLOPE * (train - MIDDLE) + noise[2]
        spent = 0.01 * pace(row.point) * np.exp(load[row.seed] + 0.05 * rng.normal())
        curves.loc[own, "epoch_sec"] = spent
    return replace(table, trials=trials, curves=curves)


def same(value: float) -> OfArm:
    """The same for every arm."""
    return lambda _: value


UNITS_ARMS, TEN = arms({UNIT: UNITS}), arms({UNIT: UNITS}, design=Design(10))
TARGET = arms({UNIT: UNITS}, target=0.86)
ANSWERED = {
    "answers of equal arms": answered(UNITS_ARMS, same(0.97), same(0.9), same(0.9), same(1.0)),
    "answers of equal arms, ten seeds": answered(TEN, same(0.97), same(0.9), same(0.9), same(1.0)),
    "answers of equal arms with a target": answered(TARGET, same(0.97), same(0.9), same(0.9), same(1.0)),
    "answers of arms that differ": answered(
        UNITS_ARMS,
        lambda p: 0.97 + p / 100,
        lambda p: 0.9 - 0.004 * p,
        lambda p: 0.9 + 0.005 * p,
        lambda p: 1 + 0.1 * p,
    ),
    "answers of arms that differ, with a target": answered(
        TARGET, lambda p: 0.98 - 0.004 * p, same(0.9), lambda p: 0.9 - 0.004 * p, lambda p: 1 - 0.05 * p
    ),
    "answers of arms not made in rounds": answered(
        UNITS_ARMS, same(0.97), same(0.9), same(0.9), same(1.0), rounds=False
    ),
    "answers of six arms": answered(
        arms({BATCH: (32, 128, 512), MOMENTUM: MOMENTA}), same(0.97), same(0.9), same(0.9), same(1.0)
    ),
    "answers of arms of which one seed in three diverges": answered(
        arms({UNIT: UNITS}, fails=lambda u: 0.33 * (u == "gelu")), same(0.97), same(0.9), same(0.9), same(1.0)
    ),
}
"""Ablations by name."""
