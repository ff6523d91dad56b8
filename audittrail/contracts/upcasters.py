"""What resolution by Avro's rules cannot express, from an older version of a contract to its latest.

Resolution fills new fields with defaults and drops removed ones. Where that loses meaning (a field split in two, a unit
changed), an upcaster is registered here for the version that was written::

    @upcaster(ENRICHED, 1)
    def from_minutes(written, resolved):
        return {**resolved, "reading_seconds": written["reading_minutes"] * 60}

It is given the event as it was written and as resolved into the latest version, and returns it in the latest version.
The types of both are those of a contract in some version, so no TypedDict names them.
"""

from collections.abc import Callable
from typing import Any

Upcaster = Callable[[dict[str, Any], Any], Any]
"""(the event as written, in an older shape; the event as resolved) → the event in the latest version."""

UPCASTERS: dict[tuple[str, int], Upcaster] = {}


def upcaster(contract: str, version: int) -> Callable[[Upcaster], Upcaster]:
    """Register the decorated function for events of ``contract`` written in ``version``."""

    def register(function: Upcaster) -> Upcaster:
        UPCASTERS[contract, version] = function
        return function

    return register
