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
    try:
        from hpsearch.cli import INTERRUPTED, run
    except KeyboardInterrupt:
        return 130
    try:
        return run(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
