"""How long it takes until something happens, where some were stopped before."""

from collections.abc import Sequence


def kaplan_meier_median(times: Sequence[float], happened: Sequence[bool]) -> float | None:
    """Return the median of right-censored times.

    ``S(t) = product over times t_i <= t of (1 - events at t_i / subjects not done before t_i)``; the median is the
    first t with S(t) <= .5. Source: Kaplan and Meier, Nonparametric estimation from incomplete observations, Journal of
    the American Statistical Association 1958.

    Args:
        times: one per subject.
        happened: whether the event happened then; else the subject was last seen without it.

    Returns:
        The median; None when S stays above one half.
    """
    surviving = 1.0
    for time in sorted({t for t, event in zip(times, happened, strict=True) if event}):
        events = sum(event and t == time for t, event in zip(times, happened, strict=True))
        surviving *= 1 - events / sum(t >= time for t in times)
        if surviving <= 0.5 + 1e-12:
            return float(time)
    return None
