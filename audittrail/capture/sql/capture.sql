-- Capture by a deferred fold.  Row triggers only note that an article was touched; when the transaction commits, one
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
CREATE OR REPLACE FUNCTION audit_entry(salt bytea, field text, value bytea) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(audit_length_prefixed(field) || sha256(salt || audit_length_prefixed(field) || value), 'hex')
$$;

CREATE OR REPLACE FUNCTION audit_micros(moment timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT (extract(epoch FROM moment) * 1000000)::bigint
$$;

-- RFC 9562: 48 bits of milliseconds, version 7, the rest random.
CREATE OR REPLACE FUNCTION audit_uuid7(moment timestamptz) RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
           PLACING substring(int8send((extract(epoch FROM moment) * 1000)::bigint) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

CREATE OR REPLACE FUNCTION audit_slot(article_id text) RETURNS smallint LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT ((get_byte(sha256(convert_to(article_id, 'UTF8')), 0) << 8 | get_byte(sha256(convert_to(article_id, 'UTF8')), 1)) & 1023)::smallint
$$;

CREATE OR REPLACE FUNCTION audit_mask(value text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN value IS NOT NULL
    THEN 'masked:' || left(encode(sha256((SELECT secret FROM audit_mask_secret) || convert_to(value, 'UTF8')), 'hex'), 16) END
$$;

CREATE OR REPLACE FUNCTION audit_text_hash(value text) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT encode(sha256(convert_to(value, 'UTF8')), 'hex')
$$;

-- The part of a state that holds its scalars, relations or hashes of texts.
CREATE OR REPLACE FUNCTION audit_part(state jsonb, text_names text[], part text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(jsonb_object_agg(n, value), '{}') FROM jsonb_each(state) AS each(n, value)
  WHERE CASE WHEN n = ANY (text_names) THEN 'text' WHEN jsonb_typeof(value) = 'array' THEN 'relation' ELSE 'scalar' END = part
$$;

-- Notes that an article was touched.  What was there before the first touch is kept, later touches only add to it.
CREATE OR REPLACE FUNCTION audit_touch(
  kind text, object_pk text, noted text[], born boolean, before jsonb, text_fields text[], texts_before text[], saved boolean DEFAULT false
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  me xid8 := pg_current_xact_id();
  article text := kind || ':' || object_pk;
  -- Whether this transaction's fold is not waiting for the commit yet.  Undone by a savepoint's rollback, as the touch is.
  leads boolean := current_setting('audit.leading', true) IS DISTINCT FROM me::text;
BEGIN
  INSERT INTO audit_touched AS t
  VALUES (me, article, kind, object_pk, nullif(current_setting('audit.context', true), '')::jsonb, noted, born, before,
          text_fields, texts_before, saved, leads)
  ON CONFLICT DO NOTHING;
  IF FOUND THEN
    IF leads THEN PERFORM set_config('audit.leading', me::text, true); END IF;
    RETURN;
  END IF;
  UPDATE audit_touched t SET
    noted = t.noted || audit_touch.noted,
    born = t.born OR audit_touch.born,
    saved = t.saved OR audit_touch.saved,
    before = audit_touch.before || t.before,
    (text_fields, texts_before) = (
      SELECT t.text_fields || coalesce(array_agg(field), '{}'), t.texts_before || coalesce(array_agg(value), '{}')
      FROM unnest(audit_touch.text_fields, audit_touch.texts_before) AS new(field, value) WHERE field <> ALL (t.text_fields))
  WHERE t.xid = me AND t.article_id = article
    AND NOT (t.noted @> audit_touch.noted AND t.text_fields @> audit_touch.text_fields
             AND t.born >= audit_touch.born AND t.saved >= audit_touch.saved
             AND (audit_touch.before = '{}' OR t.before <> '{}'));
END $$;

-- Appends to the trail what the transaction has changed so far.
-- A bulk change is folded as one; work_mem keeps it in memory.  Everything is found by key, whatever the statistics say.
CREATE OR REPLACE FUNCTION audit_fold_now() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp SET work_mem = '64MB' SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off AS $$
DECLARE
  me xid8 := pg_current_xact_id_if_assigned();
  ids text[];
  unexplained integer;
BEGIN
  IF me IS NULL THEN RETURN; END IF;
  SELECT array_agg(article_id ORDER BY article_id) INTO ids FROM audit_touched WHERE xid = me;
  IF ids IS NULL THEN RETURN; END IF;

  INSERT INTO audittrail_head (article_id, kind, object_pk, sequence, alive, keyframe_due, scalars, relations, text_hashes,
                               leaves, labels, state_digest, hash, event_id, recorded_at)
  SELECT t.article_id, t.kind, t.object_pk, 0, false, false, '{}', '{}', '{}', '{}', '{}', '', decode(repeat('00', 32), 'hex'),
         '00000000-0000-0000-0000-000000000000', clock_timestamp()
  FROM audit_touched t WHERE t.xid = me AND NOT EXISTS (SELECT 1 FROM audittrail_head h WHERE h.article_id = t.article_id)
  ORDER BY t.article_id ON CONFLICT DO NOTHING;
  -- One order for all transactions, so that they queue here and never deadlock.
  PERFORM 1 FROM audittrail_head WHERE article_id = ANY (ids) ORDER BY article_id FOR UPDATE;

  -- Each pass is a new statement: its snapshot has all that earlier holders of these locks have committed.  A difference
  -- that no trigger noted (a row changed while triggers were off) becomes an event of its own in a first pass.
  LOOP
    WITH touched AS MATERIALIZED (
      SELECT t.article_id, t.kind, t.object_pk, t.context, t.noted, t.born, t.saved, t.text_fields AS noted_texts, t.texts_before,
             t.before || coalesce((SELECT jsonb_object_agg(n, audit_text_hash(x)) FROM unnest(t.text_fields, t.texts_before) AS u(n, x)), '{}') AS before
      FROM audit_touched t WHERE t.xid = me
    ), live AS MATERIALIZED (
      SELECT g.kind, s.* FROM (SELECT kind, array_agg(object_pk) AS pks FROM touched GROUP BY kind) g
      CROSS JOIN LATERAL audit_state(g.kind, g.pks) s
    ), met AS MATERIALIZED (
      SELECT t.*, h.sequence, h.alive AS was_alive, h.hash, h.leaves, h.labels AS last_labels, h.keyframe_due, h.text_hashes AS last_text_hashes,
             h.scalars || h.relations AS prev_short, l.object_pk IS NOT NULL AS is_alive, l.scalars, l.relations, l.labels,
             l.scalars || l.relations AS cur_short, t.noted || ARRAY(SELECT jsonb_object_keys(t.before)) AS known
      FROM touched t JOIN audittrail_head h USING (article_id) LEFT JOIN live l ON l.kind = t.kind AND l.object_pk = t.object_pk
    ), read AS MATERIALIZED (
      -- Long texts are read where they were changed, or something was that no trigger noted, and for each keyframe; to read
      -- and hash them at every save would cost more than all else.
      SELECT m.*, m.is_alive AND (m.noted_texts <> '{}' OR m.born OR NOT m.was_alive OR m.keyframe_due
               OR (m.sequence + 1) % @keyframe_interval@ = 0 OR (m.cur_short - m.known) IS DISTINCT FROM (m.prev_short - m.known)
               OR NOT (m.before - m.noted_texts) <@ m.prev_short) AS is_whole
      FROM met m
    ), live_texts AS MATERIALIZED (
      SELECT g.kind, s.*, (SELECT coalesce(jsonb_object_agg(n, audit_text_hash(x)), '{}') FROM unnest(audit_text_fields(g.kind), s.texts) AS u(n, x)) AS hashes
      FROM (SELECT kind, array_agg(object_pk) AS pks FROM read WHERE is_whole GROUP BY kind) g CROSS JOIN LATERAL audit_texts(g.kind, g.pks) s
    ), compared AS MATERIALIZED (
      SELECT r.*, r.prev_short || r.last_text_hashes AS prev, coalesce(l.hashes, r.last_text_hashes) AS text_hashes,
             r.cur_short || coalesce(l.hashes, r.last_text_hashes) AS cur
      FROM read r LEFT JOIN live_texts l ON l.kind = r.kind AND l.object_pk = r.object_pk
    ), explained AS MATERIALIZED (
      SELECT c.*, foreign_.state IS NOT NULL AS is_foreign,
             CASE WHEN foreign_.state IS NULL THEN c.cur ELSE c.prev || foreign_.state END AS target
      FROM compared c CROSS JOIN LATERAL (SELECT CASE
        WHEN c.born OR (c.was_alive AND c.before <@ c.prev AND c.cur - c.known = c.prev - c.known) THEN NULL
        ELSE (
          SELECT jsonb_object_agg(n, coalesce(c.before -> n, c.cur -> n))
          FROM jsonb_object_keys(c.prev || coalesce(c.cur, c.before)) AS n
          WHERE CASE WHEN c.was_alive AND NOT c.prev ? n THEN false
                     WHEN c.before ? n THEN c.before -> n IS DISTINCT FROM c.prev -> n
                     WHEN c.cur IS NULL OR NOT c.cur ? n THEN false
                     WHEN n = ANY (c.noted) THEN NOT c.prev ? n
                     ELSE c.cur -> n IS DISTINCT FROM c.prev -> n END) END AS state) foreign_
    ), changed AS MATERIALIZED (
      SELECT e.*, e.sequence + 1 AS next_sequence, clock_timestamp() AS moment, uuid_send(gen_random_uuid()) AS salt, changed.names,
             CASE WHEN e.target IS NULL THEN 'delete' WHEN e.was_alive THEN 'update' ELSE 'create' END AS operation,
             CASE WHEN e.is_foreign THEN '{"actor": {"type": "unknown"}}'::jsonb
                  ELSE coalesce(e.context, jsonb_build_object('actor', jsonb_build_object('type', 'unknown', 'id', 'database:' || session_user))) END AS who,
             audit_text_fields(e.kind) AS text_names
      FROM explained e CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(n ORDER BY n COLLATE "C"), '{}') AS names
        FROM jsonb_object_keys(e.prev || coalesce(e.target, '{}')) AS n WHERE e.prev -> n IS DISTINCT FROM e.target -> n) changed
      WHERE (e.was_alive OR e.target IS NOT NULL) AND (e.was_alive <> (e.target IS NOT NULL) OR changed.names <> '{}' OR (e.saved AND NOT e.is_foreign))
    ), framed AS MATERIALIZED (
      SELECT c.*, c.target IS NOT NULL AND c.text_names && c.names AS is_rewritten,
             c.target IS NOT NULL AND (NOT c.was_alive OR c.is_foreign OR c.keyframe_due OR c.next_sequence % @keyframe_interval@ = 0
               -- the text before is not known
               OR EXISTS (SELECT 1 FROM unnest(c.names) n WHERE n = ANY (c.text_names) AND n <> ALL (c.noted_texts))
               -- other fields are tracked than before
               OR NOT (c.target ?& ARRAY(SELECT jsonb_object_keys(c.prev)) AND c.prev ?& ARRAY(SELECT jsonb_object_keys(c.target)))) AS keyframe
      FROM changed c
    ), texted AS MATERIALIZED (
      SELECT f.*, coalesce(x.fields, '{}') AS fields, coalesce(x.before, '{}') AS old_texts, coalesce(x.after, '{}') AS new_texts
      FROM framed f LEFT JOIN live_texts l ON l.kind = f.kind AND l.object_pk = f.object_pk
      LEFT JOIN LATERAL (
        SELECT array_agg(n ORDER BY place) AS fields,
               array_agg(CASE WHEN NOT f.is_foreign AND f.was_alive THEN old.value END ORDER BY place) AS before,
               array_agg(CASE WHEN f.is_foreign AND n = ANY (f.noted_texts) THEN old.value ELSE l.texts[place] END ORDER BY place) AS after
        FROM unnest(f.text_names) WITH ORDINALITY AS u(n, place)
        CROSS JOIN LATERAL (SELECT (SELECT value FROM unnest(f.noted_texts, f.texts_before) AS b(field, value) WHERE field = n) AS value) old
        WHERE f.keyframe OR n = ANY (f.names)) x ON f.keyframe OR f.is_rewritten
    ), leaved AS MATERIALIZED (
      SELECT f.*, CASE WHEN f.target IS NULL THEN '{}'::jsonb ELSE
               CASE WHEN f.keyframe THEN '{}' ELSE f.leaves - ARRAY(SELECT n FROM unnest(f.names) n WHERE NOT f.target ? n) END || coalesce(new.leaves, '{}') END AS all_leaves
      FROM texted f CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(n, audit_entry(f.salt, n,
                 CASE WHEN jsonb_typeof(f.target -> n) = 'array' THEN audit_identities(f.target -> n)
                      WHEN n = ANY (f.text_names) THEN audit_nullable((SELECT value FROM unnest(f.fields, f.new_texts) AS a(field, value) WHERE field = n))
                      ELSE audit_nullable(f.target ->> n) END)) AS leaves
        FROM unnest(CASE WHEN f.keyframe THEN ARRAY(SELECT jsonb_object_keys(f.target)) ELSE f.names END) AS n WHERE f.target ? n) new
    ), digested AS MATERIALIZED (
      SELECT l.*, (
               SELECT sha256(decode(coalesce(string_agg(entry, '' ORDER BY field COLLATE "C"), ''), 'hex'))
               FROM jsonb_each_text(l.all_leaves) AS each(field, entry)) AS state_digest, audit_uuid7(l.moment) AS event_id,
             coalesce((l.who ->> 'occurred_at')::timestamptz, now()) AS occurred_at,
             l.who -> 'actor' ->> 'type' AS actor_type, l.who -> 'actor' ->> 'id' AS actor_id,
             (SELECT max(v.version) FROM audittrail_actorversion v WHERE v.actor_id = l.who -> 'actor' ->> 'id') AS actor_version,
             coalesce(l.who -> 'context', '{}') AS about,
             CASE WHEN l.is_foreign THEN audit_part(l.target, l.text_names, 'scalar') ELSE coalesce(l.scalars, '{}') END AS next_scalars,
             CASE WHEN l.is_foreign THEN audit_part(l.target, l.text_names, 'relation') ELSE coalesce(l.relations, '{}') END AS next_relations,
             CASE WHEN l.is_foreign THEN audit_part(l.target, l.text_names, 'text') ELSE coalesce(l.text_hashes, '{}') END AS next_text_hashes
      FROM leaved l
    ), hashed AS MATERIALIZED (
      SELECT d.*, sha256(d.hash || 'audit-trail/1'::bytea || uuid_send(d.event_id) || audit_length_prefixed(d.article_id)
               || audit_length_prefixed(d.kind) || int8send(d.next_sequence) || audit_length_prefixed(d.operation)
               || int8send(audit_micros(d.occurred_at)) || int8send(audit_micros(d.moment)) || audit_length_prefixed(d.actor_type)
               || audit_nullable(d.actor_id) || int8send(coalesce(d.actor_version, 0)) || audit_nullable(d.about ->> 'request_id')
               || audit_nullable(d.about ->> 'correlation_id') || audit_nullable(d.about ->> 'ip') || audit_nullable(d.about ->> 'user_agent')
               || audit_nullable(d.about ->> 'channel') || d.salt || d.state_digest) AS next_hash
      FROM digested d
    ), written AS (
      INSERT INTO audittrail_outboxevent (event_id, article_id, kind, sequence, operation, title, status, occurred_at, recorded_at,
        actor_type, actor_id, actor_version, context, changes, labels, salt, state_digest, previous_hash, hash, slot, actor_snapshot,
        keyframe, scalars, relations, text_fields, texts_before, texts_after)
      SELECT h.event_id, h.article_id, h.kind, h.next_sequence, h.operation,
        coalesce(CASE WHEN h.target IS NULL THEN h.prev ELSE h.target END ->> audit_title_field(h.kind), ''),
        h.target ->> audit_status_field(h.kind), h.occurred_at, h.moment,
        h.actor_type, h.actor_id, h.actor_version, h.about,
        CASE WHEN h.operation <> 'update' THEN '[]' ELSE (
          SELECT coalesce(jsonb_agg(CASE
            WHEN n = ANY (h.text_names) THEN jsonb_build_object('field', n, 'kind', 'text')
            WHEN 'array' IN (jsonb_typeof(h.prev -> n), jsonb_typeof(h.target -> n))
              THEN jsonb_build_object('field', n, 'kind', 'relation', 'before_ids', h.prev -> n, 'after_ids', h.target -> n)
            ELSE jsonb_build_object('field', n, 'kind', 'scalar', 'before', h.prev -> n, 'after', h.target -> n) END ORDER BY place), '[]')
          FROM unnest(h.names) WITH ORDINALITY AS each(n, place)) END,
        (SELECT coalesce(jsonb_object_agg(n, coalesce(h.last_labels -> n, '{}') || coalesce(h.labels -> n, '{}')), '{}')
         FROM jsonb_object_keys(h.last_labels || coalesce(h.labels, '{}')) AS n WHERE h.keyframe OR n = ANY (h.names)),
        h.salt, h.state_digest, h.hash, h.next_hash, audit_slot(h.article_id), h.who -> 'actor' -> 'snapshot',
        h.keyframe, CASE WHEN h.keyframe THEN h.next_scalars END, CASE WHEN h.keyframe THEN h.next_relations END,
        h.fields, h.old_texts, h.new_texts
      FROM hashed h ORDER BY h.article_id
    ), moved AS (
      UPDATE audittrail_head h SET sequence = n.next_sequence, alive = n.target IS NOT NULL, keyframe_due = h.keyframe_due AND NOT n.keyframe,
        scalars = n.next_scalars, relations = n.next_relations, text_hashes = n.next_text_hashes, leaves = n.all_leaves,
        labels = coalesce(n.labels, '{}'), state_digest = n.state_digest, hash = n.next_hash, event_id = n.event_id, recorded_at = n.moment
      FROM hashed n WHERE h.article_id = n.article_id
    ), folded AS (
      DELETE FROM audit_touched WHERE xid = me AND article_id = ANY (ARRAY(SELECT article_id FROM explained WHERE NOT is_foreign))
    )
    SELECT count(*) INTO unexplained FROM explained WHERE is_foreign;
    EXIT WHEN unexplained = 0;
  END LOOP;
  DELETE FROM audittrail_head WHERE article_id = ANY (ids) AND sequence = 0;
END $$;

CREATE OR REPLACE FUNCTION audit_fold() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  -- What is touched from now on needs a fold of its own, as under SET CONSTRAINTS ALL IMMEDIATE.
  PERFORM set_config('audit.leading', '', true);
  PERFORM audit_fold_now();
  RETURN NULL;
END $$;

-- From here on in this transaction, changes belong to this context; what was changed before belongs to the one before.
CREATE OR REPLACE FUNCTION audit_enter(context text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  PERFORM audit_fold_now();
  PERFORM set_config('audit.context', context, true);
END $$;

-- Makes an event of a save even where it changed nothing.
CREATE OR REPLACE FUNCTION audit_record_save(kind text, object_pk text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  PERFORM audit_touch(kind, object_pk, '{}', false, '{}', '{}', '{}', true);
END $$;

-- Gives articles that were there before the trail their first event.
CREATE OR REPLACE FUNCTION audit_baseline(kind text, object_pks text[]) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
DECLARE
  missing text[] := ARRAY(SELECT pk FROM unnest(object_pks) AS pk
                          WHERE NOT EXISTS (SELECT 1 FROM audittrail_head h WHERE h.article_id = audit_baseline.kind || ':' || pk AND h.alive));
BEGIN
  PERFORM audit_touch(kind, pk, '{}', true, '{}', '{}', '{}') FROM unnest(missing) AS pk;
  RETURN cardinality(missing);
END $$;

-- Articles whose live rows are not what was last captured of them, and in which fields: changed while triggers were off.
-- "*" stands for an article that is not live, or was never captured.
CREATE OR REPLACE FUNCTION audit_drift(kind text, object_pks text[]) RETURNS TABLE (article_id text, fields text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  SELECT coalesce(h.article_id, audit_drift.kind || ':' || l.object_pk),
         CASE WHEN h.article_id IS NULL OR l.object_pk IS NULL THEN '{*}'::text[] ELSE differing.names END
  FROM (SELECT s.object_pk, s.scalars || s.relations || coalesce(texts.hashes, '{}') AS state FROM audit_state(audit_drift.kind, object_pks) s
        JOIN audit_texts(audit_drift.kind, object_pks) t USING (object_pk) CROSS JOIN LATERAL (
          SELECT jsonb_object_agg(n, audit_text_hash(x)) AS hashes FROM unnest(audit_text_fields(audit_drift.kind), t.texts) AS u(n, x)) texts) l
  FULL JOIN (SELECT * FROM audittrail_head o WHERE o.kind = audit_drift.kind AND o.object_pk = ANY (object_pks) AND o.alive) h ON h.object_pk = l.object_pk
  CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(n ORDER BY n), '{}') AS names FROM jsonb_each(h.scalars || h.relations || h.text_hashes) AS captured(n, value)
    WHERE value IS DISTINCT FROM l.state -> n) differing
  WHERE h.article_id IS NULL OR l.object_pk IS NULL OR differing.names <> '{}'
$$;

CREATE OR REPLACE FUNCTION audit_request_keyframe(article text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
  UPDATE audittrail_head SET keyframe_due = true WHERE article_id = article
$$;

CREATE OR REPLACE FUNCTION audit_refuse_truncate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'TRUNCATE of % would remove articles without a trace in the audit trail', TG_TABLE_NAME
    USING HINT = 'Use DELETE, which is recorded.';
END $$;
