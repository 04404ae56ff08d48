"""Trials of mixed kinds, drawn at random: the words of one, how it is trained, and code of a user's own for some."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from hpsearch.base.words import listed

HOME = ("launcher=inline", "tracker=none")
SMALL = ("trainer.device=cpu", "trainer.watch_layers=false", "trainer.keep_end_mib=0")

KINDS = {"alone": 0.52, "killed": 0.16, "fused": 0.06, "own loop": 0.13, "program": 0.13}
"""How a trial is trained, and how often: alone; killed and gone on with from its checkpoint; as one program with the
others of a study; by a loop of a user's own; by a program."""

IMAGES = {
    "softmax": ((),),
    "mlp": (
        ("model.hidden=[16]",),
        ("model.hidden=[12,8]", "model.dropout=0.3"),
        ("model.hidden=[8]", "model.norm=batch"),
        ("model.hidden=[8]", "model.norm=layer", "model.activation=gelu"),
        ("model.hidden=[16]", "model.activation=maxout"),
        ("model.hidden=[16]", "model.activation=tanh"),
    ),
    "lenet": (("model.kernel_size=3",), ("model.kernel_size=3", "model.activation=selu")),
    "small_conv": ((),),
    "elman": ((),),
    "gru": ((),),
    "lstm": ((),),
}
"""Models of images of digits, each with words of its own."""
TABLES = {
    "breast_cancer": ("logistic", "mlp", "softmax", "svm"),
    "wine": ("softmax", "mlp"),
    "diabetes": ("linear", "mlp", "polynomial"),
}
LOSSES = {
    "digits": ("cross_entropy", "cross_entropy", "focal", "mse"),
    "wine": ("cross_entropy", "focal"),
    "breast_cancer": ("cross_entropy", "binary_cross_entropy", "hinge", "focal"),
    "diabetes": ("mse", "l1", "huber"),
}
METRICS = {
    "digits": ("acc", "f1_macro", "top_k", "recall_weighted"),
    "wine": ("acc", "f1_micro", "precision_macro"),
    "breast_cancer": ("acc", "auroc", "f1_binary"),
    "diabetes": ("mae", "r2", "rmse"),
}
OPTIMIZERS = {
    **dict.fromkeys(("sgd", "momentum", "nesterov", "adagrad"), ("0.02", "0.1")),
    **dict.fromkeys(("adam", "adamw", "nadam", "rmsprop", "momentum_warmup"), ("0.002", "0.01")),
    "lion": ("0.0005", "0.002"),
    "adadelta": ("0.5", "1.0"),
}
SCHEDULES = (
    *("constant", "constant", "cosine", "exponential", "step", "one_cycle", "cyclic", "linear", "polynomial"),
    *("inverse_time", "cosine_restarts", "noisy_linear_cosine", "reduce_on_plateau", "cosine scheduler.warmup_steps=3"),
)
REGULARIZERS = (
    "none",
    "none",
    "l1",
    "l2",
    "elastic_net",
    "max_norm",
    "mixup",
    "cutmix",
    "ema",
    "swa",
    "early_stopping",
)
AUGMENTS = ("none", "none", "flip", "crop", "rotation", "erasing")
INITS = ("default", "default", "he_normal", "xavier_uniform", "orthogonal", "lecun_normal", "normal")
FURTHER = (
    *((), (), (), ("trainer.precision=bf16",), ("trainer.clip_norm=0.5",), ("trainer.eval_every=0.5",)),
    *(
        ("trainer.deterministic=true",),
        ("trainer.eval_train=each",),
        ("objective.reduce=best",),
        ("trainer.test=true",),
    ),
    *(("data.batch_size=full",), ("data.micro_batch=8",), ("data.sampling=balanced",), ("data.shuffle=false",)),
    *(("data.folds=3", "fold=1"), ("data.folds=3", "fold=2"), ("data.split_seed=per_seed",), ("data.drop_last=true",)),
)

WILD = 0.04
"""How often a rate is a thousand times too large: most of such trials diverge."""

MODULE = "drawn_code"
CODE = """
import random
import numpy, torch
from torch import nn


def loop(rate, width=6, epochs=4):
    model = nn.Sequential(nn.Linear(5, width), nn.Dropout(0.2), nn.ReLU(), nn.Linear(width, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    for _ in range(epochs):
        x = torch.randn(32, 5)
        y = x.sum(1, keepdim=True) * numpy.random.uniform(0.9, 1.1) + random.gauss(0, 0.1)
        loss = (model(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield {"valid/loss": loss.item(), "valid/acc": 1 / (1 + loss.item())}
"""
PROGRAM = """
import random, sys
seed, rate = int(sys.argv[1]), float(sys.argv[2])
draw = random.Random(seed)
x = 1.0
for epoch in range(1, 5):
    x -= rate * (2 * x + draw.gauss(0, 0.1))
    print(f"epoch {epoch} valid/loss: {x * x!r} valid/acc: {1 / (1 + x * x)!r}", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A trial to train and to train again.

    Attributes:
        number: of the draw; a study of several trials has one.
        kind: a key of `KINDS`.
        words: of its command.
        choices: option by group, for the table.
    """

    number: int
    kind: str
    words: tuple[str, ...]
    choices: tuple[tuple[str, str], ...]


def draw(number: int, seed: int, kind: str | None = None) -> Drawn:
    """Draw a trial; the same numbers give the same one."""
    rng = random.Random(f"{seed}/{number}")
    kind = kind or rng.choices([*KINDS], [*KINDS.values()])[0]
    if kind in ("own loop", "program"):
        return _of_others(number, kind, rng)
    words, choices = _of_ours(rng, kind)
    return Drawn(number, kind, (*words, *SMALL, f"seed={rng.randrange(100)}"), tuple(choices.items()))


def _of_others(number: int, kind: str, rng: random.Random) -> Drawn:
    rate, seed = round(rng.uniform(0.01, 0.3), 4), f"seed={rng.randrange(100)}"
    own = (f"plugins=[{MODULE}]", "trainer=own", f"trainer._target_={MODULE}.loop", f"+args.rate={rate}")
    program = ("trainer=command", "trainer.command=[python,program.py,'{seed}','{rate}']", f"+args.rate={rate}")
    words = (*own, f"+args.width={rng.choice((4, 8))}") if kind == "own loop" else program
    return Drawn(number, kind, (*words, seed), (("rate", str(rate)),))


def _of_ours(rng: random.Random, kind: str) -> tuple[list[str], dict[str, str]]:
    data = "digits" if kind == "fused" or rng.random() < 0.7 else rng.choice([*TABLES])
    model = rng.choice([*IMAGES] if data == "digits" else TABLES[data])
    own = rng.choice(IMAGES[model]) if data == "digits" else ()
    optimizer, schedule = rng.choice([*OPTIMIZERS]), rng.choice(SCHEDULES)
    rate = f"{float(rng.choice(OPTIMIZERS[optimizer])) * (1000 if rng.random() < WILD else 1):g}"
    chosen = {
        **{"data": data, "model": model, "optimizer": optimizer, "loss": rng.choice(LOSSES[data])},
        **{"metric": rng.choice(METRICS[data]), "init": rng.choice(INITS), "regularizer": rng.choice(REGULARIZERS)},
        "augment": rng.choice(AUGMENTS) if data == "digits" else "none",
    }
    further = rng.choice(FURTHER)
    words = [f"{group}={option}" for group, option in chosen.items()]
    words += [*f"scheduler={schedule}".split(), *own, f"optimizer.lr={rate}", *further]
    if not any(word.startswith("data.batch_size") for word in further):
        words.append(f"data.batch_size={rng.choice((16, 24, 32))}")
    words += ["data.train_size=120"] if data == "digits" and "data.folds=3" not in further else []
    words += ["objective=valid_loss"] if data == "diabetes" else []
    words.append(f"trainer.epochs={rng.choice((2, 3, 4)) if kind != 'killed' else 4}")
    words += ["trainer.checkpoint_sec=0"] if kind == "killed" else []
    return words, {**chosen, "scheduler": schedule.split()[0], "further": listed(further) or "nothing"}


def as_study(drawn: Drawn, name: str) -> Sequence[str]:
    """Return the words of a study of eight trials around a drawn one, which are trained as one program."""
    rate = next(float(word.split("=")[1]) for word in drawn.words if word.startswith("optimizer.lr="))
    rates = ", ".join(f"{rate * factor:.6g}" for factor in (1, 0.7, 0.5, 0.3))
    kept = [word for word in drawn.words if not word.startswith(("optimizer.lr=", "fold=", "seed="))]
    study = ("+study=lr_sweep", f"study.name={name}", "study.seeds=2", "study.confirm=0", "launcher.fuse=on")
    return [*study, *kept, f"space.optimizer.lr=choice({rates})", *HOME]
