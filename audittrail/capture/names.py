"""Names of generated functions: within PostgreSQL's 63 bytes, and never one name for two things."""

import hashlib
import re

_LIMIT = 61
"""Of a function's name, in bytes: its trigger's name has two more."""

_DIGEST = 10
_PLAIN = re.compile(r"[a-z0-9]+\.[a-z0-9]+(/[a-z0-9]+)?")


def function_name(prefix: str, kind: str, part: str = "") -> str:
    """The name of the function of a kind, or of one part of it: `audit_touch_newsroom_article_tags`.

    A digest is appended where the name would be cut, or where another kind or part would read the same.
    """
    whole = f"{kind}/{part}" if part else kind
    name = f"{prefix}_{re.sub('[^a-z0-9]+', '_', whole.lower())}"
    if _PLAIN.fullmatch(whole) and len(name) <= _LIMIT:
        return name
    digest = hashlib.sha256(whole.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LIMIT - _DIGEST - 1]}_{digest}"


def trigger_name(function: str) -> str:
    """The name of the trigger that calls a function; it fires before all whose names begin with a letter."""
    return f"0_{function}"
