"""Downloads, checked and kept."""

import logging
from pathlib import Path

from hpsearch.base.errors import DataError, first_line


def fetch(url: str, sha256: str, name: str, missing: str) -> Path:
    """Download a file into the user's cache, unless it is there.

    Args:
        url: where it is.
        sha256: hex digest that it must have.
        name: of the data set, which is also the folder in the cache.
        missing: says in a message what was looked for before.

    Returns:
        The file.

    Raises:
        DataError: when it cannot be downloaded or has another digest.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    folder = pooch.os_cache("hpsearch") / name
    try:
        return Path(pooch.retrieve(url, f"sha256:{sha256}", fname=url.rpartition("/")[2], path=folder))
    except (OSError, ValueError) as error:
        reason = first_line(error) if isinstance(error, ValueError) else type(error).__name__
        raise DataError(f"{missing}; download of {url} failed ({reason}); data.root names their folder") from error
