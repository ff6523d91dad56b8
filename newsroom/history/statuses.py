"""Foreign statuses in the terms of this newsroom.

Accepted, Active and Final are public there, so each of them is `published` here: an article's first publication is the
same event in both. What was approved or provisionally accepted waits in review; what was refused, withdrawn, replaced
or put off is archived; anything else, an unknown word too, is a draft. The foreign word itself is kept in
Article.source_status, so a step between two of the same kind (Accepted to Final) is still a change in the trail.
"""

from newsroom.models import Status

_STATUSES = {
    Status.PUBLISHED: ("Accepted", "Active", "Final"),
    Status.IN_REVIEW: ("Provisional", "Approved", "Acepted", "Complete", "Finished"),
    Status.ARCHIVED: (
        "Rejected",
        "Withdrawn",
        "Withdrawal",
        "Superseded",
        "Replaced",
        "Deferred",
        "Postponed",
        "April Fool!",
    ),
}
_NEWSROOM_STATUS = {word: status for status, words in _STATUSES.items() for word in words}


def newsroom_status(word: str) -> Status:
    return _NEWSROOM_STATUS.get(word, Status.DRAFT)
