"""``python -m hpsearch`` and the console script `hpsearch`."""

import sys
from pathlib import Path


def main() -> int:
    """Run the command line with the working folder on the import path, so that a user's own module is found.

    Returns:
        The exit code.
    """
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from hpsearch.cli import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
