"""What can be looked at without training anything."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.errors import SpaceError
from hpsearch.base.words import plain_number
from hpsearch.config.build import build
from hpsearch.config.compose import Composition, compose
from hpsearch.config.groups import describe_groups
from hpsearch.config.limits import target_part
from hpsearch.config.words import keys_of
from hpsearch.reports.ablation.arms import level
from hpsearch.search.space import Space
from hpsearch.trial.build import schedule_of

if TYPE_CHECKING:
    from hpsearch.reports.schedules import Drawn

STEPS_PER_EPOCH = 20
EPOCHS = 20
MOST = 60
"""Panels of one figure."""

_SHAPE = ("scheduler", "trainer")
"""Groups that a schedule's shape depends on, whatever the optimizer."""


def show_schedulers(
    folder: str | Path = ".", overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> tuple[Path, Path]:
    """Draw learning-rate schedules in one figure: those that the words ask for, else every one there is.

    - ``scheduler=cosine scheduler.min_factor=0.1``: that one, over the epochs of the configuration.
    - ``+study=schedules``, ``'space.scheduler=choice(cosine, linear)'``: those of the arms of the study, each named by
      what differs; the two ends of an interval stand for it.
    - else every option, ours and the user's, over 20 epochs unless a word sets ``trainer.epochs``; the optimizer and
      every other key are those of the configuration.

    An epoch has 20 steps. A schedule that follows a metric is shown on one that gets better for a quarter of the run
    and then lies still.

    Args:
        folder: where to write.
        overrides: as on the command line.
        config_dirs: folders with options of the user's own.

    Returns:
        The paths of ``schedulers.html`` and ``schedulers.svg``.
    """
    from hpsearch.reports.schedules import arms_figure, schedules_figure, write_schedules

    composition = compose(overrides, config_dirs)
    steps = f"epochs of {STEPS_PER_EPOCH} steps"
    if composition.space or composition.study_option:
        drawn = _arms(composition)
        figure = arms_figure(drawn, f"Learning-rate schedules of {composition.study_option or 'the search'}, {steps}")
    elif any(_is_own(key) for word in overrides for key in keys_of(word)):
        trial = composition.trial({}, composition.config["seed"])
        name = " ".join(word for word in trial.overrides if word.startswith("scheduler")) or "scheduler=constant"
        figure = arms_figure([_drawn(name, trial.config)], f"Learning-rate schedule, {steps}")
    else:
        given = any(key in ("trainer.epochs", "trainer.steps") for word in overrides for key in keys_of(word))
        words = overrides if given else (*overrides, f"trainer.epochs={EPOCHS}")
        names = describe_groups(config_dirs)["scheduler"]
        chosen = ((name, compose((*words, f"scheduler={name}"), config_dirs)) for name in names)
        figure = schedules_figure([_drawn(name, each.trial({}, each.config["seed"]).config) for name, each in chosen])
    return write_schedules(figure, Path(folder))


def _is_own(key: str) -> bool:
    """Return whether a key chooses a schedule or sets a constant of one, and not the warm-up of all."""
    group, _, name = key.partition(".")
    return group == "scheduler" and bool(target_part(group, {name: None}))


def _arms(composition: Composition) -> list["Drawn"]:
    """Draw the schedules of a study's points, one for all that have the same."""
    space = Space.parse(composition.space, composition.where)
    composition.check_space(space.ends())
    points = _distinct(space.active(cell) for cell in space.grid(2)) if space.parameters else [{}]
    if len(points) > MOST:
        raise SpaceError(
            f"the study has {len(points)} schedules, and a figure holds at most {MOST}: fix some of "
            f"{', '.join({key: None for point in points for key in point})}"
        )
    seed = composition.config["seed"]
    drawn = [_drawn("", composition.trial(point, seed).config) for point in points]
    named: dict[str, list[Drawn]] = {}
    for groups in (_SHAPE, (*_SHAPE, "optimizer")):
        named = {}
        for point, each in zip(points, drawn, strict=True):
            named.setdefault(_name(point, points, groups), []).append(each)
        if all(each.looks_like(found[0]) for found in named.values() for each in found):
            break
    return [found[0].called(name or _chosen(composition)) for name, found in named.items()]


def _distinct(points: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the points that differ in what a schedule depends on, the first of each."""
    groups = (*_SHAPE, "optimizer")
    found: dict[str, Mapping[str, Any]] = {}
    for point in points:
        said = repr({key: value for key, value in point.items() if key.partition(".")[0] in groups})
        found.setdefault(said, point)
    return list(found.values())


def _name(point: Mapping[str, Any], points: Sequence[Mapping[str, Any]], groups: Sequence[str]) -> str:
    """Write what of a point differs from the others; the option alone where nothing else does."""
    keys = [key for key in point if key.partition(".")[0] in groups]
    varied = [key for key in keys if any(other.get(key) != point[key] for other in points)]
    return ", ".join(
        level(point[key]) if key == "scheduler" else f"{_short(key)}={level(point[key])}" for key in varied
    )


def _short(key: str) -> str:
    return key.removeprefix("scheduler.")


def _chosen(composition: Composition) -> str:
    return f"scheduler={plain_number(composition.choices['scheduler'])}"


def _drawn(name: str, config: Mapping[str, Any]) -> "Drawn":
    import torch

    from hpsearch.reports.schedules import Drawn

    options = target_part("optimizer", config["optimizer"])
    optimizer = build("optimizer", options, config["plugins"], params=[torch.zeros(1, requires_grad=True)])
    objective = build("objective", config["objective"], config["plugins"])
    epochs, steps = config["trainer"]["epochs"], config["trainer"]["steps"]
    table, plateau = schedule_of(config, optimizer, STEPS_PER_EPOCH, epochs, objective, steps)
    lr = table.lr
    if plateau is not None:
        passes = -(-len(lr) // STEPS_PER_EPOCH)
        values = [max(0.5**epoch, 0.5 ** (passes // 4)) for epoch in range(passes)]
        seen = values if plateau.make.keywords.get("mode") != "max" else [1 - value for value in values]
        factors = torch.tensor([plateau.factor(seen[:epoch]) for epoch in range(passes)])
        lr = lr * factors.repeat_interleave(STEPS_PER_EPOCH)[: len(lr)]
    momentum = None if table.momentum is None else tuple(table.momentum.tolist())
    share = (lr / optimizer.defaults["lr"]).tolist()
    return Drawn(name, tuple(share), momentum, STEPS_PER_EPOCH)
