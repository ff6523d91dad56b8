"""What of the contestants this trail tracks: its own article."""

from audittrail import Relation, track
from benchmarks.peers.models import TrailArticle

track(
    TrailArticle,
    fields=("headline", "status"),
    texts=("body",),
    relations=(Relation("tags", label="name"), Relation("credits", value="author", order="position", label="name")),
    title="headline",
    status="status",
)
