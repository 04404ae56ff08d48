"""Secrets of addresses, which are never shown and never written down: ``***`` stands in their places.

What is left is for people to read. It is never taken for an address again.
"""

import re

HIDDEN = "***"
_INTERPOLATION = r"\$\{[^{}]*\}"
_BEFORE_HOST = re.compile(
    rf"://(?P<user>(?:{_INTERPOLATION}|[^/:@?#\s'\"])*)(?P<rest>:(?!{_INTERPOLATION}@)[^\s'\"]*)?@"
)
"""Somebody alone is a token, as in ``https://TOKEN@host``; up to the last @, as passwords may hold slashes and more."""
_ENCODED = re.compile(r"(?i:(?P<slashes>%3A%2F%2F)(?:(?!%2F|%40)[^\s'\"&/])+(?P<at>%40))")
"""The same in an address that is a value of another one."""
_NAMED = re.compile(
    r"(?P<name>[?&;]"
    r"(?:[\w.%-]*(?:passw|passphrase|pwd|token|secret|credential|signature|auth|api_?key|access_?key)[\w.%-]*"
    r"|(?:[\w.%-]*[-_.])?(?:key|sig|pass|pw|code))=)"
    rf"(?!{_INTERPOLATION})[^&;#\s'\"]*[^&;#\s'\":,.)]",
    re.IGNORECASE,
)


def without_password(text: str) -> str:
    """Return a text without the secrets of the addresses in it.

    Args:
        text: may hold addresses: what stands before the host (``user:SECRET@``, ``:SECRET@``, ``TOKEN@``), and the
            values of a query whose names say that they are secret (``token=``, ``password=``, ``key=``, ``sig=``).

    Returns:
        The text; the name of a user stays where a password follows, files (``sqlite:///``) and interpolations do too.
    """
    if "://" not in text and "%2" not in text:
        return text
    text = _BEFORE_HOST.sub(_before_host, text)
    return _NAMED.sub(rf"\g<name>{HIDDEN}", _ENCODED.sub(rf"\g<slashes>{HIDDEN}\g<at>", text))


def _before_host(found: re.Match[str]) -> str:
    user, rest = found["user"], found["rest"]
    if rest is not None:
        return f"://{user}:{HIDDEN}@"
    alone = user and not re.fullmatch(_INTERPOLATION, user)
    return f"://{HIDDEN}@" if alone else found[0]
