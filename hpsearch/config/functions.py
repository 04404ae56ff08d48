"""The code of a function of a script or a notebook, which no module holds: its own, and what it uses of its script.

Of a function, a class or a constant that it names, the same holds again; of a module that it names or imports, the
module is returned by its name. Values that code assigns anew are left out, and so is data.
"""

import ast
import dis
import functools
import hashlib
import inspect
import sysconfig
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from hpsearch.base.commands import LOCAL_MODULE

_SCALARS = (bool, int, float, complex, str, bytes, type(None))


@dataclass(slots=True)
class GivenCode:
    """What a function of a script or a notebook is made of.

    Attributes:
        digests: by name of a function, class or constant.
        modules: names of modules that it uses.
    """

    digests: dict[str, str] = field(default_factory=dict)
    modules: set[str] = field(default_factory=set)


def given_code(function: Any) -> GivenCode:
    """Return the code of a function, which may be any callable object; of None there is none."""
    found = GivenCode()
    if function is not None:
        _Visit(found).value(getattr(function, "__name__", type(function).__name__), function)
    return found


@dataclass(slots=True)
class _Visit:
    found: GivenCode
    seen: set[int] = field(default_factory=set)

    def value(self, name: str, value: Any) -> None:
        """Take in what code means by a name."""
        if id(value) in self.seen:
            return
        match value:
            case ModuleType():
                self.found.modules.add(value.__name__)
            case functools.partial():
                self.seen.add(id(value))
                self.value(name, value.func)
                self._arguments(name, dict(enumerate(value.args)) | value.keywords)
            case MethodType():
                self._object(value.__self__)
                self.value(name, value.__func__)
            case FunctionType():
                self.seen.add(id(value))
                self._function(value)
            case type():
                self.seen.add(id(value))
                self._class(value)
            case _ if _is_plain(value):
                self.found.digests[name] = _short(repr(value))
            case _ if callable(value):
                self._object(value)

    def _object(self, value: Any) -> None:
        kind = value if isinstance(value, type) else type(value)
        self.value(kind.__qualname__, kind)

    def _function(self, function: Callable[..., Any]) -> None:
        code = function.__code__
        if not _is_of_a_script(function):
            self.found.modules.add(function.__module__)
            return
        used = _Names.of(code)
        if is_own(Path(code.co_filename)):  # not a decorator of a library
            self.found.digests[function.__qualname__] = _digest(function)
            self.found.modules |= used.imported
            self._globals(function.__globals__, used)
        self._arguments(function.__qualname__, dict(enumerate(function.__defaults__ or ())))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if name not in used.assigned and cell != CellType():
                self.value(name, cell.cell_contents)

    def _globals(self, names: Mapping[str, Any], used: "_Names") -> None:
        for path in sorted(used.read):
            name, dot, rest = path.partition(".")
            value = names.get(name)
            if isinstance(value, ModuleType):
                self.found.modules.add(f"{value.__name__}{dot}{rest}")
            elif name in names and name not in used.assigned:
                self.value(name, value)

    def _class(self, kind: type) -> None:
        if not _is_of_a_script(kind):
            self.found.modules.add(kind.__module__)
            return
        for base in kind.__bases__:
            self.value(base.__qualname__, base)
        for name, member in vars(kind).items():
            function = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
            if isinstance(function, FunctionType) or (_is_plain(function) and not name.startswith("__")):
                self.value(f"{kind.__qualname__}.{name}", function)

    def _arguments(self, name: str, values: Mapping[Any, Any]) -> None:
        for key, value in values.items():
            self.value(f"{name}({key})", value)


@dataclass(slots=True)
class _Names:
    """What a code object and those inside it read of their script, with attributes, assign to it, and import."""

    read: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)
    imported: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, code: CodeType) -> "_Names":
        names = cls()
        for each in _with_inner(code):
            names._take(each)
        return names

    def _take(self, code: CodeType) -> None:
        module = path = ""
        for step in dis.get_instructions(code):
            match step.opname:
                case "LOAD_GLOBAL" | "LOAD_NAME":
                    path = step.argval
                    self.read.add(path)
                    continue
                case "LOAD_ATTR" | "LOAD_METHOD" if path:
                    path = f"{path}.{step.argval}"
                    self.read.add(path)
                    continue
                case "STORE_GLOBAL" | "STORE_DEREF":
                    self.assigned.add(step.argval)
                case "IMPORT_NAME":
                    module = step.argval
                    self.imported.add(module)
                case "IMPORT_FROM":
                    self.imported.add(f"{module}.{step.argval}")
            path = ""


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _with_inner(constant)


@cache
def _elsewhere() -> tuple[Path, ...]:
    """Return the folders of the standard library and of hpsearch."""
    ours = Path(__file__).resolve().parents[1]
    return (*(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")), ours)


def is_own(file: Path) -> bool:
    """Return whether a file is of a user's project: none of the standard library, of an installed package or ours."""
    file = file.resolve()
    installed = {"site-packages", "dist-packages"} & set(file.parts)
    return not installed and not any(file.is_relative_to(folder) for folder in _elsewhere())


def _is_of_a_script(value: Any) -> bool:
    """Return whether no module that can be imported holds a function or a class."""
    return value.__module__ in ("__main__", LOCAL_MODULE) or "<locals>" in value.__qualname__


def _is_plain(value: Any) -> bool:
    return isinstance(value, _SCALARS) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def _digest(function: Callable[..., Any]) -> str:
    """Return the digest of a function's parsed source, or of its code where no source is known."""
    if function.__code__.co_name != "<lambda>":
        try:
            return digest_of(ast.parse(textwrap.dedent(inspect.getsource(function))))
        except (OSError, TypeError, SyntaxError):
            pass
    return _short(code_text(function.__code__))


def code_texts(code: CodeType) -> frozenset[str]:
    """Return what a code object and each one inside it do as text."""
    return frozenset(map(code_text, _with_inner(code)))


def code_text(code: CodeType) -> str:
    """Return what a code object does as text, without where it stands."""
    constants = [code_text(each) if isinstance(each, CodeType) else _constant(each) for each in code.co_consts]
    return repr((code.co_code.hex(), code.co_names, code.co_varnames, code.co_freevars, constants))


def _constant(value: Any) -> str:
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def digest_of(tree: ast.AST) -> str:
    """Return the digest of parsed code: texts that stand alone, such as docstrings, are not part of it."""
    return _short(_text(tree))


def _text(node: Any) -> str:
    """Write a parsed node, the same from every version of Python: fields that are empty are left out."""
    if isinstance(node, ast.AST):
        fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []]
        return f"{type(node).__name__}({','.join(f'{name}={_text(value)}' for name, value in fields)})"
    if isinstance(node, list):
        return f"[{','.join(_text(each) for each in node if not _stands_alone(each))}]"
    return repr(node)


def _stands_alone(node: Any) -> bool:
    match node:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
    return False


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
