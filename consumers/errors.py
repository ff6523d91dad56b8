"""What stages, delivery and clients raise to tell the runtime what to do."""


class NotReady(Exception):
    """Something outside is away or slow; the text says what.

    The runtime pauses the partitions, keeps the membership and tries the same records again after growing delays.
    """


class Evicted(Exception):
    """The group has moved on without this member: the batch is dropped, and read again by the member that holds it."""


class Fenced(Exception):
    """Another process has taken over what this one holds.

    The runtime ends the process; the supervisor starts another.
    """
