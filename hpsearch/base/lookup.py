"""Where modules are looked for: in the working folder last, so that no file in it is taken for a library.

It is imported before the import path is in order, so it imports nothing at first that Python has not loaded by then.
"""

import os
import sys

HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib loads much
"""The folder of this package."""
ELSEWHERE = os.path.dirname(os.__file__)  # noqa: PTH120
"""Python's own library, a folder to work in for programs that look into theirs first whatever is said, as uvicorn."""
_FROM_HOME = (
    "import importlib.util as u; "
    "s = u.spec_from_file_location('hpsearch', {init!r}, submodule_search_locations=[{home!r}]); "
    "m = sys.modules['hpsearch'] = u.module_from_spec(s); s.loader.exec_module(m); "
)


def from_home() -> str:
    """Return program text that imports this package from where this process has it; `sys` is imported before it."""
    return _FROM_HOME.format(init=os.path.join(HOME, "__init__.py"), home=HOME)  # noqa: PTH118


def settle() -> None:
    """Let this process look into the working folder after all others, once."""
    sys.path[:] = [*elsewhere(), os.getcwd()]  # noqa: PTH109


def elsewhere() -> list[str]:
    """Return where this process looks for modules, absolute, without the working folder under any name."""
    return _without_here(sys.path)


def safe_environment() -> dict[str, str]:
    """Return the environment of a Python program that is no user's: it does not look into the working folder at all."""
    path = os.pathsep.join(_without_here(os.environ.get("PYTHONPATH", "").split(os.pathsep)))
    return {**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": path}


def _without_here(path: list[str]) -> list[str]:
    here = os.path.realpath(os.curdir)
    return [os.path.abspath(entry) for entry in path if os.path.realpath(entry or os.curdir) != here]  # noqa: PTH100


def shadows() -> list[str]:
    """Return the files and folders of the working folder that Python would have taken for a library, by name."""
    places = elsewhere()
    return sorted(entry for name, entry in _modules().items() if _is_library(name, places))


def found_twice(package: str) -> tuple[str, str] | None:
    """Return where a package stands that is installed and in the working folder too, in this order.

    Args:
        package: its dotted name, of which the first part counts.
    """
    name = package.partition(".")[0]
    own = _file(name, [os.getcwd()])  # noqa: PTH109
    installed = _file(name, elsewhere()) if own else ""  # every point of a study asks
    if not installed or os.path.realpath(installed) == os.path.realpath(own):
        return None
    return installed, own


def _modules() -> dict[str, str]:
    """Return what stands in the working folder, by the name that it would be imported as."""
    found = {}
    with os.scandir() as entries:
        for entry in entries:
            name, ending = os.path.splitext(entry.name)  # noqa: PTH122
            if name.isidentifier() and (ending == ".py" or (not ending and os.path.isfile(f"{name}/__init__.py"))):  # noqa: PTH113
                found[name] = entry.name + ("/" if not ending else "")
    return found


def _is_library(name: str, places: list[str]) -> bool:
    if name == "hpsearch":  # in its own clone
        return False
    found = name if name in sys.stdlib_module_names else _file(name, places)
    return bool(found) and os.path.realpath(found) != os.path.realpath(_file(name, [os.getcwd()]))  # noqa: PTH109


def _file(name: str, places: list[str]) -> str:
    """Return the file of a module in some folders, nothing for a folder without one."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(name, places)
    return spec.origin or "" if spec is not None and spec.has_location else ""
