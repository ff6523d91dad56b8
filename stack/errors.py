"""The one error the stack reports to its user."""


class StackError(Exception):
    """Something the user can repair: what is wrong, and what to do about it."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}\n  Remedy: {remedy}")
        self.problem = problem
        self.remedy = remedy
