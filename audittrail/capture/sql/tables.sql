-- Tables of capture that are no models.  A touch exists only as long as its transaction: nothing to log, nothing
-- to recover.
CREATE UNLOGGED TABLE IF NOT EXISTS audit_touched (
  xid xid8 NOT NULL,
  article_id text COLLATE "C" NOT NULL,
  kind text NOT NULL,
  object_pk text NOT NULL,
  context jsonb,
  touched_fields text[] NOT NULL,
  is_insert boolean NOT NULL,
  scalars_before jsonb NOT NULL,
  text_fields text[] NOT NULL,
  texts_before text[] NOT NULL,
  is_explicit_save boolean NOT NULL,
  is_first_touch boolean NOT NULL,
  PRIMARY KEY (xid, article_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
-- Names that columns had when earlier versions installed the table.
DO $$
DECLARE
  old_name text;
  new_name text;
BEGIN
  FOR old_name, new_name IN VALUES
    ('noted', 'touched_fields'), ('born', 'is_insert'), ('before', 'scalars_before'),
    ('saved', 'is_explicit_save'), ('leads', 'is_first_touch')
  LOOP
    IF EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = 'audit_touched'::regclass AND attname = old_name) THEN
      EXECUTE format('ALTER TABLE audit_touched RENAME COLUMN %I TO %I', old_name, new_name);
    END IF;
  END LOOP;
END $$;
ALTER TABLE audit_touched ALTER texts_before SET COMPRESSION lz4;
ALTER TABLE audittrail_outboxevent ALTER texts_before SET COMPRESSION lz4, ALTER texts_after SET COMPRESSION lz4;

-- A head is rewritten by every event: it is kept in one piece, with free space in its page.
ALTER TABLE audittrail_head SET (fillfactor = 60, toast_tuple_target = 8160);

CREATE TABLE IF NOT EXISTS audit_mask_secret (secret bytea NOT NULL);
INSERT INTO audit_mask_secret SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
WHERE NOT EXISTS (SELECT 1 FROM audit_mask_secret);
