"""Modules that are imported while there is something else to wait for."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module

from hpsearch.base.threads import start_thread


@contextmanager
def imported_meanwhile(*modules: str) -> Iterator[None]:
    """Import modules in a thread while the block runs, so that what needs them afterwards begins at once.

    One that cannot be imported says so where it is needed.

    Args:
        *modules: dotted names.

    Yields:
        Nothing; after the block the modules are there, unless it raises.
    """
    thread = start_thread(_import, modules, name="imports")
    yield
    thread.join()


def _import(modules: tuple[str, ...]) -> None:
    for module in modules:
        with suppress(Exception):
            import_module(module)
