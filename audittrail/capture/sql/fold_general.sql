-- The general fold: any number of articles, and whatever may have happened to them.  A bulk change is folded as one;
-- work_mem keeps it in memory, and joins are by hash, as nothing is known of how many rows each step has.  Heads are
-- read by these keys alone.  The caller holds their locks.
CREATE OR REPLACE FUNCTION audit_fold_general(transaction_id xid8, article_ids text[]) RETURNS void LANGUAGE plpgsql
SET work_mem = '64MB' SET enable_nestloop = off SET enable_mergejoin = off AS $$
DECLARE
  out_of_band text[];
  unchanged text[];
BEGIN
  -- Each pass is a new statement: its snapshot has all that earlier holders of these locks have committed.
  -- A difference that no trigger saw (a row changed while triggers were off) becomes an event of its own in a first
  -- pass.
  LOOP
    -- A state is a jsonb of field → value: scalars as text, relations as arrays of identities, long texts as hashes.
    -- "short" is a state without its long texts.
    WITH touched AS MATERIALIZED (
      -- What the triggers recorded; before: the part of the state before that they saw.
      SELECT t.article_id, t.kind, t.object_pk, coalesce(t.context, '') AS context, t.touched_fields, t.is_insert, t.is_explicit_save,
             t.text_fields, t.texts_before,
             t.scalars_before || coalesce((
               SELECT jsonb_object_agg(n, audit_text_hash(x)) FROM unnest(t.text_fields, t.texts_before) AS u(n, x)
             ), '{}') AS before
      FROM audit_touched t WHERE t.xid = transaction_id AND t.article_id <> ''
    ), contexts AS MATERIALIZED (
      -- Who acts, and as of which version: asked once for all that a context changed.
      SELECT p.*, (SELECT max(v.version) FROM audittrail_actorversion v
                   WHERE v.actor_id = p.parsed -> 'actor' ->> 'id') AS actor_version
      FROM (SELECT context, coalesce(audit_parsed_context(context), audit_unknown_context()) AS parsed
            FROM touched GROUP BY context) p
    ), live AS MATERIALIZED (
      -- The articles as their rows are now, all of one kind at a time: each kind has a query of its own.
      SELECT g.kind, s.* FROM (SELECT kind, array_agg(object_pk) AS pks FROM touched GROUP BY kind) g
      CROSS JOIN LATERAL audit_states(g.kind, g.pks, audit_fields(g.kind)) s
    ), heads AS MATERIALIZED (
      SELECT * FROM audittrail_head WHERE article_id = ANY (article_ids)
    ), joined_with_head AS MATERIALIZED (
      -- With what was captured last.  explained_fields: those whose change a trigger saw.
      SELECT t.*, h.sequence, h.alive AS was_alive, h.hash, h.leaves, h.labels AS last_labels, h.keyframe_due,
             h.text_hashes AS last_text_hashes, h.scalars || h.relations AS short_before,
             l.object_pk IS NOT NULL AS is_alive, l.scalars, l.relations, l.labels,
             l.scalars || l.relations AS short_now,
             t.touched_fields || ARRAY(SELECT jsonb_object_keys(t.before)) AS explained_fields
      FROM touched t JOIN heads h USING (article_id)
      LEFT JOIN live l ON l.kind = t.kind AND l.object_pk = t.object_pk
    ), with_text_decision AS MATERIALIZED (
      -- Long texts are read where they were changed, or something was that no trigger saw, and for each keyframe; to
      -- read and hash them at every save would cost more than all else.
      SELECT j.*, j.is_alive AND (
               j.text_fields <> '{}' OR j.is_insert OR NOT j.was_alive OR j.keyframe_due
               OR (j.sequence + 1) % @keyframe_interval@ = 0
               OR (j.short_now - j.explained_fields) IS DISTINCT FROM (j.short_before - j.explained_fields)
               OR NOT (j.before - j.text_fields) <@ j.short_before
               -- a migration changed the column
               OR (j.last_text_hashes - j.text_fields) ?| j.touched_fields
               -- a related row came or went, with values of its own
               OR NOT ((j.short_before || j.last_text_hashes) ?& j.touched_fields
                       AND (j.short_now || j.last_text_hashes) ?& j.touched_fields)) AS must_read_texts
      FROM joined_with_head j
    ), live_texts AS MATERIALIZED (
      -- The long texts as they are now, and their hashes, of those articles only.
      SELECT g.kind, s.*, (
               SELECT coalesce(jsonb_object_agg(n, audit_text_hash(x)), '{}')
               FROM unnest(s.text_fields, s.texts) AS u(n, x)) AS hashes
      FROM (SELECT kind, array_agg(object_pk) AS pks FROM with_text_decision WHERE must_read_texts GROUP BY kind) g
      CROSS JOIN LATERAL audit_texts(g.kind, g.pks) s
    ), with_states AS MATERIALIZED (
      -- The whole state as captured last and as it is now; texts that were not read are as they were.
      SELECT d.*, d.short_before || d.last_text_hashes AS state_before,
             coalesce(l.hashes, d.last_text_hashes) AS text_hashes,
             d.short_now || coalesce(l.hashes, d.last_text_hashes) AS state_now
      FROM with_text_decision d LEFT JOIN live_texts l ON l.kind = d.kind AND l.object_pk = d.object_pk
    ), with_out_of_band AS MATERIALIZED (
      -- A change out of band: the state before this transaction, as the triggers saw it, is not the one captured last.
      -- The event then leads to what was there before this transaction; the next pass captures the transaction's own.
      SELECT s.*, out_of_band.state IS NOT NULL AS is_out_of_band,
             CASE WHEN out_of_band.state IS NULL THEN s.state_now
                  ELSE s.state_before || out_of_band.state END AS state_after
      FROM with_states s CROSS JOIN LATERAL (SELECT CASE
        -- Most saves: nothing differs but what the triggers saw.
        WHEN s.is_insert OR (s.was_alive AND s.before <@ s.state_before
                             AND s.state_now - s.explained_fields = s.state_before - s.explained_fields) THEN NULL
        -- Rows of its relations outlived the article, as where a deletion cascades: their values are no article.
        WHEN NOT s.was_alive AND s.state_now IS NULL
             AND NOT EXISTS (SELECT FROM jsonb_object_keys(s.before) AS n WHERE n NOT LIKE '%/%') THEN NULL
        ELSE (
          SELECT jsonb_object_agg(n, coalesce(s.before -> n, s.state_now -> n))
          FROM jsonb_object_keys(s.state_before || coalesce(s.state_now, s.before)) AS n
          WHERE CASE WHEN s.was_alive AND NOT s.state_before ? n THEN false
                     WHEN s.before ? n THEN s.before -> n IS DISTINCT FROM s.state_before -> n
                     WHEN s.state_now IS NULL OR NOT s.state_now ? n THEN false
                     WHEN n = ANY (s.touched_fields) THEN NOT s.state_before ? n
                     ELSE s.state_now -> n IS DISTINCT FROM s.state_before -> n END) END AS state) out_of_band
    ), changed AS MATERIALIZED (
      -- The articles that get an event, and the fields that differ.  The actor of a change out of band is unknown.
      SELECT o.*, o.sequence + 1 AS next_sequence, clock_timestamp() AS captured_at,
             uuid_send(gen_random_uuid()) AS salt, differing.names,
             CASE WHEN o.state_after IS NULL THEN 'delete'
                  WHEN o.was_alive THEN 'update' ELSE 'create' END AS operation,
             CASE WHEN o.is_out_of_band THEN '{"actor": {"type": "unknown"}}' ELSE k.parsed END AS event_context,
             CASE WHEN NOT o.is_out_of_band THEN k.actor_version END AS actor_version,
             ARRAY(SELECT jsonb_object_keys(o.last_text_hashes || coalesce(o.text_hashes, '{}'))) AS text_names
      FROM with_out_of_band o JOIN contexts k USING (context) CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(n ORDER BY n COLLATE "C"), '{}') AS names
        FROM jsonb_object_keys(o.state_before || coalesce(o.state_after, '{}')) AS n
        WHERE o.state_before -> n IS DISTINCT FROM o.state_after -> n) differing
      WHERE (o.was_alive OR o.state_after IS NOT NULL)
        AND (o.was_alive <> (o.state_after IS NOT NULL) OR differing.names <> '{}'
             OR (o.is_explicit_save AND NOT o.is_out_of_band))
    ), with_keyframe_decision AS MATERIALIZED (
      -- A keyframe makes any version cheap to rebuild, and is needed where the changes alone do not lead to the state.
      SELECT c.*, c.state_after IS NOT NULL AND c.text_names && c.names AS has_changed_texts,
             c.state_after IS NOT NULL AND (
               NOT c.was_alive OR c.is_out_of_band OR c.keyframe_due OR c.next_sequence % @keyframe_interval@ = 0
               -- the text before is not known
               OR EXISTS (SELECT 1 FROM unnest(c.names) n WHERE n = ANY (c.text_names) AND n <> ALL (c.text_fields))
               -- other fields are tracked than before
               OR NOT (c.state_after ?& ARRAY(SELECT jsonb_object_keys(c.state_before))
                       AND c.state_before ?& ARRAY(SELECT jsonb_object_keys(c.state_after)))) AS is_keyframe
      FROM changed c
    ), with_texts AS MATERIALIZED (
      -- The texts that the event carries: all of them on a keyframe, else those that changed.
      SELECT k.*, coalesce(x.fields, '{}') AS fields, coalesce(x.before, '{}') AS old_texts,
             coalesce(x.after, '{}') AS new_texts
      FROM with_keyframe_decision k LEFT JOIN live_texts l ON l.kind = k.kind AND l.object_pk = k.object_pk
      LEFT JOIN LATERAL (
        SELECT array_agg(n ORDER BY n COLLATE "C") AS fields,
               array_agg(CASE WHEN NOT k.is_out_of_band AND k.was_alive THEN old.value END
                         ORDER BY n COLLATE "C") AS before,
               array_agg(CASE WHEN k.is_out_of_band AND n = ANY (k.text_fields) THEN old.value ELSE (
                                SELECT value FROM unnest(l.text_fields, l.texts) AS a(field, value) WHERE field = n)
                              END ORDER BY n COLLATE "C") AS after
        FROM unnest(k.text_names) AS n
        CROSS JOIN LATERAL (
          SELECT (
            SELECT value FROM unnest(k.text_fields, k.texts_before) AS b(field, value) WHERE field = n) AS value) old
        WHERE k.state_after ? n AND (k.is_keyframe OR n = ANY (k.names))) x ON k.is_keyframe OR k.has_changed_texts
    ), with_leaves AS MATERIALIZED (
      -- The salted leaf of each field: those of a keyframe are all new, else unchanged fields keep the leaf they had.
      SELECT x.*, CASE WHEN x.state_after IS NULL THEN '{}'::jsonb ELSE
               CASE WHEN x.is_keyframe THEN '{}'
                    ELSE x.leaves - ARRAY(SELECT n FROM unnest(x.names) n WHERE NOT x.state_after ? n) END
               || coalesce(new.leaves, '{}') END AS all_leaves
      FROM with_texts x CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(n, audit_entry(x.salt, n,
                 CASE WHEN jsonb_typeof(x.state_after -> n) = 'array' THEN audit_identities(x.state_after -> n)
                      WHEN n = ANY (x.text_names) THEN audit_nullable((
                        SELECT value FROM unnest(x.fields, x.new_texts) AS a(field, value) WHERE field = n))
                      ELSE audit_nullable(x.state_after ->> n) END)) AS leaves
        FROM unnest(CASE WHEN x.is_keyframe THEN ARRAY(SELECT jsonb_object_keys(x.state_after)) ELSE x.names END) AS n
        WHERE x.state_after ? n) new
    ), with_digest AS MATERIALIZED (
      -- The digest of the whole state, the event's identity, its actor as of now, and what the head keeps of the state.
      SELECT l.*, (
               SELECT sha256(decode(coalesce(string_agg(entry, '' ORDER BY field COLLATE "C"), ''), 'hex'))
               FROM jsonb_each_text(l.all_leaves) AS each(field, entry)) AS state_digest,
             audit_uuid7(l.captured_at) AS event_id,
             coalesce((l.event_context ->> 'occurred_at')::timestamptz, now()) AS occurred_at,
             l.event_context -> 'actor' ->> 'type' AS actor_type, l.event_context -> 'actor' ->> 'id' AS actor_id,
             coalesce(nullif(l.event_context -> 'context', 'null'), '{}') AS origin,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'scalar')
                  ELSE coalesce(l.scalars, '{}') END AS next_scalars,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'relation')
                  ELSE coalesce(l.relations, '{}') END AS next_relations,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'text')
                  ELSE coalesce(l.text_hashes, '{}') END AS next_text_hashes
      FROM with_leaves l
    ), with_hash AS MATERIALIZED (
      -- The event's link in the chain; audittrail.integrity.chain computes the same from a stored event.
      SELECT d.*, sha256(audit_hashed(
               d.hash, d.event_id, d.article_id, d.kind, d.next_sequence, d.operation, d.occurred_at, d.captured_at,
               d.actor_type, d.actor_id, d.actor_version, d.origin, d.salt, d.state_digest)) AS next_hash
      FROM with_digest d
    ), appended_events AS (
      INSERT INTO audittrail_outboxevent (event_id, article_id, kind, sequence, operation, title, status, occurred_at,
        recorded_at, actor_type, actor_id, actor_version, context, changes, labels, salt, state_digest, previous_hash,
        hash, slot, actor_snapshot, keyframe, scalars, relations, text_fields, texts_before, texts_after)
      SELECT h.event_id, h.article_id, h.kind, h.next_sequence, h.operation,
        coalesce(CASE WHEN h.state_after IS NULL THEN h.state_before ELSE h.state_after END
                 ->> audit_title_field(h.kind), ''),
        h.state_after ->> audit_status_field(h.kind), h.occurred_at, h.captured_at,
        h.actor_type, h.actor_id, h.actor_version, h.origin,
        -- A creation is its keyframe, a deletion nothing.
        CASE WHEN h.operation <> 'update' THEN '[]' ELSE (
          SELECT coalesce(jsonb_agg(CASE
            WHEN n = ANY (h.text_names) AND h.state_after ? n THEN jsonb_build_object('field', n, 'kind', 'text')
            -- A text that went with its row is no field any more: its entry has what it was.
            WHEN n = ANY (h.text_names) THEN jsonb_build_object('field', n, 'kind', 'text', 'before', (
              SELECT value FROM unnest(h.text_fields, h.texts_before) AS b(field, value) WHERE field = n))
            ELSE audit_change_entry(n, h.state_before -> n, h.state_after -> n) END ORDER BY place), '[]')
          FROM unnest(h.names) WITH ORDINALITY AS each(n, place)) END,
        -- Names of what is there now and of what has gone.
        (SELECT coalesce(jsonb_object_agg(n, coalesce(h.last_labels -> n, '{}') || coalesce(h.labels -> n, '{}')), '{}')
         FROM jsonb_object_keys(h.last_labels || coalesce(h.labels, '{}')) AS n
         WHERE h.is_keyframe OR n = ANY (h.names)),
        h.salt, h.state_digest, h.hash, h.next_hash, audit_slot(h.article_id), nullif(h.event_context -> 'actor' -> 'snapshot', 'null'),
        h.is_keyframe, CASE WHEN h.is_keyframe THEN h.next_scalars END,
        CASE WHEN h.is_keyframe THEN h.next_relations END,
        h.fields, h.old_texts, h.new_texts
      FROM with_hash h ORDER BY h.article_id
    ), updated_heads AS (
      -- A keyframe that was asked for stays due until there is one.
      UPDATE audittrail_head h SET sequence = n.next_sequence, alive = n.state_after IS NOT NULL,
        keyframe_due = h.keyframe_due AND NOT n.is_keyframe, scalars = n.next_scalars, relations = n.next_relations,
        text_hashes = n.next_text_hashes, leaves = n.all_leaves, labels = coalesce(n.labels, '{}'),
        state_digest = n.state_digest, hash = n.next_hash, event_id = n.event_id, recorded_at = n.captured_at
      FROM with_hash n WHERE h.article_id = n.article_id AND h.article_id = ANY (article_ids)
    )
    SELECT coalesce(array_agg(article_id) FILTER (WHERE o.is_out_of_band), '{}'),
           array_agg(article_id) FILTER (WHERE n.next_hash IS NULL)
    INTO out_of_band, unchanged FROM with_out_of_band o LEFT JOIN with_hash n USING (article_id);
    IF unchanged IS NOT NULL THEN PERFORM audit_renew_heads(unchanged); END IF;
    EXIT WHEN out_of_band = '{}';
    DELETE FROM audit_touched WHERE xid = transaction_id AND article_id <> '' AND article_id <> ALL (out_of_band);
  END LOOP;
  -- Created and deleted in one transaction: never seen by anybody.
  DELETE FROM audittrail_head WHERE article_id = ANY (article_ids) AND sequence = 0;
END $$;
