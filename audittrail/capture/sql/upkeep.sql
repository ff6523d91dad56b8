-- Gives articles that were there before the trail their first event.
CREATE OR REPLACE FUNCTION audit_baseline(kind text, object_pks text[]) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  missing text[] := ARRAY(
    SELECT pk FROM unnest(object_pks) AS pk
    WHERE NOT EXISTS (
      SELECT 1 FROM audittrail_head h WHERE h.article_id = audit_baseline.kind || ':' || pk AND h.alive));
BEGIN
  PERFORM audit_require_tracked(kind);
  PERFORM audit_touch(kind, pk, '{}', true, '{}', '{}', '{}') FROM unnest(missing) AS pk;
  RETURN cardinality(missing);
END $$;

-- Makes an event of what a migration did to articles of a kind: to all of them where it changed these fields (patterns of
-- LIKE), else to those that were captured with other fields than are tracked now.  Returns how many were asked.  In
-- portions, so that memory is enough for any number.
CREATE OR REPLACE FUNCTION audit_follow(kind text, changed_fields text[]) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp @settings@ AS $$
DECLARE
  fields text[] := coalesce(audit_fields(kind), '{}');
  pks text[] := ARRAY(
    SELECT h.object_pk FROM audittrail_head h
    WHERE h.kind = audit_follow.kind AND h.alive
      AND (changed_fields <> '{}' OR audit_has_fields(h, h.kind) IS NOT TRUE)
    ORDER BY h.article_id);
BEGIN
  FOR portion IN 0 .. (cardinality(pks) - 1) / 1000 LOOP
    PERFORM audit_touch(h.kind, h.object_pk, ARRAY(
        SELECT n FROM (SELECT jsonb_object_keys(h.scalars || h.relations || h.text_hashes) UNION SELECT unnest(fields)) u (n)
        WHERE n LIKE ANY (changed_fields) OR n <> ALL (fields) OR NOT (h.scalars || h.relations || h.text_hashes) ? n
      ), false, '{}', '{}', '{}')
    FROM audittrail_head h
    WHERE h.article_id = ANY (ARRAY(
      SELECT audit_follow.kind || ':' || pk FROM unnest(pks[portion * 1000 + 1 : portion * 1000 + 1000]) AS pk));
    PERFORM audit_fold_now();
  END LOOP;
  RETURN cardinality(pks);
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
    FROM audit_states(audit_drift.kind, object_pks, audit_fields(audit_drift.kind)) s
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
