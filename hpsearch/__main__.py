"""``python -m hpsearch`` and the console script `hpsearch`."""

import sys

from hpsearch.base.stopping import INTERRUPTED, stops

stops.take_over()  # as early as may be: the console script imports this file first, too
_SHOWN = 8


def main() -> int:
    """Run the command line, which stops when it is asked to, and prints whatever becomes of its output.

    The working folder is last on the import path: a user's own modules are found, and none of them is taken for a
    library.

    Returns:
        The exit code.
    """
    return stops.end(_main())


def _main() -> int:
    from hpsearch.base import lookup

    lookup.settle()  # Python may have put the working folder first: nothing may be imported before this
    from hpsearch.base import streams

    streams.settle()
    _name_shadows()
    try:
        if _trains(sys.argv[1:]):
            return _run_beside_a_worker()
        if _starts_a_cluster(sys.argv[1:]):
            return _run_beside_a_cluster()
        return _run()
    except KeyboardInterrupt:
        return INTERRUPTED


def _name_shadows() -> None:
    from hpsearch.base import lookup

    if names := lookup.shadows():
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
        said = f"{shown} in {sys.path[-1]}: not imported, a library has the name; rename what is yours"
        print(f"hpsearch: {said}", file=sys.stderr)


def _run() -> int:
    from hpsearch.cli import run

    return run(sys.argv[1:])


def _run_beside_a_worker() -> int:
    from hpsearch.launch import early

    early.start("hpsearch.trial.build")
    try:
        return _run()
    finally:
        early.dismiss()


def _run_beside_a_cluster() -> int:
    from hpsearch.launch.ray import early

    early.start()
    try:
        return _run()
    finally:
        early.dismiss()


def _trains(words: list[str]) -> bool:
    """Return whether a command line is likely to train with our loop, in worker processes."""
    others = ("launcher=inline", "launcher=ray", "trainer=", "trainer._target_=")
    return _is_configured(words) and not any(word.startswith(others) for word in words)


def _starts_a_cluster(words: list[str]) -> bool:
    """Return whether a command line is likely to train on a Ray cluster of its own."""
    import importlib.util

    joins = any(word.startswith("launcher.address=") for word in words)
    return _is_configured(words) and "launcher=ray" in words and not joins and bool(importlib.util.find_spec("ray"))


def _is_configured(words: list[str]) -> bool:
    """Return whether a command line is words of a configuration alone."""
    known = all(word.startswith(("--config-dir", "--path")) for word in words if word.startswith("-"))
    return known and "=" in "".join(words[:1])


if __name__ == "__main__":
    sys.exit(main())
