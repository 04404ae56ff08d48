"""The studies that faults befall: each small, complete in about three seconds where nothing disturbs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Same(Enum):
    """What of an undisturbed run's result a disturbed one must give, bit for bit."""

    ALL = "every trial with its state, its score and its curve"
    ALIKE = "how many trials; of equal configurations the curve, as far as both go"
    """A sampler that learns is seeded by how much is known when it starts: after a restart it proposes other points."""
    ALL_IN_ONE = "ALL where one driver ran the whole study and no worker died, else ALIKE"
    """In lockstep what is proposed does not depend on who is faster, but on who was there in each round."""


@dataclass(frozen=True)
class Surroundings:
    """One study: its words, the files that lie beside it, and what it has in common with an undisturbed one."""

    name: str
    words: tuple[str, ...]
    same: Same = Same.ALL
    files: Mapping[str, str] = field(default_factory=dict)
    workers: bool = True


SWEEP = (
    "+study=lr_sweep",
    "space.optimizer.lr=choice(0.003, 0.03, 0.3, 30)",
    "study.name=s",
    "study.seeds=2",
    "study.confirm=0",
    "trainer.epochs=16",
    "trainer.checkpoint_sec=0",
)
SEARCH = ("sampler=auto", "pruner=auto", "study.name=s", "study.confirm=0", "budget.points=8")
LEARNED = (
    "+study=search",
    *SEARCH,
    "space.optimizer.lr=tag(log, interval(1e-3, 3))",
    "trainer.epochs=12",
    "trainer.checkpoint_sec=0",
)
RECIPE = (
    "+study=recipe",
    "stage=[data_check,initial_loss,lr_find,coarse,fine]",
    "stages.lr_find.per_decade=2",
    "stages.lr_find.initializations=1",
    "stages.coarse.points=3",
    "stages.fine.points=2",
    "study.name=s",
    "trainer.epochs=6",
    "trainer.checkpoint_sec=0",
)
ABLATION = (
    "+study=dropout",
    "space.model.dropout=choice(0.0, 0.3)",
    "ablation.points=2",
    "study.name=s",
    "study.seeds=2",
    "trainer.epochs=4",
    "trainer.checkpoint_sec=0",
)
OWN = {
    "my_conf/plugins.yaml": "plugins: [my_pkg]\n",
    "my_conf/trainer/mine.yaml": "# @package _global_\ntrainer:\n  _target_: my_pkg.train\nargs:\n  lr: 0.1\n",
    "my_pkg.py": """
import os, random, time

def train(lr):
    for epoch in range(1, 13):
        time.sleep(0.01)
        yield {"valid/acc": 1 - (lr - 0.1) ** 2 - 1 / epoch + 0.01 * random.random()}
        if os.path.exists("hostile.py"):
            exec(open("hostile.py").read())
""",
}
MINE = ("--config-dir", "my_conf", "trainer=mine", "+study=search", "objective.metric=valid/acc")
PROGRAM = {
    "program.py": """
import os, random, sys, time
lr, seed, folder = float(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
file, done = os.path.join(folder, "checkpoint"), 0
if len(sys.argv) > 4:
    done = int(open(sys.argv[4]).read())
for epoch in range(done + 1, 9):
    time.sleep(0.02)
    noise = random.Random(1000 * seed + epoch).random()
    line = f"epoch {epoch}: valid/acc {1 - (lr - 0.1) ** 2 - 1 / epoch + 0.01 * noise:.6f}"
    with open(file + ".part", "w") as text:
        text.write(str(epoch))
    os.replace(file + ".part", file)
    print(line, flush=True)
""",
}
RUN_PROGRAM = ("--", "python", "-S", "program.py", "{lr}", "{seed}", "{folder}", "{checkpoint}")
TWO, PLAIN, FUSED = "launcher.workers=2", "launcher.fuse=off", "launcher.fuse=on"

SURROUNDINGS = {
    one.name: one
    for one in (
        Surroundings("grid", (*SWEEP, TWO, PLAIN)),
        Surroundings("grid fused", (*SWEEP, TWO, FUSED)),
        Surroundings("grid inline", (*SWEEP, "launcher=inline"), workers=False),
        Surroundings("auto lockstep", (*LEARNED, TWO, PLAIN, "launcher.lockstep=true"), Same.ALL_IN_ONE),
        Surroundings("auto fused", (*LEARNED, TWO, FUSED), Same.ALIKE),
        Surroundings("auto inline", (*LEARNED, "launcher=inline"), Same.ALIKE, workers=False),
        Surroundings("recipe", (*RECIPE, TWO, PLAIN)),
        Surroundings("recipe fused", (*RECIPE, TWO, FUSED)),
        Surroundings("ablation", (*ABLATION, TWO, PLAIN)),
        Surroundings("ablation fused", (*ABLATION, TWO, FUSED)),
        Surroundings(
            "own code",
            (*MINE, TWO, "sampler=grid", "pruner=none", "study.name=s", "study.seeds=2", "study.confirm=0",
             "space.args.lr=choice(0.01, 0.1, 0.5, 0.9)"),
            files=OWN,
        ),
        Surroundings(
            "own code auto",
            (*MINE, TWO, *SEARCH, "space.args.lr=tag(log, interval(1e-3, 1))"),
            Same.ALIKE,
            files=OWN,
        ),
        Surroundings(
            "program",
            ("run", "lr=choice(0.01, 0.1, 0.5, 0.9)", TWO, "sampler=grid", "pruner=none", "study.name=s",
             "objective.metric=valid/acc", "objective.direction=maximize", "study.seeds=2", "study.confirm=0",
             "extend.edges=false", *RUN_PROGRAM),
            files=PROGRAM,
        ),
    )
}  # fmt: skip

EVERYWHERE = tuple(SURROUNDINGS)
PROCESSES = tuple(name for name, one in SURROUNDINGS.items() if one.workers)
GRIDS = ("grid", "grid fused", "grid inline")
OWN_CODE = ("own code", "own code auto")
PROGRAMS = ("program",)
