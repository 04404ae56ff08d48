"""Studies whose truth is known: tables of trials drawn from points with a true mean, a spread and a chance to fail.

Nothing is trained. A score of accuracy is a share of right answers of a model on samples, so that seeds, samples and
what is left of both scatter as they do where models are trained; a score of any other metric is a normal value.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from hpsearch.base.samples import SampleResults
from hpsearch.base.types import TrialId, TrialTable
from hpsearch.reports.ablation.claims.claim import Evidence
from tests.support import synthetic

CHANCE, START_LOSS, EPOCHS = 0.1, math.log(10), 4
HARDNESS = 2.0  # standard deviation of what a sample demands of a model; that of the rest is 1
SAMPLES = 360
DIVERGED = "diverged at step 17: loss 812.3"
CONSTANT = {"constant.train/loss": START_LOSS, "constant.valid/loss": START_LOSS, "constant.valid/acc": CHANCE}
"""What a constant prediction costs."""
NO_STEPS = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])


@dataclass(frozen=True)
class Setting:
    """One point or arm: what it is, and the truth about it.

    Attributes:
        params: searched hyperparameters.
        mean: true mean score over seeds that train, and over samples where scores are accuracies.
        fails: chance that a seed fails.
        how: how it fails: "diverged", "dead" (ends at chance, where it stays), "memory", "limit" or "error".
        slow: whether it trains too slowly to leave chance.
        sd: spread over seeds as a multiple of the study's.
        pruned: whether it was stopped before its end.
    """

    params: Mapping[str, Any]
    mean: float = 0.9
    fails: float = 0.0
    how: str = "diverged"
    slow: bool = False
    sd: float = 1.0
    pruned: bool = False


@dataclass(frozen=True)
class Truth:
    """What is true of a study.

    Attributes:
        settings: its points or arms, in the order of their numbers.
        means: true mean of each over seeds that train and over all samples there could be; of one that never trains
            over all seeds.
        here: true mean of each over seeds on the samples of this study.
        maximize: whether larger is better.
        sd: spread over seeds.
        facts: whatever else a sentence may speak of, by name.
    """

    settings: tuple[Setting, ...]
    means: tuple[float, ...]
    here: tuple[float, ...]
    maximize: bool
    sd: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    def loss(self, point: int) -> float:
        """By how much a point is worse than the best of those that train, on these samples."""
        sign = 1.0 if self.maximize else -1.0
        known = [sign * mean for mean, each in zip(self.here, self.settings, strict=True) if trains(each)]
        return max(known or [sign * mean for mean in self.here]) - sign * self.here[point]


def trains(each: Setting) -> bool:
    """Whether most seeds of a setting train."""
    return each.fails < 0.5 and not each.slow


@dataclass(frozen=True)
class Drawn:
    """One drawn study.

    Attributes:
        kind: "search", "ablation", "comparison" or "claims": by what it is reported.
        tables: of a comparison both, of an ablation the arms and what was retuned.
        truths: of each table.
        evidence: what a claim is held against, where nothing else is reported.
    """

    kind: str
    tables: tuple[TrialTable, ...]
    truths: tuple[Truth, ...]
    evidence: Evidence | None = None


@dataclass(frozen=True)
class Design:
    """How a study is run.

    Attributes:
        seeds: per point.
        folds: per seed.
        metric: of the objective; "valid/acc" and "test/acc" are shares of right answers.
        maximize: whether larger is better.
        sd: spread over seeds of a metric that is no accuracy; of accuracies that of a model's strength.
        first_seed: the others follow.
        record: what the study says of itself beside what every study says.
        config: changes of the configuration, by group.
        facts: columns of every trial.
        lost: share of trials that did not come to an end.
        reports: whether trials report after every epoch; else once, at the end.
        samples: seed of the samples, so that two studies have the same ones; None for samples of their own.
        keep: whether what each trial got of single samples is kept.
        splits: whether every seed has a split of its own of five times as many samples.
        groups: of samples that are alike; 0 where each stands for itself.
    """

    seeds: int = 3
    folds: int = 1
    metric: str = "valid/acc"
    maximize: bool = True
    sd: float = 0.15
    first_seed: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    lost: float = 0.0
    reports: bool = True
    samples: int | None = None
    keep: bool = False
    splits: bool = False
    groups: int = 0

    @property
    def accuracy(self) -> bool:
        """Whether scores are shares of right answers."""
        return self.metric.endswith("/acc")


def table_of(
    name: str, settings: tuple[Setting, ...], space: Mapping[str, str], design: Design, rng: np.random.Generator
) -> tuple[TrialTable, Truth]:
    """Draw a study.

    Args:
        name: of the study.
        settings: its points.
        space: by key.
        design: how they are run.
        rng: draws everything.

    Returns:
        Its table, and what is true of it.
    """
    results, here = (_accuracies if design.accuracy else _values)(settings, design, rng)
    scores = results.mean(axis=-1)
    trials, curves = [], []
    for point, each in enumerate(settings):
        for seed in range(design.seeds):
            for fold in range(design.folds):
                row, rows = _trial(point, each, seed, fold, float(scores[point, seed, fold]), design, rng)
                trials.append(row)
                curves += rows
    record = _record(space, design)
    lost = [each.slow or (each.fails >= 1 and each.how == "dead") for each in settings]
    means, known = (
        tuple(CHANCE if gone else float(mean) for gone, mean in zip(lost, values, strict=True))
        for values in ([each.mean for each in settings], here)
    )
    truth = Truth(settings, means, known, design.maximize, design.sd)
    table = TrialTable(name, record, pd.DataFrame(trials), pd.DataFrame(curves), NO_STEPS)
    return (replace(table, samples=_kept(table, results, design)) if design.keep else table), truth


def _kept(table, results, design):
    """Return what each trial that came to its end got of single samples, as a trial keeps it."""
    done = table.trials[table.trials["score"].notna()]
    rows = zip(*(done[name].astype(int).tolist() for name in ("point", "seed", "fold")), strict=True)
    return {
        TrialId(point, seed, fold): SampleResults(
            {design.metric: results[point, seed - design.first_seed, fold].astype(float)},
            {"valid": np.arange(SAMPLES) % design.groups} if design.groups else {},
            *(["group"] * bool(design.groups)),
        )
        for point, seed, fold in rows
    }


def _accuracies(settings, design, rng):
    """Return right answers ``[point, seed, fold, sample]``, and each point's mean over models on these samples."""
    means = np.clip([each.mean for each in settings], 1e-9, 1 - 1e-9)
    spread = design.sd * np.asarray([each.sd for each in settings])
    level = ndtri(means) * np.sqrt(spread**2 + HARDNESS**2 + 1)
    drawn = rng if design.samples is None else np.random.default_rng(design.samples)
    hardness = HARDNESS * _hardness(design, drawn)
    models = spread[:, None, None] * rng.normal(size=(len(settings), design.seeds, design.folds))
    strength = level[:, None, None] + models
    shown = rng.permuted(np.tile(hardness, (design.seeds, 1, 1)), axis=2)[..., :SAMPLES] if design.splits else hardness
    chance = ndtr(strength[..., None] + shown)
    right = rng.random(chance.shape) < chance
    over_models = ndtr((level[:, None, None] + hardness) / np.sqrt(1 + spread[:, None, None] ** 2))
    return right, over_models.mean(axis=(1, 2))


def _hardness(design, drawn):
    """Return what the samples of every fold demand, those of a group partly the same."""
    own = drawn.normal(size=(design.folds, SAMPLES * (5 if design.splits else 1)))
    if not design.groups:
        return own
    shared = drawn.normal(size=(design.folds, design.groups))[:, np.arange(SAMPLES) % design.groups]
    return np.sqrt(0.5) * (shared + own)


def _values(settings, design, rng):
    """Return normal values ``[point, seed, fold, 1]`` and each point's mean; half of the spread is common to a seed."""
    means, spread = (np.asarray([getattr(each, name) for each in settings]) for name in ("mean", "sd"))
    shape = len(settings), design.seeds, design.folds
    common = 0.5 * rng.normal(size=(1, *shape[1:]))
    values = means[:, None, None] + design.sd * spread[:, None, None] * (common + rng.normal(size=shape))
    return values[..., None], means


def _trial(point, each, seed, fold, score, design, rng):
    """Return the row of a trial and those of its curve."""
    place = {"seed": design.first_seed + seed, "fold": fold}
    start = synthetic.START + 10.0 * point + seed
    size = {"data.valid_size": SAMPLES, **CONSTANT} if design.accuracy else {}
    size |= {"data.train_size": 4 * SAMPLES} if design.splits else {}
    row = synthetic.trial_row(point, start=start, duration=1.0, **{**place, **size, **design.facts, **each.params})
    row["command"] = f"python -m hpsearch seed={place['seed']} {point}"
    fails = each.how if rng.random() < each.fails else "slow" if each.slow else ""
    if each.pruned:
        row |= {"state": "PRUNED", "reason": "worse than the median at epoch 1", "score": score}
    elif rng.random() < design.lost:
        row |= {"state": "PAUSED", "ended": math.nan}
    elif fails in ("diverged", "memory", "limit"):
        row |= {"state": "INFEASIBLE", "reason": _REASONS[fails]}
    elif fails == "error":
        row |= {"state": "FAILED", "reason": "ValueError: no such layer"}
    else:
        score = _at_chance(rng) if fails else score
        row |= {"score": score, design.metric: score}
    return row, _curve(point, place, row["score"], fails, row["state"], design, rng)


_REASONS = {
    "diverged": DIVERGED, "memory": "out of memory: 9000 MiB asked",
    "limit": "not compared: parameters = 90000 is not at most 50000",
}  # fmt: skip


def _at_chance(rng):
    return CHANCE + 0.002 * rng.normal()


def _curve(point, place, score, fails, state, design, rng):
    """Return the epochs of a trial: the loss falls to a tenth, slowly or not at all, or runs away after the first."""
    noise = (0.02 if design.sd else 0.0) * rng.normal(size=EPOCHS + 1)
    last = 1 if state in ("PRUNED", "INFEASIBLE", "FAILED", "PAUSED") else EPOCHS
    falls = {"slow": 0.002, "dead": 0.0}.get(fails, 0.6)
    moves = {"slow": 1e-5, "dead": 0.1}.get(fails, 1e-3)
    epochs = range(last + 1) if design.reports else (last,)
    loss = {"valid/loss": lambda epoch: START_LOSS * math.exp(-falls * epoch / 2)} if design.accuracy else {}
    return [
        {
            **{name: of(epoch) for name, of in loss.items()},
            "point": point, **place, "epoch": epoch, "step": epoch * 18, "time": synthetic.START + epoch,
            "train/loss": START_LOSS * math.exp(-falls * epoch) * (1 + noise[epoch] / 20) if epoch else math.nan,
            design.metric: _on_the_way(score, epoch, noise[epoch], design), "lr": 0.1, "epoch_sec": 0.01,
            "update_ratio": moves,
        }
        for epoch in epochs
    ]  # fmt: skip


def _on_the_way(score, epoch, noise, design):
    """Return what is measured after an epoch: worse than at the end, and scattered."""
    if epoch == EPOCHS or not math.isfinite(score):
        return score if math.isfinite(score) else CHANCE
    worse = 0.3 * abs(score) * (1 - epoch / EPOCHS) + noise * abs(score)
    return score - worse if design.maximize else score + worse


def _record(space, design):
    config = {group: {**dict(values)} for group, values in synthetic.CONFIG.items()}
    own = {"data": {"split_seed": "per_seed"}} if design.splits else {}
    for group, values in {**own, **design.config}.items():
        config[group] = {**config.get(group, {}), **values}
    objective = {
        "metric": design.metric, "direction": "maximize" if design.maximize else "minimize",
        "share": design.accuracy,
    }  # fmt: skip
    state = {"state": "COMPLETE", "why": f"all {'cells of the grid'} are done", "time": synthetic.START}
    return {**synthetic.study(dict(space), config, design.seeds), "objective": objective, "state": state,
            **design.record}  # fmt: skip
