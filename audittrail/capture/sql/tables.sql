-- Tables of capture that are no models.  A touch exists only as long as its transaction: nothing to log, nothing
-- to recover; so a table of an earlier version is made anew, when no transaction uses it.
DO $$
BEGIN
  IF to_regclass('audit_touched') IS NOT NULL AND ARRAY(
    SELECT attname::text || ' ' || format_type(atttypid, NULL) FROM pg_attribute
    WHERE attrelid = to_regclass('audit_touched') AND attnum > 0 AND NOT attisdropped ORDER BY attnum
  ) <> '{xid xid8,article_id text,kind text,object_pk text,context text,touched_fields text[],is_insert boolean,scalars_before jsonb,text_fields text[],texts_before text[],is_explicit_save boolean}' THEN
    DROP TABLE audit_touched;
  END IF;
END $$;
-- The row without an article stands for the transaction: inserting it queues the fold.
CREATE UNLOGGED TABLE IF NOT EXISTS audit_touched (
  xid xid8 NOT NULL,
  article_id text COLLATE "C" NOT NULL,
  kind text NOT NULL DEFAULT '',
  object_pk text NOT NULL DEFAULT '',
  context text,
  touched_fields text[] NOT NULL DEFAULT '{}',
  is_insert boolean NOT NULL DEFAULT false,
  scalars_before jsonb NOT NULL DEFAULT '{}',
  text_fields text[] NOT NULL DEFAULT '{}',
  texts_before text[] NOT NULL DEFAULT '{}',
  is_explicit_save boolean NOT NULL DEFAULT false,
  PRIMARY KEY (xid, article_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER TABLE audit_touched ALTER texts_before SET COMPRESSION lz4;
ALTER TABLE audittrail_outboxevent ALTER texts_before SET COMPRESSION lz4, ALTER texts_after SET COMPRESSION lz4;

-- A head is rewritten by every event: it is kept in one piece, with free space in its page.
ALTER TABLE audittrail_head SET (fillfactor = 60, toast_tuple_target = 8160);

CREATE TABLE IF NOT EXISTS audit_mask_secret (secret bytea NOT NULL);
INSERT INTO audit_mask_secret SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
WHERE NOT EXISTS (SELECT 1 FROM audit_mask_secret);
