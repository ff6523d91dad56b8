"""The services the audit trail runs on, without Docker.

`python -m stack up` starts them; `addresses()` says where they listen. Importing this package reads
and starts nothing, so that settings modules may use it for their local defaults.
"""

from stack.endpoints import Addresses, addresses

__all__ = ["Addresses", "addresses"]
