"""Passwords of addresses, which are never shown and never written down."""

import re

_BEFORE_HOST = re.compile(r"(://[^/:@\s'\"]*):[^\s'\"]*@")
_NAMED = re.compile(r"([?&](?:password|passwd|pwd|token|secret)=)[^&\s'\"]+", re.IGNORECASE)


def without_password(text: str) -> str:
    """Return a text without the passwords of the addresses in it: ``***`` stands in their places."""
    return _NAMED.sub(r"\1***", _BEFORE_HOST.sub(r"\1:***@", text))
