"""A trial that goes on from the last state of another one."""

from collections.abc import Sequence
from pathlib import Path

from hpsearch.base.errors import ConfigError, StorageError
from hpsearch.base.keys import CONTINUED
from hpsearch.base.observer import Observer
from hpsearch.config.build import own_loop
from hpsearch.config.compose import compose
from hpsearch.config.record import own_again
from hpsearch.config.words import COMMAND_LINE, keys_of
from hpsearch.search.interrupts import RAISE
from hpsearch.study.single import TrialOutcome, run_trial
from hpsearch.study.specs import STORE, check_inside, find_trial, tracking_uri
from hpsearch.trial.reading import CONTINUABLE, end_of

CHANGEABLE = ("trainer", "optimizer", "scheduler", "regularizer", "augment", "launcher", "tracker", "budget", "plugins")
"""Parts of a configuration that may change on the way; the rest says what is trained, on what."""


def continue_trial(
    run: str,
    overrides: Sequence[str] = (),
    *,
    config_dirs: Sequence[str | Path] = (),
    observer: Observer | None = None,
    on_interrupt: str = RAISE,
) -> TrialOutcome:
    """Train a trial that has ended for longer: a new single trial, from its last weights and optimizer state.

    The new trial has the curve of the old one to begin with. Its schedule is that of the longer training, read from
    where the old one ended, so that its rate may jump there; what it jumps from and to is said. It is no part of a
    study's ranking.

    Args:
        run: STUDY/POINT/SEED[/FOLD], or an MLflow run id of a trial whose folder is here.
        overrides: ``trainer.epochs=N`` and whatever else is other than before.
        config_dirs: folders with configuration of your own, also those of the trial: no record names them.
        observer: shows progress.
        on_interrupt: after Ctrl-C or SIGTERM, once everything is saved: ``raise`` KeyboardInterrupt, or ``return``.

    Returns:
        The result of the new trial.

    Raises:
        ConfigError: a word changes what was trained, or nothing would be trained.
        StorageError: no last state was kept.

    Example:
        >>> longer = continue_trial("single/0/0", ["trainer.epochs=5", "launcher=inline", "tracker=none"])
        >>> longer.epochs
        5
    """
    word = next((text for text in overrides if not all(_may_change(key) for key in keys_of(text))), None)
    if word is not None:
        raise ConfigError(
            f"{word}: a trial that is continued keeps its model, its data and its loss; what may change is of "
            f"{', '.join(CHANGEABLE)} (from {COMMAND_LINE})"
        )
    place = [text for text in overrides if all(key.partition(".")[0] in STORE for key in keys_of(text))]
    composition = compose(place, config_dirs)
    study, logged = find_trial(run, tracking_uri(composition))
    check_inside(study, logged)
    name = f"{study}/{logged.id}"
    if own_loop(logged.config["trainer"], composition.config["plugins"]) is not None:
        raise ConfigError(f"{name} was trained by a loop of your own, which keeps checkpoints of its own")
    if logged.state not in CONTINUABLE:
        raise StorageError(f"{name} is {logged.state}: only a trial that is COMPLETE or PRUNED can be continued")
    if not end_of(name).is_file():
        raise StorageError(
            f"{name}: no last state was kept (trainer.keep_end_mib = {logged.config['trainer'].get('keep_end_mib')})"
        )
    words = own_again(logged.overrides, overrides, config_dirs)
    words = [*words, *overrides, f"{CONTINUED}={name}"]
    return run_trial(words, config_dirs=config_dirs, observer=observer, on_interrupt=on_interrupt)


def _may_change(key: str) -> bool:
    return key.partition(".")[0] in CHANGEABLE and key not in (CONTINUED, "trainer._target_", "optimizer")
