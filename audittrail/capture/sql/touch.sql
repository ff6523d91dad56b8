-- Records that the current transaction touched an article.  What was there before the first touch is kept; later
-- touches only add to it.  touched_fields: what a trigger saw change; scalars_before: field → value before, where the
-- article's own row is updated or deleted; text_fields, texts_before: names and contents of its long texts before,
-- those that were changed.
--
-- The fold is queued by a row of its own, of no article: the first touch of a transaction inserts it, the fold deletes
-- it with the touches.  No setting takes part, so nothing that a session may set keeps a touch from being folded; and a
-- savepoint's rollback undoes row and queue alike.  All is done by unique keys and nothing is read, so that SERIALIZABLE
-- transactions on different articles have no conflict here.
-- True where it is the article's first touch: PL/pgSQL evaluates an assignment without starting a query, as PERFORM does.
CREATE OR REPLACE FUNCTION audit_touch(
  kind text, object_pk text, touched_fields text[], is_insert boolean, scalars_before jsonb, text_fields text[],
  texts_before text[], is_explicit_save boolean DEFAULT false
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  written integer;
BEGIN
  INSERT INTO audit_touched VALUES
    (pg_current_xact_id(), kind || ':' || object_pk, kind, object_pk, current_setting('audit.context', true),
     touched_fields, is_insert, scalars_before, text_fields, texts_before, is_explicit_save),
    (pg_current_xact_id(), '', '', '', NULL, '{}', false, '{}', '{}', '{}', false)
  ON CONFLICT DO NOTHING;
  GET DIAGNOSTICS written = ROW_COUNT;
  IF written = 0 THEN
    PERFORM audit_touch_again(pg_current_xact_id(), kind || ':' || object_pk, touched_fields, is_insert,
                              scalars_before, text_fields, texts_before, is_explicit_save);
  END IF;
  RETURN written > 0;
END $$;

-- As audit_touch, by a related row: most of them add nothing to what the article's own row, or the related row before,
-- has recorded, which is cheaper to see than to try.  Under SERIALIZABLE nothing is read.
CREATE OR REPLACE FUNCTION audit_touch_related(
  kind text, object_pk text, touched_fields text[], values_before jsonb, text_fields text[], texts_before text[]
) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  adds_nothing boolean;
BEGIN
  IF current_setting('transaction_isolation') <> 'serializable' THEN
    SELECT t.touched_fields @> audit_touch_related.touched_fields AND t.text_fields @> audit_touch_related.text_fields
           AND (values_before = '{}' OR t.scalars_before @> (values_before || t.scalars_before))
    INTO adds_nothing
    FROM audit_touched t
    WHERE t.xid = pg_current_xact_id() AND t.article_id = audit_touch_related.kind || ':' || audit_touch_related.object_pk;
  END IF;
  IF adds_nothing THEN RETURN false; END IF;
  RETURN audit_touch(kind, object_pk, touched_fields, false, values_before, text_fields, texts_before);
END $$;

-- Adds to an earlier touch what it has not; a touch that adds nothing writes nothing.
CREATE OR REPLACE FUNCTION audit_touch_again(
  transaction_id xid8, article text, touched_fields text[], is_insert boolean, scalars_before jsonb,
  text_fields text[], texts_before text[], is_explicit_save boolean
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audit_touched AS t (xid, article_id, touched_fields, is_insert, scalars_before, text_fields,
                                  texts_before, is_explicit_save)
  VALUES (transaction_id, article, touched_fields, is_insert, scalars_before, text_fields, texts_before,
          is_explicit_save)
  ON CONFLICT (xid, article_id) DO UPDATE SET
    touched_fields = t.touched_fields || excluded.touched_fields,
    is_insert = t.is_insert OR excluded.is_insert,
    is_explicit_save = t.is_explicit_save OR excluded.is_explicit_save,
    scalars_before = excluded.scalars_before || t.scalars_before,
    -- Texts that nothing is added to are not unpacked.
    text_fields = CASE WHEN t.text_fields @> excluded.text_fields THEN t.text_fields ELSE t.text_fields || ARRAY(
      SELECT field FROM unnest(excluded.text_fields) WITH ORDINALITY AS new(field, place)
      WHERE field <> ALL (t.text_fields) ORDER BY place) END,
    texts_before = CASE WHEN t.text_fields @> excluded.text_fields THEN t.texts_before ELSE t.texts_before || ARRAY(
      SELECT value FROM unnest(excluded.text_fields, excluded.texts_before) WITH ORDINALITY AS new(field, value, place)
      WHERE field <> ALL (t.text_fields) ORDER BY place) END
  WHERE NOT (t.touched_fields @> excluded.touched_fields AND t.text_fields @> excluded.text_fields
             AND t.is_insert >= excluded.is_insert AND t.is_explicit_save >= excluded.is_explicit_save
             AND t.scalars_before @> (excluded.scalars_before || t.scalars_before));
END $$;
