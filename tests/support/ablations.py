"""Small ablations, searches, arms and costs with numbers of one's own."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from hpsearch.base.keys import RETUNED
from hpsearch.base.types import Objective, TrialState, TrialTable
from hpsearch.reports.ablation.arms import Arm, name_of
from hpsearch.reports.ablation.claims.claim import BATCH, MOMENTUM, RATE, Evidence
from hpsearch.reports.ablation.costs import Cost, TimeToTarget
from hpsearch.reports.ablation.tuning import ArmSearch, Nuisance, TriedSetting
from hpsearch.statistics.intervals import estimate
from hpsearch.statistics.survival import kaplan_meier_median

NO_STEPS = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])


def study(scores, seeds=None, epochs=3, states=None, ablation=None, extra=None):
    """A table of arms batch size x momentum; `scores` maps (batch, momentum) to one score per seed, None: diverged."""
    trials, curves = [], []
    for point, ((batch, momentum), values) in enumerate(scores.items()):
        for seed, score in enumerate(values):
            place = {"point": point, "seed": seed, "fold": 0}
            trials.append({
                **place, "state": "INFEASIBLE" if score is None else "COMPLETE", "score": score, "attempts": 1,
                "reason": "", "started": 0.0, "ended": 1.0, "duration_sec": 1.0, "run_id": None, "key": "",
                "command": "", "data.batch_size": batch, "optimizer.momentum": momentum, **(extra or {}),
            })  # fmt: skip
            for epoch in range(1, epochs + 1):
                accuracy = (score or 0.0) - 0.1 * (epochs - epoch)
                curves.append({
                    **place, "epoch": epoch, "step": epoch * 960 // batch, "time": 0.0, "epoch_sec": 32 / batch,
                    "valid/acc": accuracy, "valid/loss": abs(epoch - 2) + 1.0,
                })  # fmt: skip
    keys = ["data.batch_size", "optimizer.momentum"]
    record = {
        "question": "?",
        "objective": {"metric": "valid/acc", "direction": "maximize", "share": True},
        "space": dict.fromkeys(keys, "choice(1)"),
        "config": {"ablation": {"factors": keys, "nuisance": "held", **(ablation or {})}, "optimizer": {"lr": 0.1}},
    }
    return TrialTable("a", record, pd.DataFrame(trials), pd.DataFrame(curves), pd.DataFrame())


def grid(seeds=6, sd=0.01, rng=0):
    draw = np.random.default_rng(rng)
    return {
        (b, m): list(0.9 - 0.02 * (b > 32) + 0.03 * (m > 0) + sd * draw.normal(size=seeds))
        for b in (32, 128)
        for m in (0.0, 0.9)
    }


def searched(levels, trained):
    """The search over the rate of arms; those not in `trained` diverged at every rate."""
    table = study({cell: [0.9 if cell in trained else None] for cell in levels})
    rows = pd.concat([table.trials.assign(**{"optimizer.lr": rate}) for rate in (0.1, 0.2)], ignore_index=True)
    space = {**table.study["space"], "optimizer.lr": "choice(0.1, 0.2)"}
    return replace(
        table, study={**table.study, "space": space}, trials=rows.assign(point=range(len(rows))), steps=NO_STEPS
    )


UP, DOWN = Objective("valid/acc", share=True), Objective("valid/loss", "minimize")


SUPPORTED, AGAINST, UNDECIDED = "supported", "not supported", "undecided on this data"


GRID = [0.001, 0.01, 0.1, 1.0, 10.0, 100.0]  # of effective rates; a step is a decade


JITTER = (-0.01, 0.0, 0.01)  # of three seeds


def search(best, momentum=0.0, flat=(), diverged=(), rates=GRID, stable=True, seeds=3, noise=0.01, **levels):
    """The search of one arm over effective rates: .9 at the best, .1 less a step of the grid away, .1 where flat.

    `flat` and `diverged` are rates, or how many seeds do so at each.
    """
    draw = np.random.default_rng(7)
    dead, away = (each if isinstance(each, dict) else dict.fromkeys(each, seeds) for each in (flat, diverged))
    tried = []
    for rate in rates:
        worth = 0.9 - 0.1 * math.log10(rate / best) ** 2 + noise * draw.normal(size=seeds)
        gone, stuck = away.get(rate, 0), dead.get(rate, 0)
        scores = {(s, 0): 0.1 if s < gone + stuck else float(worth[s]) for s in range(gone, seeds)}
        known = [False] * gone + [None if stable is None else s >= gone + stuck for s in range(gone, seeds)]
        mean = None if gone else float(np.mean(list(scores.values())))
        fine = None if stable is None else not (gone or stuck)
        tried.append(TriedSetting({RATE: rate * (1 - momentum)}, mean, gone > 0, fine, None, scores, tuple(known)))
    lr, trained = best * (1 - momentum), [rate for rate in rates if rate not in away]
    inside = min(rates) < best < max(rates)
    edge = {} if inside or len(rates) < 3 else {RATE: "low" if best == min(rates) else "high"}
    levels = {MOMENTUM: momentum, **levels}
    return ArmSearch(name_of(levels), levels, {RATE: lr} if trained else {}, 0.9, seeds, edge, tuple(tried))


def arm(scores, **levels):
    """An arm with a score per seed: a list, or a dictionary by seed."""
    by_seed = scores if isinstance(scores, dict) else dict(enumerate(scores))
    replicates = tuple((seed, 0) for seed in sorted(by_seed))
    found = estimate([by_seed[seed] for seed, _ in replicates])
    return Arm(0, name_of(levels), levels, {}, replicates, found, None, len(by_seed), 0, TrialState.COMPLETE)


def cost(updates=None, times=None, apart=0.05):
    """What an arm cost: updates to the target by seed, None where it was missed; seconds per epoch and per update.

    `apart` is the share of the updates that lies between the last two evaluations.
    """
    none, to_target, times = estimate([]), {}, times or {}
    if updates is not None:
        by_seed = updates if isinstance(updates, dict) else dict(enumerate(updates))
        seeds = tuple((seed, 0) for seed in sorted(by_seed))
        there = tuple(by_seed[seed] is not None for seed, _ in seeds)
        values = tuple(float(by_seed[seed] or 1e6) for seed, _ in seeds)
        median = kaplan_meier_median(values, there)
        gaps = tuple(apart * value if got else math.nan for value, got in zip(values, there, strict=True))
        to_target["updates"] = TimeToTarget("updates", 0.95, seeds, values, there, median, gaps)
    epoch_sec, update_sec = (estimate([times[seed][i] for seed in sorted(times)]) for i in (0, 1))
    timed = tuple((seed, 0) for seed in sorted(times))
    return Cost("", timed, update_sec, epoch_sec, none, none, none, none, none, none, none, to_target)


def over_batches(updates, scores=None, sizes=None, **levels):
    """Arms and costs over batch sizes; `updates` maps a size to updates by seed."""
    arms = [arm((scores or {}).get(size, [0.9, 0.91, 0.92]), **{BATCH: size, **levels}) for size in updates]
    return arms, [cost(each) for each in updates.values()]


def evidence(searches=(), arms=(), costs=(), objective=UP, mode=RETUNED, table=None, tuned_for="score"):
    """What a claim is tested on, of an ablation at equal steps."""
    table = table or TrialTable("ablation", {"config": {"trainer": {"steps": 100}}}, NO_STEPS, NO_STEPS, NO_STEPS)
    return Evidence(table, arms, costs, Nuisance(mode, (RATE,), {}, tuple(searches), tuned_for=tuned_for), objective)


def untested(claim, why):
    """A claim whose evidence is missing is undecided, says why, and has nothing to draw."""
    assert (claim.verdict, claim.sentence) == (UNDECIDED, why)
    assert not claim.numbers and not claim.series


def jittered(updates):
    return [updates * (1 + jitter) for jitter in JITTER]
