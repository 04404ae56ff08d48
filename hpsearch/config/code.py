"""The code of a user's own that trains a trial, as digests by module: what it says, not how it is laid out.

It is the modules that the targets of a configuration lie in, and those of the same project that these import, inside
functions too. They are found in the parsed source, and none of it is run. Not of the project are the standard library,
installed packages and hpsearch; an installed package that a target names has one digest of the bytes of its code.
Comments, docstrings, layout and what stands under ``if __name__ == "__main__"`` are
not part of a digest.
"""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from hpsearch.base.commands import LOCAL_MODULE, is_program
from hpsearch.base.contents import Place, content_of, place_of
from hpsearch.base.files import is_file
from hpsearch.base.plain import stable_hash
from hpsearch.config.build import PACKAGES
from hpsearch.config.functions import code_text, code_texts, digest_of, given_code, is_own

_TARGET = "_target_"
FILE = "file:"
"""Before the path of a file that the command of a program names."""
CODE_FILES = (".py", ".so", ".pyd")
"""Endings of files that are code of a package."""


@dataclass(frozen=True, slots=True)
class Code:
    """Code of a user's own.

    Attributes:
        modules: digest by the name of a module, or of what is defined in a script or a notebook.
        targets: the dotted paths that it was found by.
    """

    modules: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[str, ...] = field(default=(), compare=False)

    @property
    def digest(self) -> str:
        """One digest of all of it, the empty string where there is none."""
        return stable_hash(self.modules) if self.modules else ""

    @property
    def files(self) -> dict[str, str]:
        """Digests of the files that the command of a program names, by their paths there."""
        paths = [path.removeprefix(FILE) for path in self.targets if path.startswith(FILE)]
        return {path: self.modules.get(path, "") for path in paths}

    def differences(self, before: Mapping[str, str]) -> list[str]:
        """Return the names of what is not as it was before, in order."""
        return sorted(
            name for name in self.modules.keys() | before.keys() if self.modules.get(name) != before.get(name)
        )


class CodeReader:
    """Finds the code that configurations are trained by, as it is when it is first asked for."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, ...], Code] = {}
        self._modules: dict[str, tuple[str, frozenset[str]] | None] = {}

    def of(self, config: Mapping[str, Any]) -> Code:
        """Return the code of a user's own that a configuration is trained by."""
        theirs = {path for path in _targets(config) if path.partition(".")[0] not in PACKAGES}
        return self.at(theirs | (named_by(config["trainer"]) if is_program(config) else set()))

    def at(self, targets: Iterable[str]) -> Code:
        """Return the code that dotted paths lead to."""
        paths = tuple(sorted(targets))
        if paths not in self._found:
            self._found[paths] = Code(self._digests(paths), paths)
        return self._found[paths]

    def _digests(self, targets: Iterable[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        imported: set[str] = set()
        for path in targets:
            if path.startswith(FILE):
                found |= self._file(path.removeprefix(FILE))
                continue
            module, _, name = path.partition(".")
            if module == LOCAL_MODULE:
                given = given_code(getattr(sys.modules.get(LOCAL_MODULE), name, None))
                found |= given.digests
                imported |= given.modules
            else:
                imported.add(path)
        installed = _installed(
            {path.partition(".")[0] for path in targets if not path.startswith(FILE)} - {LOCAL_MODULE, *PACKAGES}
        )
        return found | installed | self._closure(imported)

    def _file(self, path: str) -> dict[str, str]:
        """Return the digest of a file that a command names; of Python, as it is parsed, with what it imports."""
        if not path.endswith(".py"):
            content = content_of(place_of(path))
            return {path: content.digest} if content is not None else {}
        try:
            stat = Path(path).stat()
            digest, imported = _parsed(Path(path).resolve(), stat.st_mtime_ns, stat.st_size, "", True)
        except OSError:
            return {}
        return {path: digest} | self._beside(Path(path).parent, imported)

    def _beside(self, folder: Path, names: Iterable[str]) -> dict[str, str]:
        """Return the digests of modules that a script imports, where Python looks for them: in its folder first."""
        found: dict[str, str] = {}
        waiting, elsewhere = list(names), list[str]()
        while waiting:
            name = waiting.pop()
            if not name:
                continue
            path = next((each for each in _module_files(folder, name) if is_file(each)), None)
            if path is None:
                elsewhere.append(name)
            elif str(path) not in found:
                stat = path.stat()
                package = name if path.name == "__init__.py" else name.rpartition(".")[0]
                found[str(path)], imported = _parsed(path.resolve(), stat.st_mtime_ns, stat.st_size, package)
                waiting += [name.rpartition(".")[0], *imported]
        return found | self._closure(elsewhere)

    def _closure(self, names: Iterable[str]) -> dict[str, str]:
        """Return the digests of modules and of what they import, as far as they are of the user's own project."""
        waiting, found = list(names), dict[str, str]()
        seen: set[str] = set()
        while waiting:
            name = waiting.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            waiting.append(name.rpartition(".")[0])
            module = self._module(name)
            if module is not None:
                found[name], imported = module
                waiting.extend(imported)
        return found

    def _module(self, name: str) -> tuple[str, frozenset[str]] | None:
        if name not in self._modules:
            self._modules[name] = _read(name)
        return self._modules[name]


def named_by(trainer: Mapping[str, Any]) -> set[str]:
    """Return the files and modules that the command of a program names, its settings file among them.

    A program outside the working folder, such as an interpreter, is no code of a user's own.

    Args:
        trainer: the configuration of the program.
    """
    words = [str(word) for word in trainer["command"]]
    here = Path.cwd().resolve()
    named = [word for place, word in enumerate(words) if place or Path(word).resolve().is_relative_to(here)]
    files = [Path(word) for word in (*named, trainer.get("file") or "") if word and is_file(word)]
    modules = {after for before, after in pairwise(words) if before == "-m"}
    return {f"{FILE}{path}" for path in files if not _is_environment(path)} | modules


def _is_environment(path: Path) -> bool:
    """Return whether a file is of a virtual environment."""
    return any((folder / "pyvenv.cfg").is_file() for folder in path.absolute().parents)


def _module_files(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files that a module may be in a folder."""
    path = folder.joinpath(*name.split("."))
    yield path / "__init__.py"
    yield path.with_name(f"{path.name}.py")


def loaded_before(code: Code) -> list[str]:
    """Return the modules that this process holds as they were before an edit, and take note of the others.

    Args:
        code: as the files say it now.
    """
    old = []
    for name, digest in code.modules.items():
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if spec is None:
            continue
        known = _loaded.get(name)
        if known is not None and known[0] is spec:  # a module that is loaded again has another one
            is_old = known[1] != digest
        else:
            is_old = not _is_as_written(sys.modules[name], spec)
        if is_old:
            old.append(name)
        else:
            _loaded[name] = (spec, digest)
    return sorted(old)


_loaded: dict[str, tuple[ModuleSpec, str]] = {}
"""The digest that a module had when it was first seen in this process, with what it was loaded by."""


def _is_as_written(module: ModuleType, spec: ModuleSpec) -> bool:
    """Return whether the functions of a loaded module are those of its file; True where that cannot be told."""
    if type(spec.loader) is not SourceFileLoader or spec.origin is None:
        return True
    try:
        written = code_texts(compile(Path(spec.origin).read_bytes(), spec.origin, "exec", dont_inherit=True))
    except (OSError, SyntaxError, ValueError):
        return True
    members = [each for value in vars(module).values() for each in _members(value, module.__name__)]
    codes = [each.__code__ for each in members if isinstance(each, FunctionType)]
    return all(code_text(code) in written for code in codes if code.co_filename == spec.origin)


def _members(value: Any, module: str) -> list[Any]:
    """Return a function, or those of a class, that a module defines."""
    if getattr(value, "__module__", None) != module:
        return []
    return [getattr(each, "__func__", each) for each in vars(value).values()] if isinstance(value, type) else [value]


def _installed(names: Iterable[str]) -> dict[str, str]:
    """Return one digest of the bytes of the code of each installed package among names."""
    found: dict[str, str] = {}
    for name in names:
        spec = _spec(name)
        if spec is None or (spec.origin is not None and (not spec.has_location or is_own(Path(spec.origin)))):
            continue
        places = spec.submodule_search_locations or ([spec.origin] if spec.origin else [])
        contents = [content_of(Place(str(place), CODE_FILES)) for place in places if not is_own(Path(place))]
        if known := [content.digest for content in contents if content is not None]:
            found[name] = stable_hash({"digests": known})
    return found


def _targets(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get(_TARGET), str):
            yield value[_TARGET]
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            yield from _targets(item)


def _spec(name: str) -> ModuleSpec | None:
    """Return where a module lies, without importing the packages that it lies in."""
    top, *inner = name.split(".")
    if top in sys.builtin_module_names or top in sys.stdlib_module_names:
        return None
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        spec = PathFinder.find_spec(top)
    name, places = top, None if spec is None else spec.submodule_search_locations
    for part in inner:
        if places is None:
            return None
        name, folders = f"{name}.{part}", [Path(place) / part for place in places]
        try:
            spec = PathFinder.find_spec(name, list(places))
            places = None if spec is None else spec.submodule_search_locations
        except KeyError:  # a folder without `__init__.py` in another one that is not loaded: what it holds is found
            spec, places = None, [str(folder) for folder in folders if folder.is_dir()]
    return spec


def _read(name: str) -> tuple[str, frozenset[str]] | None:
    """Return the digest of a module and the names that it imports; None where it is not of the user's project."""
    spec = _spec(name)
    if spec is None or not spec.has_location or spec.origin is None or not is_own(Path(spec.origin)):
        return None
    path, package = Path(spec.origin), name if spec.submodule_search_locations else name.rpartition(".")[0]
    try:
        stat = path.stat()
        return _parsed(path, stat.st_mtime_ns, stat.st_size, package)
    except OSError:
        return None


@lru_cache(maxsize=4096)
def _parsed(path: Path, _changed: int, _size: int, package: str, is_main: bool = False) -> tuple[str, frozenset[str]]:
    """Read a module; the digest of one that is no Python is that of its bytes."""
    data = path.read_bytes()
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError):
        return hashlib.sha256(data).hexdigest()[:16], frozenset()
    if not is_main:
        tree.body = [node for node in tree.body if not _is_main_block(node)]
    return digest_of(tree), frozenset(_imports(tree, package))


def _is_main_block(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("__name__ == '__main__'", "'__main__' == __name__")


def _imports(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield the modules that a module imports, and what may be one of them, with the names of attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                above = package.rsplit(".", level - 1)[0] if level else ""
                base = ".".join(part for part in (above, module) if part)
                yield base
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name)), *_]):
                yield name
            case ast.Call(func=ast.Name(id="import_module" | "__import__"), args=[ast.Constant(value=str(name)), *_]):
                yield name
