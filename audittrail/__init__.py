"""Every change to an article, in order, for ever, findable within a second, and provably complete.

Plug a model in with `track` (in the `audit.py` of its app), say who acts with `context`.
"""

from audittrail.capture.acting import Actor
from audittrail.capture.context import context, fold_now, record_save
from audittrail.tracking import Relation, article_id, track, track_actor

__all__ = ["Actor", "Relation", "article_id", "context", "fold_now", "record_save", "track", "track_actor"]
