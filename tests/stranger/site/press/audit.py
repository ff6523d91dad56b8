"""What of the press is kept in the audit trail."""

from audittrail import Relation, track, track_actor
from tests.stranger.site.press.models import Article, Person, Topic

track(
    Article,
    fields=(
        "title", "number", "topic", "agency", "editor", "place", "keywords", "deadlines", "embargo", "pages", "layout",
        "price", "reading_time",
    ),
    texts=("summary", "body"),
    relations=(
        Relation("images", order="position", fields=("caption", "alt")),
        Relation("translations", fields=("language",), texts=("text",)),
        Relation("footnotes", texts=("text",)),
        Relation("contributions", value="person", label="name"),
        Relation("corrections", fields=("note",)),
    ),
    labels={"topic": "name", "agency": "name", "editor": "name"},
    title="title",
)  # fmt: skip
track(Topic, fields=("slug", "name"), title="name")
track_actor(Person, name="name")
