-- Capture by a deferred fold.  Row triggers only record that an article was touched; when the transaction commits, one
-- deferred trigger builds an event for each touched article from its live rows, chained to the article's head.
-- "@schema@" stands for the schema of the trail.  Helpers of one expression are inlined by the planner
-- (STABLE, as convert_to is: an IMMUTABLE one would not be); what aggregates is
-- written where it is used, as a call of such a function costs more than its work.

CREATE OR REPLACE FUNCTION audit_length_prefixed(value text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT int4send(octet_length(value)) || convert_to(value, 'UTF8')
$$;

CREATE OR REPLACE FUNCTION audit_nullable(value text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value IS NULL THEN '\x00'::bytea ELSE '\x01'::bytea || audit_length_prefixed(value) END
$$;

CREATE OR REPLACE FUNCTION audit_identities(ids jsonb) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT '\x02'::bytea || int4send(jsonb_array_length(ids))
      || coalesce((SELECT string_agg(audit_length_prefixed(id), ''::bytea ORDER BY place)
                   FROM jsonb_array_elements_text(ids) WITH ORDINALITY AS each(id, place)), ''::bytea)
$$;

-- The entry of a field in the state digest, hex: its name and its salted leaf.
CREATE OR REPLACE FUNCTION audit_entry(salt bytea, field text, value bytea) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(audit_length_prefixed(field) || sha256(salt || audit_length_prefixed(field) || value), 'hex')
$$;

CREATE OR REPLACE FUNCTION audit_micros(moment timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;

-- RFC 9562: 48 bits of milliseconds, version 7, the rest random.
CREATE OR REPLACE FUNCTION audit_uuid7(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
           PLACING substring(int8send((extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
           52, 1), 53, 1), 'hex')::uuid
$$;

CREATE OR REPLACE FUNCTION audit_slot(article_id text) RETURNS smallint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT ((get_byte(sha256(convert_to(article_id, 'UTF8')), 0) << 8
           | get_byte(sha256(convert_to(article_id, 'UTF8')), 1)) & 1023)::smallint
$$;

CREATE OR REPLACE FUNCTION audit_mask(value text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN value IS NOT NULL
    THEN 'masked:' || left(
      encode(sha256((SELECT secret FROM audit_mask_secret) || convert_to(value, 'UTF8')), 'hex'), 16) END
$$;

CREATE OR REPLACE FUNCTION audit_text_hash(value text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(sha256(convert_to(value, 'UTF8')), 'hex')
$$;

-- The part of a state that holds its scalars, relations or hashes of texts.
CREATE OR REPLACE FUNCTION audit_part(state jsonb, text_names text[], part text) RETURNS jsonb
LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_object_agg(n, value), '{}') FROM jsonb_each(state) AS each(n, value)
  WHERE CASE WHEN n = ANY (text_names) THEN 'text'
             WHEN jsonb_typeof(value) = 'array' THEN 'relation' ELSE 'scalar' END = part
$$;

-- Records that the current transaction touched an article.  What was there before the first touch is kept; later
-- touches only add to it.  touched_fields: texts and relations that a trigger saw change; scalars_before: field → value
-- before, where the article's own row is updated or deleted; text_fields, texts_before: names and contents of its long
-- texts before, those that were changed.
CREATE OR REPLACE FUNCTION audit_touch(
  kind text, object_pk text, touched_fields text[], is_insert boolean, scalars_before jsonb, text_fields text[],
  texts_before text[], is_explicit_save boolean DEFAULT false
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  transaction_id xid8 := pg_current_xact_id();
  article text := kind || ':' || object_pk;
  -- Whether this transaction's fold does not wait for the commit yet.  A savepoint's rollback undoes it with the touch.
  is_first_touch boolean := current_setting('audit.fold_waits_in', true) IS DISTINCT FROM transaction_id::text;
BEGIN
  INSERT INTO audit_touched AS t
  VALUES (transaction_id, article, kind, object_pk, nullif(current_setting('audit.context', true), '')::jsonb,
          touched_fields, is_insert, scalars_before, text_fields, texts_before, is_explicit_save, is_first_touch)
  ON CONFLICT DO NOTHING;
  IF FOUND THEN
    IF is_first_touch THEN PERFORM set_config('audit.fold_waits_in', transaction_id::text, true); END IF;
    RETURN;
  END IF;
  UPDATE audit_touched t SET
    touched_fields = t.touched_fields || audit_touch.touched_fields,
    is_insert = t.is_insert OR audit_touch.is_insert,
    is_explicit_save = t.is_explicit_save OR audit_touch.is_explicit_save,
    scalars_before = audit_touch.scalars_before || t.scalars_before,
    (text_fields, texts_before) = (
      SELECT t.text_fields || coalesce(array_agg(field), '{}'), t.texts_before || coalesce(array_agg(value), '{}')
      FROM unnest(audit_touch.text_fields, audit_touch.texts_before) AS new(field, value)
      WHERE field <> ALL (t.text_fields))
  WHERE t.xid = transaction_id AND t.article_id = article
    -- A touch that adds nothing writes nothing.
    AND NOT (t.touched_fields @> audit_touch.touched_fields AND t.text_fields @> audit_touch.text_fields
             AND t.is_insert >= audit_touch.is_insert AND t.is_explicit_save >= audit_touch.is_explicit_save
             AND (audit_touch.scalars_before = '{}' OR t.scalars_before <> '{}'));
END $$;

-- Locks the heads of the articles that a transaction touched; their identities in order, null where there are none.
CREATE OR REPLACE FUNCTION audit_lock_heads(transaction_id xid8) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
  article_ids text[];
BEGIN
  SELECT array_agg(article_id ORDER BY article_id) INTO article_ids FROM audit_touched WHERE xid = transaction_id;
  IF article_ids IS NULL THEN RETURN NULL; END IF;

  -- An article that was never captured gets an empty head, so that there is something to lock.
  INSERT INTO audittrail_head (article_id, kind, object_pk, sequence, alive, keyframe_due, scalars, relations,
                               text_hashes, leaves, labels, state_digest, hash, event_id, recorded_at)
  SELECT t.article_id, t.kind, t.object_pk, 0, false, false, '{}', '{}', '{}', '{}', '{}', '',
         decode(repeat('00', 32), 'hex'), '00000000-0000-0000-0000-000000000000', clock_timestamp()
  FROM audit_touched t
  WHERE t.xid = transaction_id AND NOT EXISTS (SELECT 1 FROM audittrail_head h WHERE h.article_id = t.article_id)
  ORDER BY t.article_id ON CONFLICT DO NOTHING;
  -- One order for all transactions, so that they queue here and never deadlock.
  PERFORM 1 FROM audittrail_head WHERE article_id = ANY (article_ids) ORDER BY article_id FOR UPDATE;
  RETURN article_ids;
END $$;

-- Appends to the trail what the transaction has changed so far: one event for each touched article.
-- A bulk change is folded as one; work_mem keeps it in memory.  All is found by key, whatever the statistics say.
CREATE OR REPLACE FUNCTION audit_fold_now() RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = @schema@, pg_temp SET work_mem = '64MB' SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off AS $$
DECLARE
  transaction_id xid8 := pg_current_xact_id_if_assigned();
  article_ids text[];
  out_of_band_count integer;
BEGIN
  IF transaction_id IS NULL THEN RETURN; END IF;
  article_ids := audit_lock_heads(transaction_id);
  IF article_ids IS NULL THEN RETURN; END IF;

  -- Each pass is a new statement: its snapshot has all that earlier holders of these locks have committed.
  -- A difference that no trigger saw (a row changed while triggers were off) becomes an event of its own in a first
  -- pass.
  LOOP
    -- A state is a jsonb of field → value: scalars as text, relations as arrays of identities, long texts as hashes.
    -- "short" is a state without its long texts.
    WITH touched AS MATERIALIZED (
      -- What the triggers recorded; before: the part of the state before that they saw.
      SELECT t.article_id, t.kind, t.object_pk, t.context, t.touched_fields, t.is_insert, t.is_explicit_save,
             t.text_fields, t.texts_before,
             t.scalars_before || coalesce((
               SELECT jsonb_object_agg(n, audit_text_hash(x)) FROM unnest(t.text_fields, t.texts_before) AS u(n, x)
             ), '{}') AS before
      FROM audit_touched t WHERE t.xid = transaction_id
    ), live AS MATERIALIZED (
      -- The articles as their rows are now, all of one kind at a time: each kind has a query of its own.
      SELECT g.kind, s.* FROM (SELECT kind, array_agg(object_pk) AS pks FROM touched GROUP BY kind) g
      CROSS JOIN LATERAL audit_state(g.kind, g.pks) s
    ), joined_with_head AS MATERIALIZED (
      -- With what was captured last.  explained_fields: those whose change a trigger saw.
      SELECT t.*, h.sequence, h.alive AS was_alive, h.hash, h.leaves, h.labels AS last_labels, h.keyframe_due,
             h.text_hashes AS last_text_hashes, h.scalars || h.relations AS short_before,
             l.object_pk IS NOT NULL AS is_alive, l.scalars, l.relations, l.labels,
             l.scalars || l.relations AS short_now,
             t.touched_fields || ARRAY(SELECT jsonb_object_keys(t.before)) AS explained_fields
      FROM touched t JOIN audittrail_head h USING (article_id)
      LEFT JOIN live l ON l.kind = t.kind AND l.object_pk = t.object_pk
    ), with_text_decision AS MATERIALIZED (
      -- Long texts are read where they were changed, or something was that no trigger saw, and for each keyframe; to
      -- read and hash them at every save would cost more than all else.
      SELECT j.*, j.is_alive AND (
               j.text_fields <> '{}' OR j.is_insert OR NOT j.was_alive OR j.keyframe_due
               OR (j.sequence + 1) % @keyframe_interval@ = 0
               OR (j.short_now - j.explained_fields) IS DISTINCT FROM (j.short_before - j.explained_fields)
               OR NOT (j.before - j.text_fields) <@ j.short_before) AS must_read_texts
      FROM joined_with_head j
    ), live_texts AS MATERIALIZED (
      -- The long texts as they are now, and their hashes, of those articles only.
      SELECT g.kind, s.*, (
               SELECT coalesce(jsonb_object_agg(n, audit_text_hash(x)), '{}')
               FROM unnest(audit_text_fields(g.kind), s.texts) AS u(n, x)) AS hashes
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
             CASE WHEN o.is_out_of_band THEN '{"actor": {"type": "unknown"}}'::jsonb
                  ELSE coalesce(o.context, jsonb_build_object(
                    'actor', jsonb_build_object('type', 'unknown', 'id', 'database:' || session_user)))
                  END AS event_context,
             audit_text_fields(o.kind) AS text_names
      FROM with_out_of_band o CROSS JOIN LATERAL (
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
        SELECT array_agg(n ORDER BY place) AS fields,
               array_agg(CASE WHEN NOT k.is_out_of_band AND k.was_alive THEN old.value END ORDER BY place) AS before,
               array_agg(CASE WHEN k.is_out_of_band AND n = ANY (k.text_fields) THEN old.value
                              ELSE l.texts[place] END ORDER BY place) AS after
        FROM unnest(k.text_names) WITH ORDINALITY AS u(n, place)
        CROSS JOIN LATERAL (
          SELECT (
            SELECT value FROM unnest(k.text_fields, k.texts_before) AS b(field, value) WHERE field = n) AS value) old
        WHERE k.is_keyframe OR n = ANY (k.names)) x ON k.is_keyframe OR k.has_changed_texts
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
             (SELECT max(v.version) FROM audittrail_actorversion v
              WHERE v.actor_id = l.event_context -> 'actor' ->> 'id') AS actor_version,
             coalesce(l.event_context -> 'context', '{}') AS origin,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'scalar')
                  ELSE coalesce(l.scalars, '{}') END AS next_scalars,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'relation')
                  ELSE coalesce(l.relations, '{}') END AS next_relations,
             CASE WHEN l.is_out_of_band THEN audit_part(l.state_after, l.text_names, 'text')
                  ELSE coalesce(l.text_hashes, '{}') END AS next_text_hashes
      FROM with_leaves l
    ), with_hash AS MATERIALIZED (
      -- The event's link in the chain; audittrail.integrity.chain computes the same from a stored event.
      SELECT d.*, sha256(
               d.hash || 'audit-trail/1'::bytea || uuid_send(d.event_id) || audit_length_prefixed(d.article_id)
               || audit_length_prefixed(d.kind) || int8send(d.next_sequence) || audit_length_prefixed(d.operation)
               || int8send(audit_micros(d.occurred_at)) || int8send(audit_micros(d.captured_at))
               || audit_length_prefixed(d.actor_type) || audit_nullable(d.actor_id)
               || int8send(coalesce(d.actor_version, 0)) || audit_nullable(d.origin ->> 'request_id')
               || audit_nullable(d.origin ->> 'correlation_id') || audit_nullable(d.origin ->> 'ip')
               || audit_nullable(d.origin ->> 'user_agent') || audit_nullable(d.origin ->> 'channel')
               || d.salt || d.state_digest) AS next_hash
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
            WHEN n = ANY (h.text_names) THEN jsonb_build_object('field', n, 'kind', 'text')
            WHEN 'array' IN (jsonb_typeof(h.state_before -> n), jsonb_typeof(h.state_after -> n))
              THEN jsonb_build_object('field', n, 'kind', 'relation',
                                      'before_ids', h.state_before -> n, 'after_ids', h.state_after -> n)
            ELSE jsonb_build_object('field', n, 'kind', 'scalar',
                                    'before', h.state_before -> n, 'after', h.state_after -> n)
            END ORDER BY place), '[]')
          FROM unnest(h.names) WITH ORDINALITY AS each(n, place)) END,
        -- Names of what is there now and of what has gone.
        (SELECT coalesce(jsonb_object_agg(n, coalesce(h.last_labels -> n, '{}') || coalesce(h.labels -> n, '{}')), '{}')
         FROM jsonb_object_keys(h.last_labels || coalesce(h.labels, '{}')) AS n
         WHERE h.is_keyframe OR n = ANY (h.names)),
        h.salt, h.state_digest, h.hash, h.next_hash, audit_slot(h.article_id), h.event_context -> 'actor' -> 'snapshot',
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
      FROM with_hash n WHERE h.article_id = n.article_id
    ), folded_touches AS (
      -- A touch stays for the next pass where this one captured what was changed out of band.
      DELETE FROM audit_touched
      WHERE xid = transaction_id
        AND article_id = ANY (ARRAY(SELECT article_id FROM with_out_of_band WHERE NOT is_out_of_band))
    )
    SELECT count(*) INTO out_of_band_count FROM with_out_of_band WHERE is_out_of_band;
    EXIT WHEN out_of_band_count = 0;
  END LOOP;
  -- Created and deleted in one transaction: never seen by anybody.
  DELETE FROM audittrail_head WHERE article_id = ANY (article_ids) AND sequence = 0;
END $$;

CREATE OR REPLACE FUNCTION audit_fold() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  -- What is touched from now on needs a fold of its own, as under SET CONSTRAINTS ALL IMMEDIATE.
  PERFORM set_config('audit.fold_waits_in', '', true);
  PERFORM audit_fold_now();
  RETURN NULL;
END $$;

-- From here on in this transaction, changes belong to this context; what was changed before belongs to the one before.
CREATE OR REPLACE FUNCTION audit_enter(context text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  PERFORM audit_fold_now();
  PERFORM set_config('audit.context', context, true);
END $$;

-- Makes an event of a save even where it changed nothing.
CREATE OR REPLACE FUNCTION audit_record_save(kind text, object_pk text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  PERFORM audit_touch(kind, object_pk, '{}', false, '{}', '{}', '{}', true);
END $$;

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
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT coalesce(h.article_id, audit_drift.kind || ':' || l.object_pk),
         CASE WHEN h.article_id IS NULL OR l.object_pk IS NULL THEN '{*}'::text[] ELSE differing.names END
  FROM (
    SELECT s.object_pk, s.scalars || s.relations || coalesce(texts.hashes, '{}') AS state
    FROM audit_state(audit_drift.kind, object_pks) s
    JOIN audit_texts(audit_drift.kind, object_pks) t USING (object_pk)
    CROSS JOIN LATERAL (
      SELECT jsonb_object_agg(n, audit_text_hash(x)) AS hashes
      FROM unnest(audit_text_fields(audit_drift.kind), t.texts) AS u(n, x)) texts) l
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
