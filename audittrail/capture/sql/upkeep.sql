-- Gives articles that were there before the trail their first event.
CREATE OR REPLACE FUNCTION audit_baseline(kind text, object_pks text[]) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  missing text[] := ARRAY(
    SELECT pk FROM unnest(object_pks) AS pk
    WHERE NOT EXISTS (
      SELECT 1 FROM audittrail_head h WHERE h.article_id = audit_baseline.kind || ':' || pk AND h.alive));
BEGIN
  PERFORM audit_touch(kind, pk, '{}', true, '{}', '{}', '{}') FROM unnest(missing) AS pk;
  RETURN cardinality(missing);
END $$;

-- Articles whose live rows are not what was last captured of them, and in which fields: changed while triggers were
-- off.
-- "*" stands for an article that is not live, or was never captured.
CREATE OR REPLACE FUNCTION audit_drift(kind text, object_pks text[]) RETURNS TABLE (article_id text, fields text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp @settings@ AS $$
  SELECT coalesce(h.article_id, audit_drift.kind || ':' || l.object_pk),
         CASE WHEN h.article_id IS NULL OR l.object_pk IS NULL THEN '{*}'::text[] ELSE differing.names END
  FROM (
    SELECT s.object_pk, s.scalars || s.relations || coalesce(texts.hashes, '{}') AS state
    FROM audit_states(audit_drift.kind, object_pks) s
    JOIN audit_texts(audit_drift.kind, object_pks) t USING (object_pk)
    CROSS JOIN LATERAL (
      SELECT jsonb_object_agg(n, audit_text_hash(x)) AS hashes
      FROM unnest(t.text_fields, t.texts) AS u(n, x)) texts) l
  FULL JOIN (
    SELECT * FROM audittrail_head o
    WHERE o.kind = audit_drift.kind AND o.object_pk = ANY (object_pks) AND o.alive) h ON h.object_pk = l.object_pk
  CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(n ORDER BY n), '{}') AS names
    FROM jsonb_each(h.scalars || h.relations || h.text_hashes) AS captured(n, value)
    WHERE value IS DISTINCT FROM l.state -> n) differing
  WHERE h.article_id IS NULL OR l.object_pk IS NULL OR differing.names <> '{}'
$$;

CREATE OR REPLACE FUNCTION audit_request_keyframe(article text) RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  UPDATE audittrail_head SET keyframe_due = true WHERE article_id = article
$$;

CREATE OR REPLACE FUNCTION audit_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % would remove articles without a trace in the audit trail', TG_TABLE_NAME
    USING HINT = 'Use DELETE, which is recorded.';
END $$;
