"""What capture says of the articles, in the snapshot of a verification: how far each trail goes and with which hash,
and which events may still be on their way.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from audittrail.events.event import EventKey
from audittrail.integrity.chain_check import Anchor, Expected
from audittrail.models import Head, OutboxEvent, VerifiedHead


@dataclass(frozen=True, slots=True)
class Captured:
    """`expected`: by article. `headless`: articles verified before whose head is gone, with what was verified.
    `unpublished`: the outbox still has these events to hand over, or set aside; `fresh`: it has handed them over just
    now. `amended`: their hashes are those of what was captured, which the outbox keeps with the amendments.
    """

    article_id: str | None
    expected: dict[str, Expected]
    headless: dict[str, Anchor]
    unpublished: frozenset[EventKey]
    fresh: frozenset[EventKey]
    amended: frozenset[EventKey]
    set_aside: int

    @property
    def events(self) -> int:
        return sum(head.sequence for head, _ in self.expected.values())

    def may_be_on_its_way(self, key: EventKey) -> bool:
        return key in self.unpublished or key in self.fresh

    def last_sequence(self, article: str) -> int:
        head, verified = self.expected[article]
        return max(head.sequence, verified.sequence if verified else 0)

    def covers(self, key: EventKey) -> bool:
        """Whether an event belongs to the snapshot; one of an article that was captured only since does not."""
        article, sequence = key
        if self.article_id and article != self.article_id:
            return False
        if article in self.expected:
            return sequence <= self.expected[article].head.sequence
        return not _was_captured_since(article)


def load_captured(article_id: str | None, recent: datetime) -> Captured:
    """What capture says now of all articles, or of one; `fresh`: published after `recent`."""
    scope = Q(article_id=article_id) if article_id else Q()
    heads = Head.objects.filter(scope, sequence__gt=0).values_list("article_id", "sequence", "hash")
    verified = VerifiedHead.objects.filter(scope).values_list("article_id", "sequence", "hash")
    anchors = {article: Anchor(sequence, bytes(hash_)) for article, sequence, hash_ in verified}
    expected = {
        article: Expected(Anchor(sequence, bytes(hash_)), anchors.pop(article, None))
        for article, sequence, hash_ in heads.iterator()
    }
    outbox = OutboxEvent.objects.filter(scope)
    return Captured(
        article_id=article_id,
        expected=expected | {article: Expected(anchor, anchor) for article, anchor in anchors.items()},
        headless=anchors,
        unpublished=frozenset(outbox.unpublished().values_list("article_id", "sequence").iterator()),
        fresh=frozenset(outbox.published_after(recent).values_list("article_id", "sequence").iterator()),
        amended=frozenset(outbox.exclude(amendments=[]).values_list("article_id", "sequence").iterator()),
        set_aside=outbox.set_aside().count(),
    )


def _was_captured_since(article: str) -> bool:
    # Through a connection of its own: the snapshot's does not see it.
    return Head.objects.using("pipeline").filter(article_id=article).exists()
