"""What the trials of a study failed of."""

from hpsearch.base.types import TrialTable


def failed_trials(table: TrialTable) -> list[tuple[str, str]]:
    """Say which trials failed, and why.

    Args:
        table: the study.

    Returns:
        For each kind of failure a sentence, and the lines of the user's own code that led to the first one.
    """
    said = []
    for failure in table.failures:
        one = failure.trials == 1
        which = (
            f"Trial {failure.trial} failed" if one else f"{failure.trials} trials failed alike, first {failure.trial}"
        )
        log = f"; its log is {'/'.join(failure.log.parts[-3:])}" if failure.log else ""
        said.append((f"{which}: {failure.reason}{log}", "\n".join(failure.where)))
    return said
