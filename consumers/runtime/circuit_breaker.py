"""The circuit breaker: a broken deploy must not drain a topic into the dead letters."""

from consumers.runtime.batcher import Batch


class CircuitBreaker:
    """Counts rejected records in a row; `limit` of them is too many (0: never)."""

    def __init__(self, limit: int):
        self._limit = limit
        self._run = 0

    def blocks(self, batch: Batch) -> str:
        """Why the processed batch must wait for an operator; empty when it may be delivered. Counts nothing."""
        longest = self._runs(batch)[0]
        if not self._limit or longest < self._limit:
            return ""
        last = batch.result.rejections[-1]
        return f"{longest} messages in a row could not be processed, lately because: {last.reason}: {last.detail}"

    def record_delivered(self, batch: Batch) -> None:
        """Carry the run at the end of a delivered batch over to the next."""
        self._run = self._runs(batch)[1]

    def reset(self) -> None:
        """Count from zero: an operator has seen what happened."""
        self._run = 0

    def _runs(self, batch: Batch) -> tuple[int, int]:
        """The longest run of rejections that reaches into the batch, and the run at its end."""
        accepted = {id(record) for record in batch.accepted()}
        run, longest = self._run, 0
        for record in batch.records:
            run = 0 if id(record) in accepted else run + 1
            longest = max(longest, run)
        return longest, run
