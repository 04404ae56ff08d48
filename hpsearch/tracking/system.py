"""Load of the machine while a study runs, from psutil and, where there are NVIDIA GPUs, their library."""


class SystemSampler:
    """Samples the machine at most every `every_sec`.

    Args:
        every_sec: time between samples.
    """

    def __init__(self, every_sec: float = 5.0) -> None:
        raise NotImplementedError

    def sample(self, now: float) -> dict[str, float] | None:
        """Return ``system/...`` values, or None when the last sample is younger than `every_sec`.

        The driver records them: `record.study("system", now, metrics=values)`.
        """
        raise NotImplementedError
