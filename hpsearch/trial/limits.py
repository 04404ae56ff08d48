"""What arguments of our training loop and of fine-tuning may be."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import ConfigError
from hpsearch.base.limits import NOT_NEGATIVE, POSITIVE, Limits, count, flag, number, one_of, optional, or_word, text
from hpsearch.trial.printed import check_pattern

AUTO = "auto"
EACH = "each"
"""The training part is evaluated at every evaluation (`hpsearch.trial.job.Trainer.eval_train`)."""


def words(key: str, value: Any) -> None:
    """Refuse what is no list of words, of which the first names a program."""
    scalars = str | int | float
    if not isinstance(value, list) or not value or not all(isinstance(each, scalars) for each in value):
        raise ConfigError(f"{key} = {value!r}: must be a list of the words of a program, as [python, train.py]")


LIMITS: Limits = {
    "hpsearch.trial.loop.Trainer": {
        "epochs": count(),
        "steps": optional(count()),
        "precision": one_of("float32", "bf16"),
        "compile": flag,
        "channels_last": flag,
        "graph": or_word(flag, AUTO),
        "deterministic": flag,
        "clip_norm": optional(POSITIVE),
        "clip_value": optional(POSITIVE),
        "eval_batch_size": count(),
        "eval_every": POSITIVE,
        "eval_steps": optional(count()),
        "eval_initial": flag,
        "eval_train": or_word(flag, EACH),
        "test": flag,
        "diverge_factor": number("(1, inf)"),
        "checkpoint_sec": NOT_NEGATIVE,
        "log_every": optional(count()),
        "watch_layers": flag,
        "keep_end_mib": NOT_NEGATIVE,
        "keep_predictions": one_of("scores", "all", "none"),
        "continued": optional(text),
    },
    "hpsearch.trial.command.run": {
        "command": words,
        "arguments": one_of("dashes", "words", "environment", "file"),
        "pattern": check_pattern,
        "metrics": optional(text),
        "file": optional(text),
        "epochs": optional(count()),
    },
    "hpsearch.trial.finetune.FineTune": {
        "mode": one_of("none", "predict", "head", "last_k", "all"),
        "source": optional(text),
        "k": count(),
        "rate_factor": POSITIVE,
        "fresh_head": flag,
    },
}

_MEASURE = "it decides when points are measured"

YARDSTICK: Mapping[str, str] = dict.fromkeys(("trainer.eval_every", "trainer.eval_steps"), _MEASURE)
"""Why a search over a key compares nothing."""
