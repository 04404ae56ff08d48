"""Text of a user's own code as one that files, tables and terminals take: not too long, and all of it characters."""

LINE, TEXT = 1_000, 100_000
"""Characters that are kept of a line, and of a text of many."""


def readable(text: str, most: int = LINE) -> str:
    r"""Return a text that can be written as UTF-8 and is not too long.

    Args:
        text: anything, surrogates without their half among it, as the name of a file may hold.
        most: characters that it may have; of a longer one the first and the last half are kept.

    Returns:
        The text; what is no character as ``\\udcff``.
    """
    left_out = len(text) - most
    if left_out > 0:
        text = f"{text[: most // 2]} [... {left_out} characters are left out here ...] {text[-(most // 2) :]}"
    return text.encode(errors="backslashreplace").decode()


def representation(value: object, most: int = LINE) -> str:
    """Return what `repr` says of a value, as `readable` has it; its type where that raises an error."""
    try:
        return readable(repr(value), most)
    except Exception:
        return f"<{type(value).__name__}>"
