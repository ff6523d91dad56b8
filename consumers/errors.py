"""What stages, delivery and clients raise to tell the runtime what to do."""


class NotReady(Exception):
    """Something outside is away or slow; the text says what.

    The runtime pauses the partitions, keeps the membership and tries the same records again after growing delays.
    """


class Fenced(Exception):
    """Another process has taken over what this one holds. The runtime ends the process; the supervisor starts another."""
