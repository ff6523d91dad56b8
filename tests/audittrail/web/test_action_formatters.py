"""The sentence of each action."""

import pytest

from audittrail.web.action_formatters import action_of
from testkit.audittrail.events import change
from testkit.audittrail.histories import HOSTILE, bridge, edited_event


def test_a_publication_tells_its_status_once():
    published = bridge().events[3]
    action = action_of(published)
    assert "<b>published</b> version 4" in action.sentence(published)
    assert action.shown(published) == []


@pytest.mark.parametrize(
    "action", ["created", "edited", "status_changed", "published", "unpublished", "deleted", "saved", "from_the_future"]
)
def test_every_action_reads_as_a_sentence(action):
    hostile = edited_event(
        action=action,
        title=HOSTILE,
        status=HOSTILE,
        changes=[change("status", "scalar", before=HOSTILE, after=HOSTILE + "!")],
    )
    sentence = action_of(hostile).sentence(hostile)
    assert sentence and "<script" not in sentence and "<img" not in sentence
