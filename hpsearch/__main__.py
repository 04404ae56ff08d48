"""``python -m hpsearch`` and the console script `hpsearch`."""

import sys
from collections.abc import Sequence
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
        if not _trains(sys.argv[1:]):
            return _run()
        from hpsearch.launch import early

        early.start("hpsearch.trial.build")
        try:
            return _run()
        finally:
            early.dismiss()
    except KeyboardInterrupt:
        return 130


def _run() -> int:
    from hpsearch.cli import run

    return run(sys.argv[1:])


def _trains(words: Sequence[str]) -> bool:
    """Return whether a command line is likely to train with our loop, in worker processes."""
    known = all(word.startswith(("--config-dir", "--path")) for word in words if word.startswith("-"))
    others = ("launcher=inline", "trainer=", "trainer._target_=")
    return known and "=" in "".join(words[:1]) and not any(word.startswith(others) for word in words)


if __name__ == "__main__":
    sys.exit(main())
