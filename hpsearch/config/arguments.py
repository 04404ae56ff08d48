"""All arguments of a user's function as one mapping, for a function that takes them so: ``args["lr"]``, ``args.lr``."""

from collections.abc import Mapping
from typing import Any

from hpsearch.base.errors import nearest


class Arguments(dict[str, Any]):
    """A dictionary whose values are attributes too, as those of ``parse_args()`` are; ``vars`` returns it itself."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return a value by its name.

        Raises:
            AttributeError: there is none of this name.
        """
        try:
            return self[name]
        except KeyError:
            known = f" (there are: {', '.join(self)})"
            raise AttributeError(f"there is no argument {name}{nearest(name, self)}{known}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        """Set a value by its name."""
        self[name] = value

    def __delattr__(self, name: str) -> None:
        """Take a value out."""
        del self[name]

    @property
    def __dict__(self) -> dict[str, Any]:  # type: ignore[override]  # what `vars` returns
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Take the values along alone: what `vars` returns is no state besides."""
        return type(self), (dict(self),)


def arguments(values: Any) -> Any:
    """Return mappings, those inside mappings and lists too, such that their values are attributes."""
    if isinstance(values, Mapping):
        return Arguments({name: arguments(value) for name, value in values.items()})
    return [arguments(value) for value in values] if isinstance(values, list) else values
