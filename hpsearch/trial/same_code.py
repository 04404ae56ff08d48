"""Whether a worker has the code of a user's own that trials are to be trained by."""

from collections.abc import Sequence

from hpsearch.base.commands import LOCAL_MODULE
from hpsearch.base.errors import ConfigError
from hpsearch.config.code import FILE, CodeReader

_imported: set[tuple[str, tuple[str, ...]]] = set()
"""Digests of code that this process has looked at, and imported: edits do not change what it has in memory."""


def check_code(digest: str, targets: Sequence[str]) -> None:
    """Refuse to train by other code than the driver knows: that of another machine, or edited since the command began.

    Code that a process imports is looked at once; a program is read anew for each trial. What is defined in a script
    or a notebook is not looked at: it comes with the trial.

    Args:
        digest: of the code as the driver has it; empty where there is none.
        targets: by which it is found.

    Raises:
        ConfigError: it is another one here.
    """
    if not digest or any(target.startswith(f"{LOCAL_MODULE}.") for target in targets):
        return
    if (digest, tuple(targets)) in _imported:
        return
    if CodeReader().at(targets).digest != digest:
        named = ", ".join(target.removeprefix(FILE) for target in targets)
        raise ConfigError(
            f"the code where a trial was to be trained is not that with which the command began ({named}): install the "
            "same on every machine; where it was edited here, run the command again"
        )
    if not any(target.startswith(FILE) for target in targets):
        _imported.add((digest, tuple(targets)))
