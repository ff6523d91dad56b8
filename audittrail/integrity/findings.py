"""What verification can find wrong, each kind by its name."""

from typing import NamedTuple

KINDS = {
    "capture_off": "capture is not what it should be in the database, so changes may have passed unrecorded: run "
    "manage.py install_capture",
    "missing": "an event that was captured is not in this store, though later ones of its article are",
    "cut_off": "the newest events of an article are not in this store",
    "altered": "an event is not what was captured: its content or metadata was changed afterwards",
    "reordered": "an event stands at another sequence than it was captured at",
    "forged": "an event that is sound by itself is not the one that was captured at its place: a second history",
    "fork": "two events claimed one place in an article; the later one was refused and kept as evidence",
    "added": "a store holds an event, a document or an object that was never captured or stored by the trail",
    "doubled": "a store holds an event more than once",
    "head_altered": "the capture head of an article was set back or changed",
    "live_differs": "a live article is not what was last captured of it: it was changed while triggers were off",
    "object_missing": "an object of the archive is not there",
    "object_changed": "an object of the archive is not what was written",
    "unavailable": "a store could not be read, so it proves nothing",
}


class Finding(NamedTuple):
    """`kind` of KINDS; `store`: capture, database, index or archive; sequence 0 where it is about a whole article or
    object.
    """

    store: str
    kind: str
    article_id: str
    sequence: int
    detail: str
