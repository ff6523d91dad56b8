"""Types and tables of capture that are no models, and how the trail's own are stored."""

from audittrail.capture.objects import CompositeType, Storage, Table

TYPES = (
    # An article as its rows are now, or a part of it.
    CompositeType(
        "audit_state",
        (
            ("object_pk", "text"),
            ("scalars", "jsonb"),
            ("relations", "jsonb"),
            ("labels", "jsonb"),
            ("text_fields", "text[]"),
            ("texts", "text[]"),
        ),
    ),
    # What an ordinary save changed of it.
    CompositeType(
        "audit_change",
        (
            ("names", "text[]"),
            ("entries", "jsonb"),
            ("leaves", "jsonb"),
            ("text_hashes", "jsonb"),
            ("salt", "bytea"),
            ("text_fields", "text[]"),
            ("texts_before", "text[]"),
            ("texts_after", "text[]"),
        ),
    ),
)

TABLES = (
    # The row without an article stands for the transaction: inserting it queues the fold.
    Table(
        "audit_touched",
        (
            ("xid", "xid8", "NOT NULL"),
            ("article_id", "text", 'COLLATE "C" NOT NULL'),
            ("kind", "text", "NOT NULL DEFAULT ''"),
            ("object_pk", "text", "NOT NULL DEFAULT ''"),
            ("context", "text", ""),
            ("touched_fields", "text[]", "NOT NULL DEFAULT '{}'"),
            ("is_insert", "boolean", "NOT NULL DEFAULT false"),
            ("scalars_before", "jsonb", "NOT NULL DEFAULT '{}'"),
            ("text_fields", "text[]", "NOT NULL DEFAULT '{}'"),
            ("texts_before", "text[]", "COMPRESSION lz4 NOT NULL DEFAULT '{}'"),
            ("is_explicit_save", "boolean", "NOT NULL DEFAULT false"),
        ),
        key=("xid", "article_id"),
        options="autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000",
        passing=True,
    ),
    Table("audit_mask_secret", (("secret", "bytea", "NOT NULL"),)),
)

MASK_KEY = """INSERT INTO audit_mask_secret SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
WHERE NOT EXISTS (SELECT 1 FROM audit_mask_secret);"""

STORAGE = (
    Storage("audittrail_outboxevent", compressed=("texts_before", "texts_after")),
    # A head is rewritten by every event: it is kept in one piece, with free space in its page.
    Storage("audittrail_head", options=("fillfactor=60", "toast_tuple_target=8160")),
)
