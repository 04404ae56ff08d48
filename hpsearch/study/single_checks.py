"""What a single trial refuses: the words of studies."""

from hpsearch.base.errors import ConfigError
from hpsearch.base.keys import SEARCH_KEYS, SILENT_SECONDS, TRIAL_SECONDS
from hpsearch.config.compose import Composition
from hpsearch.config.words import COMMAND_LINE

OF_A_SEARCH = SEARCH_KEYS - {"launcher", "tracker"}
OF_EVERY_TRIAL = (TRIAL_SECONDS, SILENT_SECONDS)


def check_single(composition: Composition) -> None:
    """Refuse a study, a search space, stages, and words that would change nothing of a single trial.

    Args:
        composition: of the words.

    Raises:
        ConfigError: there is one of these.
    """
    if composition.study_option is not None or composition.space:
        raise ConfigError("a single trial has no study and no search space; use run_study")
    if composition.config["stages"]:
        names = ", ".join(composition.config["stages"])
        raise ConfigError(f"stage = {names}: a single trial has no stages; add +study=recipe (from {COMMAND_LINE})")
    word = composition.idle_word(lambda key: key.partition(".")[0] not in OF_A_SEARCH or key in OF_EVERY_TRIAL)
    if word is not None:
        raise ConfigError(
            f"{word}: says how to search, and of all that a single trial has {' and '.join(OF_EVERY_TRIAL)} alone; "
            f"leave it out, or add +study=search (from {COMMAND_LINE})"
        )
