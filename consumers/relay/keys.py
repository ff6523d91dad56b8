"""How an article's events are spread over the partitions of its lane.

Readers never rely on arrival order: they order by `sequence`, so the strategy can be changed at any time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from audittrail.events.event import Event
from consumers import conf

KeyStrategy = Callable[[Event], str]

WINDOW_SECONDS = 60
SPREAD = 16
"""Keys among which the events of a hot article are distributed."""
REMEMBERED = 10_000


def by_article(event: Event) -> str:
    """One key for an article: all its events in one partition, in order."""
    return event["article_id"]


def by_article_and_hour(event: Event) -> str:
    """A key for an article and hour of recording (UTC): a story moves to another partition every hour."""
    return f"{event['article_id']}|{event['recorded_at']:%Y-%m-%dT%H}"


@dataclass(slots=True)
class Heat:
    """How often an article changed: events in the window that began at `since` (seconds since 1970) and in the one
    before.
    """

    since: int
    count: int = 0
    before: int = 0
    hot: bool = False

    def rate(self, at: float) -> float:
        """Events in the last window, the window before counted by how much of it is still in there."""
        return self.count + self.before * max(0.0, 1 - (at - self.since) / WINDOW_SECONDS)


class ByArticleWhileCool:
    """One key for an article, until it changes `hot` times a minute; then its events are distributed among keys until
    it has cooled down to half of that, so that it does not alternate.

    Time is that of recording: the same events in the same order always get the same keys.
    """

    def __init__(self, hot: int):
        self._hot = hot
        self._heats: dict[str, Heat] = {}

    def __call__(self, event: Event) -> str:
        article, at = event["article_id"], event["recorded_at"].timestamp()
        heat = self._heat_at(article, at)
        heat.count += 1
        heat.hot = heat.rate(at) >= (self._hot / 2 if heat.hot else self._hot)
        return f"{article}|{event['sequence'] % SPREAD}" if heat.hot else article

    def _heat_at(self, article: str, at: float) -> Heat:
        """The article's heat, its window the one that `at` is in."""
        window = int(at // WINDOW_SECONDS * WINDOW_SECONDS)
        heat = self._heats.get(article)
        if heat is None:
            self._forget_cold(window)
            heat = self._heats[article] = Heat(window)
        elif window > heat.since:
            heat.before = heat.count if window == heat.since + WINDOW_SECONDS else 0
            heat.since, heat.count = window, 0
        return heat

    def _forget_cold(self, window: int) -> None:
        if len(self._heats) >= REMEMBERED:
            self._heats = {
                article: heat for article, heat in self._heats.items() if heat.since >= window - WINDOW_SECONDS
            }


STRATEGIES: dict[str, Callable[[], KeyStrategy]] = {
    "article": lambda: by_article,
    "article_hour": lambda: by_article_and_hour,
    "adaptive": lambda: ByArticleWhileCool(conf.hot_events_per_minute()),
}
"""Name → what makes a strategy for a lane, which remembers what it has seen of the lane's articles."""


def lane_partitions(lane: int, lanes: int, partitions: int) -> range:
    """The partitions that belong to a lane."""
    return range(lane, partitions, lanes)


def partition_of(key: bytes, partitions: Sequence[int]) -> int:
    """The partition of a key among those of its lane: pinned to BLAKE2b, whatever client library publishes."""
    return partitions[int.from_bytes(blake2b(key, digest_size=8).digest()) % len(partitions)]
