"""Whether a worker has the code of a user's own that its trial is to be trained by."""

from functools import cache

from hpsearch.base.commands import LOCAL_MODULE
from hpsearch.base.errors import ConfigError
from hpsearch.base.types import TrialSpec
from hpsearch.config.code import FILE, CodeReader


def check_code(spec: TrialSpec) -> None:
    """Refuse to train by other code than the driver knows: of another machine, or edited since the command began.

    What is defined in a script or a notebook comes with the trial.

    Args:
        spec: of the trial.

    Raises:
        ConfigError: the code is another one here.
    """
    if not spec.code or any(target.startswith(f"{LOCAL_MODULE}.") for target in spec.targets):
        return
    found = _reader().at(spec.targets)
    if found.digest != spec.code:
        named = ", ".join(target.removeprefix(FILE) for target in spec.targets)
        raise ConfigError(
            f"the code where this trial was to be trained is not that with which the command began ({named}): install "
            "the same on every machine; where it was edited here, run the command again"
        )


@cache
def _reader() -> CodeReader:
    return CodeReader()
