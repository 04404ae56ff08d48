"""Secrets of addresses, which are never shown and never written down: ``***`` stands in their places.

What is left is for people to read. It is never taken for an address again.
"""

import re

HIDDEN = "***"
_INTERPOLATION = r"\$\{[^{}]*\}"
_SLASHES = "://|(?<=http):/|(?<=https):/|(?<=ftp):/|(?<=sql):/"
"""One slash where somebody took an address for a path."""
_BEFORE_HOST = re.compile(
    rf"(?P<slashes>{_SLASHES})"
    rf"(?P<user>(?:{_INTERPOLATION}|\$(?!\{{[^{{}}]*\}})|[^/:@?#$\s'\"])*)"
    rf"(?P<rest>:(?!{_INTERPOLATION}@).*)?@"
)
"""Somebody alone is a token, as in ``https://TOKEN@host``; up to the last @, as passwords may hold slashes and more."""
_WORD = re.compile(r"[^\s'\"]+")
_ENCODED = re.compile(r"(?i:(?P<slashes>%3A%2F%2F)(?:(?!%2F|%40)[^\s'\"&/])+(?P<at>%40))")
"""The same in an address that is a value of another one."""
_NAMED = re.compile(
    r"(?P<name>[?&;]"
    r"(?:[\w.%-]{0,64}(?:passw|passphrase|pwd|token|secret|credential|signature|auth|api_?key|access_?key)[\w.%-]{0,64}"
    r"|(?:[\w.%-]{0,64}[-_.])?(?:key|sig|pass|pw|code))=)"
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
    if ":/" not in text and "%2" not in text:
        return text
    text = _WORD.sub(_in_word, text)
    return _NAMED.sub(rf"\g<name>{HIDDEN}", _ENCODED.sub(rf"\g<slashes>{HIDDEN}\g<at>", text))


def shown_address(given: str) -> str:
    """Return what was given for an address, without its secrets, also where it is none.

    Args:
        given: may lack what addresses begin with (``user:SECRET@host``), or be parameters (``password=SECRET``).
    """
    shown = without_password(given)
    if "://" not in shown:
        shown = re.sub(r"^.*(?=@)", HIDDEN, shown)
    return re.sub(r"(?i)(pass\w*\s*=\s*)('[^']*'?|[^\s&*]+)", rf"\1{HIDDEN}", shown)


def _in_word(found: re.Match[str]) -> str:
    """Look before the last @ alone, where every search ends at once: a stranger's text may be long."""
    before, at, after = found[0].rpartition("@")
    return _BEFORE_HOST.sub(_before_host, before + at) + after


def _before_host(found: re.Match[str]) -> str:
    slashes, user, rest = found["slashes"], found["user"], found["rest"]
    if rest is not None:
        return f"{slashes}{user}:{HIDDEN}@"
    alone = user and not re.fullmatch(_INTERPOLATION, user)
    return f"{slashes}{HIDDEN}@" if alone else found[0]
