"""The errors that hpsearch raises on purpose: one clear line each, without a traceback on the command line."""

import difflib
import math
import traceback
from collections.abc import Iterable, Sequence

from hpsearch.base.passwords import without_password


class HpsearchError(Exception):
    """Something the user can mend; the message says what is wrong, the value, what is allowed, where it came from.

    Attributes:
        exit_code: what the command line exits with.
    """

    exit_code = 2

    def __str__(self) -> str:
        return without_password(super().__str__())


class ConfigError(HpsearchError):
    """A configuration that cannot be used: an unknown option, a misspelt key, a value out of range."""


class SpaceError(ConfigError):
    """A search space that cannot be searched."""


class DataError(HpsearchError):
    """A data set that is missing, damaged or does not fit the configuration."""


class StorageError(HpsearchError):
    """A study folder, journal or tracking store that cannot be used."""


class BusyError(StorageError):
    """A study that another driver is running."""


class MachineError(HpsearchError):
    """Something of the machine that no other input would mend: workers that die while they start."""

    exit_code = 1


MEANINGS = {
    "lr": "learning_rate learningrate alpha eta step_size eta0",
    "weight_decay": "wd decay l2 weightdecay",
    "batch_size": "batch batchsize bs train_batch_size",
    "epochs": "num_epochs n_epochs max_epochs nepochs epoch",
    "steps": "max_steps num_steps n_steps iterations",
    "dropout": "dropout_rate p_dropout drop_rate drop",
    "hidden": "hidden_size hidden_sizes hidden_dim hidden_units layers",
    "clip_norm": "max_grad_norm grad_clip gradient_clip_val gradient_clip clip",
    "betas": "beta1 beta2 beta",
    "seed": "random_state random_seed manual_seed",
    "points": "n_trials num_trials trials max_evals",
    "direction": "mode",
    "metric": "monitor",
    "valid_fraction": "val_fraction val_split validation_split valid_split",
    "test_fraction": "test_split test_size",
    "warmup_steps": "num_warmup_steps warmup_epochs",
}
"""What our names of hyperparameters are called elsewhere."""


def _of_same_meaning(word: str, known: Sequence[str]) -> list[str]:
    """Return the known word that is ours for what another library calls `word`, if there is one."""
    parent, _, last = word.rpartition(".")
    ours = [name for name, others in MEANINGS.items() if last.lower() in others.split()]
    found = [each for name in ours for each in known if each.rpartition(".")[2] == name]
    beside = [each for each in found if each.rpartition(".")[0] == parent]
    return beside or (sorted(found, key=len)[:1] if not parent else [])


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``", did you mean 'x'?"`` for the known word that means what `word` does, else for the nearest to it.

    Args:
        word: that is not known; of a dotted key its last part is what may go by another name.
        known: words, or dotted keys.

    Returns:
        The hint; the empty string when none is near.
    """
    words = list(known)
    of_a_part = sorted((each for each in words if each.endswith(f"/{word}")), reverse=True)  # valid/ before train/
    match = of_a_part or _of_same_meaning(word, words) or difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f", did you mean '{match[0]}'?" if match else ""


def message_of(error: BaseException) -> str:
    """Return an error's message; empty where it cannot be made, as may be with an error of a user's own."""
    try:
        return str(error)
    except Exception:
        return ""


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message that says something; empty where there is none."""
    return next((line.strip() for line in message_of(error).splitlines() if line.strip()), "")


def exit_error(error: BaseException) -> str:
    """Return in a line why a trial exits whose error says no more than that, or what `argparse` refused; else empty."""
    if not isinstance(error, SystemExit):
        return ""
    calls = (frame for frame, _ in traceback.walk_tb(error.__traceback__) if frame.f_code.co_name == "error")
    refused = next((frame.f_locals["message"] for frame in calls if "message" in frame.f_locals), None)
    known = "the function of a trial has no command line: it takes its arguments, or parse_args([]) the defaults"
    if refused is not None:
        return f"argparse: {refused}; {known}"
    return "" if isinstance(error.code, str) else f"sys.exit({error.code}): return from the function of a trial instead"


def out_of_memory(error: BaseException | None) -> bool:
    """Return whether memory ran out, on a GPU or here; torch has no class of its own for the latter."""
    if error is None:
        return False
    lacking = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return lacking or "DefaultCPUAllocator" in message_of(error) or out_of_memory(error.__cause__)


def check_int(key: str, value: object, low: int, high: int | None = None) -> None:
    """Refuse a value that is no whole number in range.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        low: least value allowed.
        high: greatest value allowed, None for no limit.

    Raises:
        ConfigError: naming the key, the value and the range.
    """
    if isinstance(value, int) and not isinstance(value, bool) and low <= value <= (value if high is None else high):
        return
    limit = f">= {low}" if high is None else f"from {low} to {high}"
    raise ConfigError(f"{key} = {value!r}: must be a whole number {limit}")


def check_float(key: str, value: object, interval: str) -> None:
    """Refuse a value that is no finite number in an interval.

    Args:
        key: dotted key of the configuration.
        value: what was given; True and False are not numbers.
        interval: as mathematics writes it, a round bracket excludes its end: ``(0, inf)``, ``[0, 1)``.

    Raises:
        ConfigError: naming the key, the value and the interval.
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        above = value >= low if interval[0] == "[" else value > low
        if above and (value <= high if interval[-1] == "]" else value < high):
            return
    raise ConfigError(f"{key} = {value!r}: must be a number in {interval}")


def check_choice(key: str, value: object, allowed: Iterable[object]) -> None:
    """Refuse a value that is not one of those allowed.

    Args:
        key: dotted key of the configuration.
        value: what was given.
        allowed: the values to choose from.

    Raises:
        ConfigError: naming the key, the value, those allowed and the nearest.
    """
    options = list(allowed)
    if any(value == option and type(value) is type(option) for option in options):
        return
    hint = nearest(str(value), [str(option) for option in options])
    raise ConfigError(f"{key} = {value!r}: must be one of {', '.join(map(str, options))}{hint}")
