"""Downloads, checked and kept."""

import logging
from pathlib import Path

from hpsearch.base import platform
from hpsearch.base.borrowed import quiet
from hpsearch.base.errors import DataError, first_line
from hpsearch.base.leftovers import temporary_folder


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

    folder = Path(pooch.os_cache("hpsearch")) / name
    file = folder / url.rpartition("/")[2]
    try:
        if not file.is_file() or pooch.file_hash(str(file)) != sha256:
            folder.mkdir(parents=True, exist_ok=True)
            speak = {pooch.get_logger().name: logging.WARNING}
            with (
                quiet(speak),
                temporary_folder(folder) as own,
            ):  # pooch's own temporary file has a name that tells nothing
                platform.replace(Path(pooch.retrieve(url, f"sha256:{sha256}", fname=file.name, path=own)), file)
        return file
    except (OSError, ValueError) as error:
        reason = first_line(error) if isinstance(error, ValueError) else type(error).__name__
        raise DataError(f"{missing}; download of {url} failed ({reason}); data.root names their folder") from error
