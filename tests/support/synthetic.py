"""Studies made up with a closed form, in the shape in which real ones are read."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from hpsearch.base.types import TrialTable
from hpsearch.study.run_stages import to_dict
from hpsearch.study.stages.base import Finding, Verdict

START = 1_790_000_000.0
RATES = [float(f"{rate:.6g}") for rate in np.logspace(-3, 1, 13)]
DIVERGED = "diverged at step 17: loss 812.3"

CONFIG = {
    "data": {"_target_": "hpsearch.data.digits.Digits", "batch_size": 64, "valid_fraction": 0.2, "split_seed": 0},
    "model": {"_target_": "hpsearch.models.mlp.Mlp", "hidden": [64], "activation": "relu"},
    "loss": {"_target_": "hpsearch.losses.CrossEntropy"},
    "optimizer": {"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.1, "momentum": 0.9, "weight_decay": 0.0},
    "scheduler": {"_target_": "hpsearch.schedules.Constant", "warmup_steps": 0},
    "regularizer": {},
    "trainer": {"_target_": "hpsearch.trial.loop.Trainer", "epochs": 30, "clip_norm": None},
    "study": {"question": "Which learning rates train this model, and where does it diverge?", "seeds": 3},
}


def study(space, config=CONFIG, seeds=3, **changes):
    config = {**config, "study": {**config["study"], "seeds": seeds}}
    return {
        "question": config["study"]["question"],
        "objective": {"metric": "valid/acc", "direction": "maximize", "reduce": "last", "share": True},
        "space": space,
        "config": config,
        "command": "python -m hpsearch +study=lr_sweep",
        "environment": {"python": "3.12.4", "torch": "2.13.0", "platform": "Linux x86_64", "git.commit": "4b9f2c1"},
        **changes,
    }


def quality(rate):
    """Accuracy the rate reaches: a plateau around 0.1 with shoulders."""
    x = math.log10(rate)
    return 0.975 - 0.02 * max(0.0, abs(x + 1) - 0.7) ** 2 - 0.35 * max(0.0, x + 0.1) ** 2


def curve(rate, epochs, rng):
    """Loss and accuracy per epoch, the untrained model first."""
    epoch = np.arange(epochs + 1)
    speed = min(rate * 12, 1.2)
    progress = 1 - np.exp(-speed * epoch)
    noise = 0.004 + 0.02 * min(rate, 1.0)
    final = max(0.1, quality(rate) + rng.normal(0, 0.003))
    acc = 0.1 + (final - 0.1) * progress + rng.normal(0, noise / 3, epochs + 1) * progress * (1 - progress / 1.2)
    floor = 0.02 + 2.0 * max(0.0, 0.97 - final) + 4 * max(0.0, math.log10(rate))
    loss = (2.3 - floor) * np.exp(-speed * epoch * 0.8) + floor + np.abs(rng.normal(0, noise / 4, epochs + 1))
    return acc, loss


def trial_row(point, seed, start, duration, slot_gap=0.02, **cells):
    return {
        "point": point, "seed": seed, "fold": 0, "state": "COMPLETE", "score": math.nan, "attempts": 1, "reason": "",
        "started": start, "ended": start + duration - slot_gap, "duration_sec": duration - slot_gap,
        "run_id": f"{point:04x}{seed:028x}", "key": f"k{point}-{seed}", "device": "cpu", "parameters": 4810, **cells,
    }  # fmt: skip


def curve_rows(point, seed, acc, loss, start, duration):
    epochs = len(acc)
    return [
        {
            "point": point, "seed": seed, "fold": 0, "epoch": e, "step": e * 18, "time": start + duration * e / epochs,
            "train/loss": math.nan if e == 0 else loss[e], "train/acc": min(acc[e] + 0.015, 1.0) if e else math.nan,
            "valid/loss": loss[e] * 1.1 + 0.03, "valid/acc": acc[e], "lr": 0.1, "epoch_sec": 0.01,
        }
        for e in range(epochs)
    ]  # fmt: skip


def sweep(rates=RATES, seeds=3, epochs=30, diverges_from=3.0):
    """The main job: one learning rate after the other on two slots, the top rates diverge."""
    rng = np.random.default_rng(0)
    trials, curves, steps, free = [], [], [], [START, START]
    for point, rate in enumerate(rates):
        for seed in range(seeds):
            slot = free.index(min(free))
            start, away = free[slot], rate >= diverges_from
            duration = 0.08 if away else 0.55 + 0.1 * rng.random()
            free[slot] = start + duration
            acc, loss = curve(rate, 1 if away else epochs, rng)
            acc, loss = (acc[:1], loss[:1]) if away else (acc, loss)
            command = f"python -m hpsearch optimizer.lr={rate} seed={seed}"
            row = trial_row(point, seed, start, duration, **{"optimizer.lr": rate, "command": command})
            row |= {"valid/acc": acc[-1], "valid/loss": loss[-1] * 1.1}
            row |= {"state": "INFEASIBLE", "reason": DIVERGED} if away else {"score": acc[-1]}
            trials.append(row)
            curves += curve_rows(point, seed, acc, loss, start, duration)
            losses = [2.3, 9.0, 812.3] if away else np.geomspace(2.3, loss[-1], 60)
            steps += [
                {"point": point, "seed": seed, "fold": 0, "step": 1 + i * 9, "loss": float(v)}
                for i, v in enumerate(losses)
            ]
    space = {"optimizer.lr": "tag(log, interval(1e-3, 10))"}
    return TrialTable(
        "lr_sweep", study(space, seeds=seeds), pd.DataFrame(trials), pd.DataFrame(curves), pd.DataFrame(steps)
    )


def slower():
    """The main job with another momentum, on a shorter range of rates."""
    table = sweep(rates=RATES[3:], seeds=3)
    optimizer = {**CONFIG["optimizer"], "momentum": 0.0}
    config = {**table.study["config"], "optimizer": optimizer, "launcher": {"workers": 7}}
    return replace(table, name="slower", study={**table.study, "config": config})


def troubled():
    """The main job with one trial pruned, one failed with a hostile reason, one that never said anything."""
    table = sweep(seeds=2, epochs=10)
    trials = table.trials.copy()
    cells = ["state", "score", "reason"]
    trials.loc[(trials.point == 2) & (trials.seed == 1), cells] = [
        "PRUNED",
        math.nan,
        "worse than the median at epoch 4",
    ]
    failed = (trials.point == 8) & (trials.seed == 0)
    trials.loc[failed, cells] = ["FAILED", math.nan, "RuntimeError: <script>alert('x')</script> & </script>"]
    trials.loc[failed, "attempts"] = 3
    return replace(table, trials=trials)


def mixed(points=60, epochs=10):
    """A random search over numbers, categories, an optional and a hostile value; one seed per point."""
    rng = np.random.default_rng(1)
    trials, curves, steps, free = [], [], [], [START] * 4
    models = ["mlp", "lenet", "<script>alert('model')</script>"]
    for point in range(points):
        rate, decay = 10 ** rng.uniform(-4, 0.5), 10 ** rng.uniform(-6, -2)
        model, batch = models[int(rng.integers(3))], int(rng.choice([32, 64, 128, 256]))
        slot = free.index(min(free))
        start, duration, away = free[slot], 0.5 + rng.random(), rate > 2
        free[slot] = start + duration
        acc, loss = curve(rate, epochs, rng)
        acc = acc - 0.01 * models.index(model)
        pruned = not away and rng.random() < 0.3
        kept = 1 if away else min(4, epochs) if pruned else epochs + 1
        row = trial_row(point, 0, start, duration, command=f"python -m hpsearch optimizer.lr={rate} model='{model}'")
        row |= {"optimizer.lr": rate, "optimizer.weight_decay": decay, "data.batch_size": batch, "model": model}
        row |= {"model.kernel_size": 3 + 2 * (point % 2) if model == "lenet" else None, "valid/acc": acc[kept - 1]}
        row |= {"valid/loss": loss[kept - 1], "optimizer.nesterov": bool(point % 2)}
        row |= {"state": "INFEASIBLE", "reason": DIVERGED} if away else {"score": acc[kept - 1]}
        row |= {"state": "PRUNED", "reason": "worse than the median at epoch 3"} if pruned else {}
        trials.append(row)
        curves += curve_rows(point, 0, acc[:kept], loss[:kept], start, duration)
        steps += [{"point": point, "seed": 0, "fold": 0, "step": 1, "loss": 2.3}]
    space = {
        "optimizer.lr": "tag(log, interval(1e-4, 3))", "optimizer.weight_decay": "tag(log, interval(1e-6, 1e-2))",
        "data.batch_size": "choice(32, 64, 128, 256)", "model": "choice(mlp, lenet, hostile)",
        "model=lenet/model.kernel_size": "choice(3, 5)", "optimizer.nesterov": "choice(true, false)",
    }  # fmt: skip
    config = {**CONFIG, "study": {"question": "Which <b>settings</b> & models train best?"}}
    changes = {"command": "python -m hpsearch +study=mixed sampler=tpe"}
    return TrialTable("mixed", study(space, config, 1, **changes), *map(pd.DataFrame, (trials, curves, steps)))


def empty():
    """A study that was created and has not started a trial."""
    table = sweep(rates=[0.1], seeds=1)
    cut = {name: getattr(table, name).iloc[:0] for name in ("trials", "curves", "steps")}
    return replace(table, **cut)


def searched(points=60):
    """A random search with pruned and diverged points, two objectives and a range that was extended."""
    table = mixed(points)
    sizes = {"mlp": 4810, "lenet": 61706}
    trials = table.trials.assign(parameters=[sizes.get(model, 250_000) for model in table.trials["model"]])
    lost = ["state", "reason", "score"]
    trials.loc[trials["optimizer.lr"] > 1, lost] = ["INFEASIBLE", DIVERGED, math.nan]
    trials.loc[trials.index[:2], lost] = ["INFEASIBLE", "out of memory: 9000 MiB asked", math.nan]
    extension = {
        "name": "optimizer.lr",
        "key": "optimizer.lr",
        "side": "high",
        "old": [1e-4, 0.3],
        "new": [1e-4, 3],
        "best": 0.29,
        "failed": 0,
    }
    objectives = [table.study["objective"], {"metric": "parameters", "direction": "minimize"}]
    study = {**table.study, "extensions": [extension], "objectives": objectives}
    return replace(table, name="searched", study=study, trials=trials)


PARAMS = [{"optimizer.lr": 0.1, "model.act": "relu"}, {"optimizer.lr": 0.3, "model.act": "tanh"}]
SPACE = {"optimizer.lr": "tag(log, interval(0.01, 1.0))"}
CURVE = {
    "weight_decay": None, "rates": [0.01, 0.1, 1.0], "losses": [[2.0, 1.0, None], [2.1, 1.1, None]],
    "fit_rates": [0.01, 0.1], "fit": [2.05, 1.05], "lr": 0.05,
}  # fmt: skip
STAGES = {
    "overfit_small": {"losses": {"0.05": [2.3, 1.0, None]}},
    "lr_find": {"curves": [CURVE]},
    "coarse": {"params": PARAMS, "scores": [0.9, 0.8], "space": SPACE},
    "fine": {"params": PARAMS[:1], "scores": [0.95], "space": SPACE},
    "curves": {
        "params": PARAMS,
        "train": [[1.0, 0.5], [1.0]],
        "valid": [[1.1, 0.7], [1.2]],
        "labels": [[], ["plateau"]],
    },
    "confirm": {"params": PARAMS, "scores": [[0.9, 0.91], [0.8, 0.82]], "test": [0.9, 0.9]},
}

CLASSES = {
    name: f"hpsearch.study.stages.{name}.{name.title().replace('_', '')}"
    for name in (*STAGES, "data_check", "train_longer")
}


def recipe():
    """What a recipe recorded of itself, one stage of each kind."""
    stages = {
        name: {"name": name, **to_dict(Finding(Verdict.PASS, f"sentence of {name}", {"x": 1.5}, series=series))}
        for name, series in STAGES.items()
    }
    stages["data_check"] = to_dict(
        Finding(
            Verdict.WARN, "labels <script>alert(1)</script> | odd", cause="imbalance", action="set data.class_weights"
        )
    )
    return {
        "name": "recipe", "question": "Is <b>it</b> sound?", "command": "python -m hpsearch +study=recipe",
        "config": {"seed": 0, "stages": {name: {"_target_": stage} for name, stage in CLASSES.items()}},
        "objective": {"metric": "valid/acc"}, "recipe": [*stages, "train_longer"],
        "stages": stages, "state": {"answer": "it is", "why": "", "time": 1_700_000_000.0},
    }  # fmt: skip


def ablation(batches=(32, 128), units=("relu", "tanh", "<b>gelu</b>"), seeds=3, epochs=8, lost=()):
    """An ablation of two factors, the rate retuned for each arm: the study of its arms; `lost` arms diverged.

    Larger batches are .02 worse, each activation .01 better than the one before; the third is hostile.
    """
    rng = np.random.default_rng(3)
    trials, curves = [], []
    for point, (batch, unit) in enumerate((b, m) for b in batches for m in units):
        for seed in range(seeds):
            level = 0.93 - 0.02 * batches.index(batch) + 0.01 * units.index(unit) + 0.003 * (seed % 3)
            acc = level * (1 - np.exp(-np.arange(epochs + 1) / (1 + batches.index(batch))))
            acc[-1] = level + 0.001 * rng.normal()
            start, away = START + len(trials), point in lost
            acc = acc[:1] if away else acc
            curves += curve_rows(point, seed, acc, 2 * (1 - acc), start, 1.0)
            row = trial_row(point, seed, start, 1.0, command=f"python -m hpsearch data.batch_size={batch} seed={seed}")
            row |= {"data.batch_size": batch, "model.activation": unit, "optimizer.lr": 0.1 * (1 + point)}
            ended = {"state": "INFEASIBLE", "reason": DIVERGED} if away else {"score": acc[-1], "valid/acc": acc[-1]}
            trials.append({**row, **ended})
    space = {
        "data.batch_size": f"choice({', '.join(map(str, batches))})",
        "model.activation": f"choice({', '.join(map(str, units))})",
        "optimizer.lr": "tag(log, interval(0.05, 2))",
    }
    options = {"factors": ["data.batch_size", "model.activation"], "nuisance": "retuned", "target": 0.9}
    options["reference"] = {"data.batch_size": batches[0], "model.activation": units[0]}
    config = {**CONFIG, "ablation": options, "nuisance": {"optimizer.lr": "tag(log, interval(0.05, 2))"}}
    changes = {"question": "Does the <i>activation</i> matter?", "within": {"name": "batch_activation"}}
    steps = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])
    frames = pd.DataFrame(trials), pd.DataFrame(curves), steps
    return TrialTable("batch_activation.arms", study(space, config, seeds, **changes), *frames)


def searched_arms(table):
    """The study in which the rate of each arm of an ablation was retuned: five rates, the third the best."""
    arms = table.trials.drop_duplicates("point")[["data.batch_size", "model.activation"]].to_dict("records")
    rows = []
    for point, (arm, place) in enumerate((arm, place) for arm in arms for place in range(5)):
        row = trial_row(point, 1000, START + point, 1.0, command="python -m hpsearch", **arm)
        score = 0.95 - 0.01 * abs(place - 2)
        ended = {"state": "INFEASIBLE", "reason": DIVERGED} if place == 4 else {"score": score, "valid/acc": score}
        rows.append({**row, "optimizer.lr": 0.05 * 2**place, **ended})
    study = {**table.study, "config": {**table.study["config"], "study": {"seeds": 1}}}
    return replace(
        table, name="batch_activation.tune", study=study, trials=pd.DataFrame(rows), curves=table.curves.iloc[:0]
    )


def momenta(batches=(16, 64, 256, 1024), values=(0.0, 0.9, 0.99), seeds=3, epochs=64, kinds=("flat", "diverged")):
    """An ablation of batch size and momentum, the rate retuned for each arm, that all seven claims can speak of.

    The best effective rate is that of the grid nearest .1, whatever the momentum; training breaks beyond a rate three
    times as large for each step of momentum, first by the first of `kinds`, then by the second. The target takes
    40 + 8000 / B updates, five epochs or more.
    """
    rng, noise = np.random.default_rng(5), np.random.default_rng(6)
    examples = 1024
    trials, curves, searched, losses = [], [], [], []
    for point, (batch, momentum) in enumerate((b, m) for b in batches for m in values):
        arm = {"data.batch_size": batch, "optimizer.momentum": momentum}
        edge = 0.5 * 3 ** values.index(momentum)
        for place in range(9):
            rate = round(0.01 * 10 ** (place / 2) * (1 - momentum), 9)
            effective, number = rate / (1 - momentum), 9 * point + place
            broken = 0 if effective < edge else 1 if effective < 3.3 * edge else 2
            kind = ("", *kinds)[broken]
            score = 0.1 if kind else 0.97 - 0.02 * math.log10(effective / 0.1) ** 2 - 0.005 * values.index(momentum)
            for seed in (1000, 1001, 1002):
                row = trial_row(number, seed, START + number, 1.0, command="python -m hpsearch", **arm)
                noisy = score if kind else score + 0.0005 * noise.normal()
                ended = {"state": "INFEASIBLE", "reason": DIVERGED} if kind == "diverged" else {"score": noisy}
                searched.append({**row, "optimizer.lr": rate, **ended})
                losses += [
                    {"point": number, "seed": seed, "fold": 0, "step": step, "loss": loss}
                    for step, loss in ((1, 2.3), (100, 2.3 if kind else 0.2))
                ]
        for seed in range(seeds):
            need = (40 + 8000 / batch) * (1 + 0.06 * seed)
            steps = np.arange(epochs + 1) * examples / batch
            level = 0.97 + 0.003 * rng.normal()
            acc = level - (level - 0.1) * np.exp(-steps / need * math.log((level - 0.1) / (level - 0.9)))
            acc += 0.0005 * rng.normal(size=epochs + 1)
            loss = 0.1 + 2 * np.exp(-3 * np.arange(epochs + 1) / epochs * 4) + 0.01 * np.arange(epochs + 1)
            rows = curve_rows(point, seed, acc, loss, START, 1.0)
            sec = 0.02 + 8 / batch
            curves += [{**each, "step": int(s), "epoch_sec": sec} for each, s in zip(rows, steps, strict=True)]
            row = trial_row(point, seed, START, 1.0, command="python -m hpsearch", **arm)
            trials.append({**row, "optimizer.lr": 0.1 * (1 - momentum), "score": acc[-1], "valid/acc": acc[-1]})
    space = {
        "data.batch_size": f"choice({', '.join(map(str, batches))})",
        "optimizer.momentum": f"choice({', '.join(map(str, values))})",
        "optimizer.lr": "tag(log, interval(1e-4, 100))",
    }
    options = {"factors": ["data.batch_size", "optimizer.momentum"], "nuisance": "retuned", "target": 0.9}
    config = {**CONFIG, "ablation": options, "nuisance": {"optimizer.lr": "tag(log, interval(1e-4, 100))"}}
    changes = {"question": "Do batch size and momentum change more than the learning rate?"}
    changes["within"] = {"name": "batch_momentum"}
    none = pd.DataFrame(columns=["point", "seed", "fold", "step", "loss"])
    record = study(space, config, seeds, **changes)
    table = TrialTable("batch_momentum.arms", record, pd.DataFrame(trials), pd.DataFrame(curves), none)
    record = {**record, "config": {**config, "study": {"seeds": 3}}}
    return table, TrialTable(
        "batch_momentum.tune", record, pd.DataFrame(searched), table.curves.iloc[:0], pd.DataFrame(losses)
    )
