"""What dead letters and outbox know of an event that an article's timeline misses."""

from django.urls import NoReverseMatch, reverse

from audittrail.timeline import GapCause
from consumers.models import DeadLetter, SetAsideEvent


def dead_letter_causes(article_id: str, sequences: list[int]) -> dict[int, GapCause]:
    """Why events are in the dead letters, by sequence, for those that are; the latest letter counts."""
    letters = DeadLetter.objects.of_article(article_id, sequences).order_by("failed_at")
    return {
        letter.sequence: _cause(letter)
        for letter in letters.only("sequence", "reason", "detail", "replayed_at")
        if letter.sequence is not None
    }


def set_aside_causes(article_id: str, sequences: list[int]) -> dict[int, GapCause]:
    """Why events are set aside, by sequence, for those of the sequences that are, with the page where an admin releases
    them.
    """
    events = SetAsideEvent.objects.filter(article_id=article_id, sequence__in=sequences).set_aside()
    return {
        event.sequence: GapCause(
            "it was set aside at the source because it breaks the contract "
            f"({(event.set_aside or '')[:200]}). An admin can mend and release it.",
            _page("admin:consumers_setasideevent_release", event.pk),
        )
        for event in events.only("sequence", "set_aside")
    }


def _cause(letter: DeadLetter) -> GapCause:
    if letter.replayed_at is not None:
        return GapCause("it was in the dead letters and has been replayed.", on_its_way=True)
    detail = f": {letter.detail[:200]}" if letter.detail else ""
    return GapCause(
        f"it is in the dead letters ({letter.reason.replace('_', ' ')}{detail}). An admin can replay it.",
        _page("admin:consumers_deadletter_change", letter.pk),
    )


def _page(name: str, key: object) -> str:
    try:
        return reverse(name, args=[key])
    except NoReverseMatch:
        return ""
