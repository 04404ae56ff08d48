"""What can be looked at without training anything."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.config.build import build
from hpsearch.config.compose import compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.limits import target_part
from hpsearch.trial.build import schedule_of

if TYPE_CHECKING:
    from hpsearch.reports.schedules import Drawn

STEPS_PER_EPOCH = 20
EPOCHS = 20


def show_schedulers(
    folder: str | Path = ".", overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> tuple[Path, Path]:
    """Draw every learning-rate schedule, ours and the user's, in one figure.

    There are 20 epochs of 20 steps unless `overrides` sets ``trainer.epochs``; the optimizer and every other key are
    those of the configuration.
    Schedules that follow a metric are shown on one that gets better for a quarter of the run and then lies still.

    Args:
        folder: where to write.
        overrides: as on the command line: ``trainer.epochs=30``, ``scheduler.warmup_steps=50``, ``optimizer=adam``.
        config_dirs: folders with options of the user's own.

    Returns:
        The paths of ``schedulers.html`` and ``schedulers.svg``.
    """
    from hpsearch.reports.schedules import write_schedules

    names = describe_groups(config_dirs)["scheduler"]
    given = any(word.startswith("trainer.epochs=") for word in overrides)
    words = overrides if given else (*overrides, f"trainer.epochs={EPOCHS}")
    return write_schedules([_drawn(name, words, config_dirs) for name in names], Path(folder))


def _drawn(name: str, overrides: Sequence[str], config_dirs: Sequence[str | Path]) -> "Drawn":
    import torch

    from hpsearch.reports.schedules import Drawn

    config: dict[str, Any] = compose((*overrides, f"scheduler={name}"), config_dirs).trial({}, 0, 0).config
    options = target_part("optimizer", config["optimizer"])
    optimizer = build("optimizer", options, config["plugins"], params=[torch.zeros(1, requires_grad=True)])
    objective = build("objective", config["objective"], config["plugins"])
    epochs = config["trainer"]["epochs"]
    table, plateau = schedule_of(config, optimizer, STEPS_PER_EPOCH, epochs, objective)
    lr = table.lr
    if plateau is not None:
        values = [max(0.5**epoch, 0.5 ** (epochs // 4)) for epoch in range(epochs)]
        seen = values if plateau.make.keywords.get("mode") != "max" else [1 - value for value in values]
        factors = torch.tensor([plateau.factor(seen[:epoch]) for epoch in range(epochs)])
        lr = lr * factors.repeat_interleave(STEPS_PER_EPOCH)
    momentum = None if table.momentum is None else tuple(table.momentum.tolist())
    share = (lr / optimizer.defaults["lr"]).tolist()
    return Drawn(name, tuple(share), momentum, STEPS_PER_EPOCH)
