-- The ordinary bulk change: of each article only short values and relations differ, as triggers saw it, and it was there
-- before and stays.  One set, without what the general fold does for texts, keyframes, creations and drift.

-- Folds those articles, of these, for which that holds, and takes them from what was touched.  The caller holds the
-- locks of their heads.
CREATE OR REPLACE FUNCTION audit_fold_short(transaction_id xid8, article_ids text[]) RETURNS void LANGUAGE plpgsql
SET work_mem = '64MB' SET enable_nestloop = off SET enable_mergejoin = off AS $$
BEGIN
  WITH touched AS MATERIALIZED (
    SELECT t.article_id, t.kind, t.object_pk, coalesce(t.context, '') AS context, t.scalars_before, t.touched_fields,
           t.touched_fields || ARRAY(SELECT jsonb_object_keys(t.scalars_before)) AS explained_fields
    FROM audit_touched t
    WHERE t.xid = transaction_id AND t.article_id <> '' AND t.text_fields = '{}'
      AND NOT t.is_insert AND NOT t.is_explicit_save
  ), contexts AS MATERIALIZED (
    SELECT p.context, p.parsed -> 'actor' ->> 'type' AS actor_type, p.parsed -> 'actor' ->> 'id' AS actor_id,
           nullif(p.parsed -> 'actor' -> 'snapshot', 'null') AS snapshot,
           coalesce(nullif(p.parsed -> 'context', 'null'), '{}') AS origin,
           coalesce((p.parsed ->> 'occurred_at')::timestamptz, now()) AS occurred_at, (
             SELECT max(v.version) FROM audittrail_actorversion v
             WHERE v.actor_id = p.parsed -> 'actor' ->> 'id') AS actor_version
    FROM (SELECT context, coalesce(audit_parsed_context(context), audit_unknown_context()) AS parsed
          FROM touched GROUP BY context) p
  ), live AS MATERIALIZED (
    -- Of relations and labels, those that some article was touched in.
    SELECT g.kind, s.object_pk, s.scalars, s.relations, s.labels
    FROM (SELECT kind, array_agg(object_pk) AS pks FROM touched GROUP BY kind) g CROSS JOIN LATERAL audit_states(
      g.kind, g.pks, ARRAY(SELECT DISTINCT unnest(t.touched_fields) FROM touched t WHERE t.kind = g.kind)) s
  ), heads AS MATERIALIZED (
    SELECT h.article_id, h.sequence, h.hash, h.leaves, h.labels AS last_labels, h.scalars AS last_scalars,
           h.relations AS last_relations, h.scalars || h.relations AS short_before
    FROM audittrail_head h
    WHERE h.article_id = ANY (article_ids) AND h.alive AND NOT h.keyframe_due
      AND (h.sequence + 1) % @keyframe_interval@ <> 0
  ), joined AS MATERIALIZED (
    SELECT t.*, h.sequence + 1 AS next_sequence, h.hash, h.leaves, h.last_labels, h.last_scalars, h.short_before,
           l.scalars, h.last_relations || l.relations AS relations, l.labels,
           h.short_before || l.scalars || l.relations AS short_now,
           clock_timestamp() AS captured_at, uuid_send(gen_random_uuid()) AS salt
    FROM touched t JOIN heads h USING (article_id) JOIN live l ON l.kind = t.kind AND l.object_pk = t.object_pk
  ), changed AS MATERIALIZED (
    -- What was there before the transaction is what was captured last, no field has come or gone, and nothing differs
    -- but what triggers saw.  The fields that differ, their entries in the event, and the leaves of all.
    SELECT j.*, c.names, c.entries, j.leaves || c.new_leaves AS all_leaves
    FROM joined j CROSS JOIN LATERAL (
      SELECT array_agg(n) AS names, jsonb_agg(audit_change_entry(n, j.short_before -> n, value)) AS entries,
             jsonb_object_agg(n, audit_short_leaf(j.salt, n, value)) AS new_leaves
      FROM jsonb_each(j.short_now) AS each(n, value) WHERE j.short_before -> n IS DISTINCT FROM value) c
    WHERE j.scalars_before <@ j.last_scalars AND j.last_scalars || j.scalars = j.scalars
      AND j.short_before ?& j.explained_fields
      AND j.short_now - j.explained_fields = j.short_before - j.explained_fields
      AND c.names IS NOT NULL
  ), with_digest AS MATERIALIZED (
    SELECT c.*, k.actor_type, k.actor_id, k.actor_version, k.snapshot, k.origin, k.occurred_at,
           audit_uuid7(c.captured_at) AS event_id, (
             SELECT sha256(decode(string_agg(entry, '' ORDER BY field COLLATE "C"), 'hex'))
             FROM jsonb_each_text(c.all_leaves) AS each(field, entry)) AS state_digest
    FROM changed c JOIN contexts k USING (context)
  ), with_hash AS MATERIALIZED (
    SELECT d.*, sha256(audit_hashed(
             d.hash, d.event_id, d.article_id, d.kind, d.next_sequence, 'update', d.occurred_at, d.captured_at,
             d.actor_type, d.actor_id, d.actor_version, d.origin, d.salt, d.state_digest)) AS next_hash
    FROM with_digest d
  ), appended_events AS (
    INSERT INTO audittrail_outboxevent (event_id, article_id, kind, sequence, operation, title, status, occurred_at,
      recorded_at, actor_type, actor_id, actor_version, context, changes, labels, salt, state_digest, previous_hash,
      hash, slot, actor_snapshot, keyframe, scalars, relations, text_fields, texts_before, texts_after)
    SELECT h.event_id, h.article_id, h.kind, h.next_sequence, 'update',
      coalesce(h.scalars ->> audit_title_field(h.kind), ''), h.scalars ->> audit_status_field(h.kind),
      h.occurred_at, h.captured_at, h.actor_type, h.actor_id, h.actor_version, h.origin, h.entries,
      audit_labels_of(h.names, h.last_labels, h.labels), h.salt, h.state_digest, h.hash, h.next_hash,
      audit_slot(h.article_id), h.snapshot, false, NULL, NULL, '{}', '{}', '{}'
    FROM with_hash h ORDER BY h.article_id
  ), updated_heads AS (
    UPDATE audittrail_head h SET sequence = n.next_sequence, scalars = n.scalars, relations = n.relations,
      leaves = n.all_leaves, labels = (n.last_labels - n.touched_fields) || n.labels, state_digest = n.state_digest,
      hash = n.next_hash, event_id = n.event_id, recorded_at = n.captured_at
    FROM with_hash n WHERE h.article_id = n.article_id AND h.article_id = ANY (article_ids)
  )
  DELETE FROM audit_touched t USING with_hash h WHERE t.xid = transaction_id AND t.article_id = h.article_id;
END $$;
