"""Studies from Python: run one, search the arguments of a function, read one as tables, draw it, compare two."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hpsearch.base.conditions import flat_entries
from hpsearch.base.errors import ConfigError, nearest
from hpsearch.base.grammar import value_text
from hpsearch.base.observer import Observer
from hpsearch.base.types import Objective as Objective
from hpsearch.config.compose import Composition, compose
from hpsearch.config.groups import checked_folders, read_plugins
from hpsearch.config.objective import trial_argument
from hpsearch.progress.display import shown
from hpsearch.search.interrupts import RAISE, saved_first
from hpsearch.study.arguments import (
    arguments_of,
    as_function,
)
from hpsearch.study.existing import damage
from hpsearch.study.outcome import StudyOutcome
from hpsearch.study.programs import program_name, program_words
from hpsearch.study.recipe import RecipeOutcome
from hpsearch.study.run_stages import stage_views
from hpsearch.study.shared_recipe import recipe_of
from hpsearch.study.shared_search import search_of
from hpsearch.study.single import ReplayOutcome
from hpsearch.study.single import replay as train_again
from hpsearch.study.tables import ablation_tables, compared_table, is_ablation, table_of, trials_of
from hpsearch.study.words import named_objective, search_words
from hpsearch.trial.given import name_of, path_of

if TYPE_CHECKING:
    import pandas as pd

    from hpsearch.reports.kit.canvas import Drawn
    from hpsearch.reports.kit.still import Drawing


def run_study(
    overrides: Sequence[str],
    *,
    config_dirs: Sequence[str | Path] = (),
    observer: Observer | None = None,
    on_interrupt: str = RAISE,
) -> StudyOutcome | RecipeOutcome:
    """Run a study from wherever it stands to its end, and report it.

    The same overrides in the same folder are the same study: it goes on where it was, and when it is complete the
    result is shown again.

    Args:
        overrides: Hydra overrides, ``+study=NAME`` among them.
        config_dirs: folders with configuration of your own.
        observer: shows progress; a display by default, `hpsearch.Silent()` shows nothing.
        on_interrupt: after Ctrl-C or SIGTERM, once everything is saved: ``raise`` KeyboardInterrupt, or ``return``.

    Returns:
        The result; of a recipe, a `RecipeOutcome`. Bad input raises one of the errors of `hpsearch.base.errors`.

    Example:
        >>> words = ["space.optimizer.lr=choice(0.03, 0.3)", "study.seeds=2", "trainer.epochs=2", "launcher=inline"]
        >>> outcome = run_study(["+study=lr_sweep", "study.name=rates", "tracker=none", *words])
        >>> print(outcome.name, outcome.best.n)
        rates 2
    """
    with saved_first(on_interrupt):
        return run_composed(compose(overrides, config_dirs), observer)


def run_composed(composition: Composition, observer: Observer | None = None) -> StudyOutcome | RecipeOutcome:
    """Run the study that words were composed to; see `run_study`."""
    with shown(observer) as display:
        if composition.config["stages"]:
            return recipe_of(composition, display)
        return search_of(composition, display)


def run_search(
    trial_fn: Callable[..., Any] | Sequence[object],
    *,
    space: Mapping[str, Any] | None = None,
    arguments: Mapping[str, Any] | None = None,
    sampler: str = "auto",
    pruner: str = "auto",
    first: Sequence[Mapping[str, Any]] = (),
    prior: str | None = None,
    points: int | None = None,
    patience: int | None = None,
    epochs: int | None = None,
    seconds: float | None = None,
    target: float | None = None,
    objective: str | Objective | Sequence[str | Objective] | None = None,
    direction: str | None = None,
    directions: Sequence[str] | None = None,
    limits: Mapping[str, float] | None = None,
    seeds: int = 1,
    seed: int = 0,
    storage: str = "journal",
    tracker: str = "mlflow",
    name: str | None = None,
    grow: str | None = None,
    overrides: Sequence[str] = (),
    observer: Observer | None = None,
    on_interrupt: str = RAISE,
) -> StudyOutcome:
    """Search the arguments of a function that trains.

    The function is called with the hyperparameters by name (None for one that is not active) and, where it has
    arguments of these names, with ``seed``, ``fold`` and ``folder`` (a folder of this trial's own). It returns its
    score, or a mapping of metrics such as ``{"valid/acc": 0.9}``, and may call `hpsearch.report` after each epoch; or
    it is a generator that yields such a mapping after each epoch. A pruner may stop it there, or let it wait
    and go on later: in memory (``launcher.paused``), or from its own checkpoint (`hpsearch.checkpoint`). The same call
    in the same folder is the same study, and goes on where it was.

    A function of an ``optuna.Trial`` is taken as it stands; it says itself what is searched.

    It runs in worker processes, and the script or the notebook that it stands in is not run again there: a function
    that cannot be imported is sent there as it is now, with what it refers to. What it changes in its script stays
    there; ``launcher=inline`` among the overrides runs it in this process.

    Args:
        trial_fn: a function; a partial, a bound method or an object that can be called; or the words of a program in
            any language, as ``["python", "train.py"]``.
        space: Hydra sweep expressions by argument: ``{"lr": "tag(log, interval(1e-4, 1))", "width": "choice(8, 64)"}``;
            a list of values of Python is the choice of them: ``{"act": ["relu", None], "shape": [[8, 8], [64]]}``, and
            a distribution of Optuna is one too. None for an objective of Optuna: what it suggests is searched. A
            conditional one is named with its condition, ``{"kind=tree/depth": "int(interval(1, 9))"}``, or stands in
            a table of that name; ``{"where": ["width % heads == 0"]}`` is what points must meet.
        arguments: arguments that are not searched.
        sampler: an option of the group ``sampler``.
        pruner: an option of the group ``pruner``.
        first: settings to try before anything else, each a value by argument for all that is searched.
        prior: name of an earlier study of these arguments, whose points the sampler's model is told too.
        points: settings to try, those of `first` among them; 60 by default, and every one with ``grid``,
            ``brute_force`` and ``manual``.
        patience: ask for nothing new after so many settings without one that is better by more than the spread.
        epochs: start nothing new after so many epochs of all trials together.
        seconds: how long the search may take: then nothing new is started, and what runs pauses.
        target: start nothing new once a score is this good.
        objective: a metric that the function yields, or an `Objective`, which may hold several, or a list of either;
            ``valid/acc`` by default, and ``value`` for an objective of Optuna.
        direction: ``maximize`` or ``minimize``, for a metric given by its name; ``maximize`` by default. Of an
            objective of Optuna it must be given.
        directions: of several objectives, in their order.
        limits: largest values that a trial may end with, by metric, for an objective given by its name.
        seeds: trials of each setting; its score is their mean.
        seed: of the search and of the first trial of a setting.
        storage: an option of the group ``storage``.
        tracker: an option of the group ``tracker``; ``none``: the study's folder alone.
        name: of the study; the function's name by default.
        grow: name of a study to go on with although the space is another one now, which holds every point of it: an
            argument that is new in the space has the value that it had.
        overrides: further Hydra overrides, such as ``launcher.workers=4`` or ``sampler.n_startup_trials=20``.
        observer: shows progress; a display by default, `hpsearch.Silent()` shows nothing.
        on_interrupt: after Ctrl-C or SIGTERM, once everything is saved: ``raise`` KeyboardInterrupt, or ``return``.

    Returns:
        The result; ``trial_fn(**outcome.best.params, **arguments)`` is the best setting (of an objective of Optuna
        ``trial_fn(FixedTrial(outcome.best.params))``), and elsewhere hyperparameters are named ``args.ARGUMENT``. Bad
        input raises one of the errors of `hpsearch.base.errors`.

    Example:
        >>> def parabola(x):
        ...     yield {"valid/loss": (x - 1) ** 2}
        >>> options = {"objective": "valid/loss", "direction": "minimize", "sampler": "grid", "tracker": "none"}
        >>> run_search(parabola, space={"x": "choice(0, 1, 3)"}, **options).best.params
        {'x': 1}
    """
    if isinstance(trial_fn, list | tuple):
        trainer: tuple[str, ...] = program_words(trial_fn)
        suggests, called = False, program_name(trial_fn)
    else:
        trial_fn = as_function(trial_fn)
        path, called = path_of(trial_fn), name_of(trial_fn)
        given = [name for each in (space, arguments) if isinstance(each, Mapping) for name in each]
        suggests = trial_argument(trial_fn, given) is not None
        trainer = ("trainer=own", f"trainer._target_={path}", _plugins(path))
    words = search_words(
        trainer,
        space=space,
        arguments=arguments,
        options={"sampler": sampler, "pruner": pruner, "storage": storage, "tracker": tracker},
        first=first,
        prior=prior,
        budget={"points": points, "patience": patience, "epochs": epochs, "seconds": seconds, "target": target},
        objective=named_objective(objective, direction, directions, limits, suggests),
        seeds=seeds,
        seed=seed,
        name=name or grow or called,
        grow=grow,
        overrides=overrides,
        suggests=suggests,
    )
    composition = compose(words)
    with saved_first(on_interrupt), shown(observer) as display:
        outcome = search_of(composition, display)
    if outcome.best is None:
        return outcome
    searched = [name for name, _ in flat_entries(space)] if space else outcome.best.params
    by_name = partial(arguments_of, searched=searched, given=arguments or {})
    rivals = None if outcome.as_good is None else tuple(map(by_name, outcome.as_good))
    return replace(outcome, best=replace(outcome.best, params=by_name(outcome.best.params)), as_good=rivals)


def replay(
    run: str,
    trial_fn: Callable[..., Iterable[Any]] | None = None,
    *,
    overrides: Sequence[str] = (),
    config_dirs: Sequence[str | Path] = (),
    observer: Observer | None = None,
) -> ReplayOutcome:
    """Train a logged trial again, from what was logged, and compare the curves.

    Args:
        run: an MLflow run id, or STUDY/POINT/SEED[/FOLD].
        trial_fn: the function that `run_search` was given, from wherever it is imported now; None where a configuration
            names all of its code.
        overrides: of the launcher and the tracker: where to train and where the run is found.
        config_dirs: folders with configuration of your own.
        observer: shows progress; a display by default, `hpsearch.Silent()` shows nothing.

    Returns:
        Both curves and their differences. Bad input raises one of the errors of `hpsearch.base.errors`.

    Example:
        >>> replay("single/0/0", overrides=["launcher=inline"]).same
        True
    """
    path = None if trial_fn is None else path_of(as_function(trial_fn))
    words = [*([] if path is None else [_plugins(path)]), *overrides]
    with shown(observer) as display:
        return train_again(run, function=path, overrides=words, config_dirs=config_dirs, observer=display)


def load_trials(name: str, *, uri: str | None = None) -> "pd.DataFrame":
    """Return a study's trials, one row per trial.

    Args:
        name: of the study.
        uri: tracking store to read instead of the study's folder; without a folder the store of the working folder
            is read.

    Returns:
        Columns ``point seed fold state score attempts reason started ended duration_sec run_id key command``, the
        searched hyperparameters by dotted key, the last value of each metric, and facts such as ``parameters``, or
        ``code``, the digest of the user's own code that trained it; of an ablation those of its arms, with a column
        ``arm``.
        Scores are in the objective's own units; times are seconds since the Unix epoch, and ``duration_sec`` is how
        long a trial's attempts ran, without what lay between them. A metric with the name of one of these columns is in
        ``metrics.NAME``.

    Example:
        >>> trials = load_trials("rates")
        >>> trials[["point", "seed", "state"]].values.tolist()
        [[0, 0, 'COMPLETE'], [0, 1, 'COMPLETE'], [1, 0, 'COMPLETE'], [1, 1, 'COMPLETE']]
    """
    _warn(name, uri=uri)
    return trials_of(name, uri).trials


def _warn(*names: str, uri: str | None) -> None:
    """Warn of files of studies that are lost, or are none of theirs."""
    for line in damage(*names) if uri is None else ():
        warnings.warn(line, stacklevel=3)


def load_curves(name: str, *, uri: str | None = None) -> "pd.DataFrame":
    """Return a study's learning curves, one row per trial and epoch.

    Args:
        name: of the study.
        uri: as for `load_trials`.

    Returns:
        Columns ``point seed fold epoch step time`` and one per metric, named as for `load_trials`; epoch 0 is the
        untrained model. Of an ablation
        the curves of its arms, with ``arm`` and a column per factor.

    Example:
        >>> curves = load_curves("rates")
        >>> curves.groupby("epoch")["valid/acc"].count().to_dict()
        {0: 4, 1: 4, 2: 4}
    """
    _warn(name, uri=uri)
    return trials_of(name, uri).curves


def draw(
    name: str, figure: str | None = None, *, uri: str | None = None, config_dirs: Sequence[str | Path] = ()
) -> "Drawing":
    """Draw one of the figures of a study's report.

    Args:
        name: of the study.
        figure: which one: ``score``, ``curves``, ``history``, ``importance``, ...; of a recipe the name of a stage; of
            an ablation ``map``, ``arms``, ``differences``, ``curves``, ``target``; None for the first.
        uri: as for `load_trials`.
        config_dirs: folders with configuration of your own; stages of plugins that they name have their figures.

    Returns:
        The drawing: a notebook shows it as an image, and its `figure` is the interactive plotly figure.

    Raises:
        ConfigError: the study has no such figure.

    Example:
        >>> drawn = draw("rates", "score")
        >>> drawn._repr_svg_()[:5]
        '<?xml'
    """
    from hpsearch.reports.kit.still import Drawing

    names = []
    for drawn in _figures(name, uri, read_plugins(checked_folders(config_dirs))):
        if figure in (None, drawn[0]):
            return Drawing(*drawn)
        names.append(drawn[0])
    hint = f"{nearest(str(figure), names)} (there are: {', '.join(names) or 'none'})"
    raise ConfigError(f"study '{name}' has no figure '{figure}'{hint}")


def _figures(name: str, uri: str | None, plugins: Sequence[str]) -> Iterator["Drawn"]:
    from hpsearch.reports.ablation.figures import ablation_figures
    from hpsearch.reports.ablation.numbers import ablation_of
    from hpsearch.reports.recipe.page import stage_figures
    from hpsearch.reports.summary.figures import figures
    from hpsearch.reports.summary.numbers import find

    table = table_of(name, uri)
    if is_ablation(table.study):
        arms, tuning = ablation_tables(name, uri)
        return ablation_figures(ablation_of(arms, tuning))
    return stage_figures(stage_views(table.study, plugins)) if "recipe" in table.study else figures(find(table))


def compare(first: str, second: str, *, uri: str | None = None) -> str:
    """Say which of two studies has the better best point.

    Args:
        first: name of one study; an ablation stands for its arms.
        second: name of the other.
        uri: as for `load_trials`, for both. A recipe is refused: it has no best point of its own.

    Returns:
        One sentence with both scores, the difference and its 95 % interval, or with why they cannot be compared.

    Example:
        >>> words = ["space.optimizer.lr=choice(0.03, 0.3)", "study.seeds=2", "trainer.epochs=2", "launcher=inline"]
        >>> other = run_study(["+study=lr_sweep", "study.name=softmax", "model=softmax", "tracker=none", *words])
        >>> "rates" in compare("rates", "softmax")
        True
    """
    from hpsearch.reports.comparison import numbers as comparison
    from hpsearch.reports.kit.points import results_of

    _warn(first, second, uri=uri)

    one, other = (results_of(compared_table(name, uri)) for name in (first, second))
    return comparison.verdict(comparison.compare(one, other), one, other)


def _plugins(path: str) -> str:
    """Return the word that lets a function at a dotted path be used."""
    return f"plugins={value_text([path.partition('.')[0]])}"
