"""Names in a tracking store: each stands for one of ours.

MLflow takes letters and digits of every script, ``_ - . : /`` and spaces, up to 250 characters, and no path that is
another one in short. What it does not take is written as ``_xHH_``, its code point in hexadecimal, as Office Open XML
does; a name that is too long is cut and ends in a digest of it.
"""

import functools
import hashlib
import re
from collections import Counter
from collections.abc import Iterable

STEP_LOSS = "train/step_loss"
STEP, EPOCH = "trial/step", "trial/epoch"
"""Updates and epochs so far; the epoch only where it is not the step at which MLflow keeps a report's metrics."""
SCORE = "trial/score"
END = "end/"
"""Begins the names of what the evaluations at the end of a trial measured, whose steps are updates."""
AFTERWARDS = "curvature/"
"""Begins the names of metrics that no report holds; a trial is read from its run without them."""
OWN_METRICS = frozenset({STEP_LOSS, STEP, EPOCH, SCORE})
OWN_TAGS = frozenset({"state", "point", "seed", "fold", "attempts", "key", "replay", "reason", "nonfinite"})
"""Names of a trial's tags that say the same of every trial."""
_OWN_TAGS = ("mlflow.", "hpsearch.", "git.", "env.", "best.", "superseded", "continued.run")
"""What names of the other tags of ours and of MLflow's begin with."""
_LONGEST, _DIGITS = 250, 16
_NOTHING = "_x_"
"""The name that is empty."""
_REPLACED = re.compile(
    r"""
      [^\w .:/-]                                  # no character of a name
    | _(?= x[0-9a-f]+ (?: _ | [^\w .:/-] | /$ ))  # what would be read as a replacement
    | ^/ | (?<=/)/ | /$                           # a slash at an end or after another one
    | (?: ^ | (?<=/) ) \. (?= \.? (?: / | $ ))    # a component . or ..
    | ^\. (?=\.)
    """,
    re.VERBOSE,
)


@functools.lru_cache(maxsize=4096)
def name(key: str, longest: int = _LONGEST) -> str:
    """Return a name that MLflow accepts.

    Args:
        key: any text.
        longest: characters that it may have.
    """
    if key in ("", _NOTHING):
        return _NOTHING if not key else f"{_code('_')}x_"
    return _fitting(_REPLACED.sub(lambda found: _code(found[0]), key), key, longest)


def metric_name(key: str) -> str:
    """Return the name of a metric that a trial reported, which is never one of ours."""
    is_ours = key in OWN_METRICS or key.startswith((END, AFTERWARDS))
    return _marked(key) if is_ours else name(key)


def end_name(key: str) -> str:
    """Return the name under which a metric of the evaluations at the end of a trial is kept."""
    return END + name(key, _LONGEST - len(END))


def fact_name(key: str) -> str:
    """Return the name of the tag of a fact, which is none of ours or of MLflow's."""
    is_ours = key in OWN_TAGS or key.startswith(_OWN_TAGS)
    return _marked(key) if is_ours else param_name(key)


def param_name(key: str) -> str:
    """Return the name of a hyperparameter: ``hidden.0`` for ``hidden[0]``."""
    return name(re.sub(r"\[(\d+)\]", r".\1", key))


def param_names(keys: Iterable[str]) -> dict[str, str]:
    """Return the names of the hyperparameters of a trial by key; ``hidden[0]`` is replaced where it is not alone."""
    names = {key: param_name(key) for key in keys}
    times = Counter(names.values())
    return {key: short if times[short] == 1 else name(key) for key, short in names.items()}


def _marked(key: str) -> str:
    """Return a name whose first character is replaced, though MLflow would take it."""
    return _fitting(_code(key[0]) + name(key[1:]), key, _LONGEST)


def _code(characters: str) -> str:
    return f"_x{ord(characters):x}_"


def _fitting(text: str, key: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    digest = hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    return f"{text[: longest - _DIGITS - 1]}-{digest}"
