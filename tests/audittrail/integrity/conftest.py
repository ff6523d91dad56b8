import pytest

from audittrail.events.event import EnrichedEvent
from testkit.audittrail.articles import Article
from testkit.audittrail.events import enriched_event


@pytest.fixture
def events() -> list[EnrichedEvent]:
    """An article's six events as they are stored, keyframes at 1 and 4."""
    article = Article()
    article.save(headline="Tram", body="The alleged thief ran.", status="draft", tags=["1", "2"])
    article.save(body="The thief ran.")
    article.save(tags=["2", "1"])
    article.save(keyframe=True, status="published")
    article.save(body="The thief ran away.")
    article.save(headline="Thief")
    return [enriched_event(**event) for event in article.events]
