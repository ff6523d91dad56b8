"""Keys of hot and cool articles, and readers that keep their order whatever the keys."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from audittrail.events.event import Event
from consumers import conf
from consumers.relay.keys import REMEMBERED, SPREAD, ByArticleWhileCool, lane_partitions, partition_of
from examples.read_enriched import InOrder
from newsroom.models import Article
from testkit.audittrail.events import raw_event
from testkit.consumers.relaying import relaying
from testkit.consumers.witness import captured, committed, faults, pending, published, some_articles
from testkit.waiting import until

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
STORY = "newsroom.article:1"


def event(sequence: int, seconds: float, article: str = STORY) -> Event:
    return raw_event(article_id=article, sequence=sequence, recorded_at=START + timedelta(seconds=seconds))


def keys_of(rate: float, seconds: int, strategy: ByArticleWhileCool, since: float = 0) -> list[str]:
    """Keys of `rate` events a minute for so many seconds."""
    count = round(rate * seconds / 60)
    return [strategy(event(number, since + number * 60 / rate)) for number in range(count)]


def test_an_article_below_the_rate_keeps_one_key():
    assert set(keys_of(50, 600, ByArticleWhileCool(60))) == {STORY}


def test_a_breaking_story_is_spread_once_it_is_hot_and_no_earlier():
    keys = keys_of(1000, 60, ByArticleWhileCool(60))
    assert set(keys[:59]) == {STORY}
    assert set(keys[60:]) == {f"{STORY}|{number}" for number in range(SPREAD)}


def test_a_hot_article_uses_all_partitions_of_its_lane_evenly():
    own = lane_partitions(1, 4, 24)
    used = [partition_of(key.encode(), own) for key in keys_of(1000, 60, ByArticleWhileCool(60))[60:]]
    assert set(used) == set(own)
    assert max(map(used.count, own)) <= 2 * len(used) / len(own)


def test_it_stays_hot_at_half_the_rate_and_cools_down_below():
    strategy = ByArticleWhileCool(60)
    keys_of(1000, 60, strategy)
    assert STORY not in keys_of(40, 240, strategy, since=60)
    assert keys_of(20, 240, strategy, since=300)[-1] == STORY
    assert keys_of(40, 240, strategy, since=600)[-1] == STORY, "40 a minute is not hot for one that was cool"


def test_the_others_are_left_alone():
    strategy = ByArticleWhileCool(60)
    keys_of(1000, 60, strategy)
    assert strategy(event(1, 30, "newsroom.article:2")) == "newsroom.article:2"


@given(st.lists(st.tuples(st.integers(1, 3), st.floats(0, 300)), max_size=200))
def test_the_same_events_always_get_the_same_keys(found):
    events = [event(number, seconds, f"a:{article}") for number, (article, seconds) in enumerate(found)]
    one, other = ByArticleWhileCool(10), ByArticleWhileCool(10)
    assert [one(each) for each in events] == [other(each) for each in events]


def test_it_forgets_articles_that_have_cooled_down():
    strategy = ByArticleWhileCool(60)
    for number in range(REMEMBERED + 1):
        strategy(event(1, number / 20, f"a:{number}"))
    assert len(strategy._heats) < REMEMBERED


# The reader


@given(st.permutations(range(1, 12)))
def test_a_reader_shows_events_in_order_whatever_the_arrival(arrival):
    reader = InOrder(wait_seconds=5, clock=lambda: 0)
    shown = [each["sequence"] for number in arrival for each in reader.add({"article_id": "a", "sequence": number})]
    assert shown == list(range(1, 12)) and reader.overdue() == []


def test_a_reader_waits_a_bounded_time_and_then_shows_the_gap():
    now = [0.0]
    reader = InOrder(wait_seconds=5, clock=lambda: now[0])
    assert [
        each["sequence"] for number in (1, 4, 5) for each in reader.add({"article_id": "a", "sequence": number})
    ] == [1]
    now[0] = 4.9
    assert reader.overdue() == []
    now[0] = 5.0
    assert [each.get("sequence") or each["missing"] for each in reader.overdue()] == [[2, 3], 4, 5]
    assert [each["sequence"] for each in reader.add({"article_id": "a", "sequence": 3})] == [3], (
        "late, and shown all the same"
    )
    assert [each["sequence"] for each in reader.add({"article_id": "a", "sequence": 6})] == [6]
    assert reader.add({"article_id": "a", "sequence": 8}) == []
    assert [each.get("sequence") or each["missing"] for each in reader.overdue(at_once=True)] == [[7, 7], 8]


def test_the_strategy_can_be_switched_without_losing_order_for_readers(own_trail, monkeypatch):
    article = some_articles(1)[0]
    monkeypatch.setenv("AUDIT_RELAY_LANES", "2")
    monkeypatch.setenv("AUDIT_HOT_EVENTS_PER_MINUTE", "10")
    for strategy in ("article", "adaptive", "article_hour", "adaptive"):
        monkeypatch.setenv("AUDIT_KEY_STRATEGY", strategy)
        for number in range(30):
            Article.objects.filter(pk=article.pk).update(headline=f"{strategy} {number}")
        with relaying():
            until(lambda: not pending(), what="a drained outbox")

    found = published()
    assert faults(found, captured()) | {"disordered": 0} == {"lost": 0, "doubled": 0, "disordered": 0}
    assert (
        len({message.partition() for message in committed(conf.raw_topic())}) == conf.partitions() // conf.relay_lanes()
    ), "all partitions of its lane"
    reader = InOrder(wait_seconds=5, clock=lambda: 0)
    shown = [
        each["sequence"] for name, number in found for each in reader.add({"article_id": name, "sequence": number})
    ]
    assert shown == list(range(1, len(captured()) + 1))
