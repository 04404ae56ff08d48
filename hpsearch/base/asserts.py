"""Libraries that do their work in assertions, and do without them under ``python -O``."""

from pathlib import Path
from types import FunctionType, ModuleType


def with_asserts(module: ModuleType) -> None:
    """Give the classes of a module their methods with every assertion, where Python was told to leave these out.

    Args:
        module: is loaded from its source; its methods call `super` by no other form than with arguments.
    """
    if __debug__:
        return
    text = Path(str(module.__file__)).read_text(encoding="utf-8")
    whole = ModuleType(module.__name__)
    exec(compile(text, str(module.__file__), "exec", optimize=0), vars(whole))
    for name, held in vars(whole).items():
        if isinstance(held, type) and held.__module__ == module.__name__:
            for method, function in vars(held).items():
                if isinstance(function, FunctionType):
                    setattr(getattr(module, name), method, function)
