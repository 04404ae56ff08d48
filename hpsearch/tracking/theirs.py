"""What a person writes in the store stays: a tag of ours is written again only while it is as it was written last.

A run, or an experiment, keeps digests of the values that were written last in tags of its own.
"""

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress

from hpsearch.tracking import runs

WRITTEN = "hpsearch.written"
"""Begins the names of the tags that hold the digests."""
_LINKS = frozenset({"mlflow.parentRunId", runs.SUPERSEDED, runs.CONTINUED_RUN})
"""Tags beside those of `hpsearch` that say what a run is to others."""


def is_text(key: str) -> bool:
    """Return whether a tag is there to be read, and may be changed by a person."""
    return not key.startswith(("hpsearch.", "mlflow.sharedViewState.")) and key not in _LINKS


def untouched(there: Mapping[str, str], tags: Mapping[str, str], sign: str = "") -> dict[str, str]:
    """Return the tags that may be written, and what says so the next time.

    Args:
        there: the tags that the run or the experiment has now.
        tags: that are to be written.
        sign: what is in every value of ours, by which one is known where no digests are kept.

    Returns:
        The same without those that a person has changed, or has made before us.
    """
    texts = {key: value for key, value in tags.items() if is_text(key)}
    if not texts:
        return dict(tags)
    known = _known(there)

    def is_ours(key: str) -> bool:
        return sign in there[key] if known is None else known.get(key) == _digest(there[key])

    kept = {key for key in texts.keys() & there.keys() if not is_ours(key)}
    written = {**(known or {}), **{key: _digest(value) for key, value in texts.items() if key not in kept}}
    return {key: value for key, value in tags.items() if key not in kept} | runs.chunks(
        dict(sorted(written.items())), WRITTEN
    )


def _known(there: Mapping[str, str]) -> dict[str, str] | None:
    """Return the digests that are kept; None where there are none, or damaged ones."""
    with suppress(ValueError):
        known = json.JSONDecoder().raw_decode(runs.whole(there, WRITTEN))[0]
        return known if isinstance(known, dict) else None
    return None


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode(errors="surrogatepass")).hexdigest()[:8]
