-- The ordinary save: one article that was there before and stays, no keyframe due, nothing changed but what triggers
-- saw.  Plain statements, and only what was touched is read.  Everything else is the general fold's.

-- Folds the only article that the transaction touched, if any; false, with nothing done, where the general fold has to.
CREATE OR REPLACE FUNCTION audit_fold_ordinary(transaction_id xid8) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  touch audit_touched;
  next audit_touched;
  head audittrail_head;
  live audit_state;
  change audit_change;
BEGIN
  FOR next IN SELECT * FROM audit_touched t WHERE t.xid = transaction_id AND t.article_id <> '' LIMIT 2 LOOP
    IF touch.article_id IS NOT NULL THEN RETURN false; END IF;
    touch := next;
  END LOOP;
  IF touch.article_id IS NULL THEN RETURN true; END IF;
  SELECT * INTO head FROM audittrail_head h WHERE h.article_id = touch.article_id FOR UPDATE;
  IF head.alive IS NOT TRUE OR head.keyframe_due OR (head.sequence + 1) % @keyframe_interval@ = 0 OR touch.is_insert THEN
    RETURN false;
  END IF;
  IF NOT touch.scalars_before <@ head.scalars OR NOT audit_has_fields(head, touch.kind) THEN RETURN false; END IF;

  -- A new statement: its snapshot has all that earlier holders of the head's lock have committed.
  live := audit_read(touch.kind, touch.object_pk, touch.touched_fields);
  IF live.scalars IS NULL OR head.scalars || live.scalars <> live.scalars THEN RETURN false; END IF;
  change := audit_ordinary_change(touch, head, live);
  IF change.names IS NULL THEN RETURN false; END IF;

  IF change.names <> '{}' OR touch.is_explicit_save THEN PERFORM audit_append(touch, head, live, change);
  ELSE PERFORM audit_renew_heads(ARRAY[touch.article_id]);
  END IF;
  DELETE FROM audit_touched WHERE xid = transaction_id;
  RETURN true;
END $$;

-- Whether the head has the fields that are tracked now, but for values of related rows, whose names have a slash.
CREATE OR REPLACE FUNCTION audit_has_fields(head audittrail_head, kind text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
  fields text[] := audit_fields(kind);
  others jsonb := head.leaves - fields;
BEGIN
  RETURN head.leaves ?& fields
     AND (others = '{}' OR NOT EXISTS (SELECT FROM jsonb_object_keys(others) AS n WHERE n NOT LIKE '%/%'));
END $$;

-- What differs between the head and the live article, of the fields that were read, with the leaves and entries of
-- what changed; names is null where something is not as the triggers say.
CREATE OR REPLACE FUNCTION audit_ordinary_change(touch audit_touched, head audittrail_head, live audit_state)
RETURNS audit_change LANGUAGE plpgsql AS $$
DECLARE
  before jsonb := head.scalars || head.relations;
  now jsonb := live.scalars || live.relations;
  change audit_change;
  field text;
  text_before text;
  hash_now text;
BEGIN
  -- A text that went with its row.
  IF NOT touch.text_fields <@ live.text_fields THEN RETURN NULL; END IF;
  change.names := '{}'; change.entries := '[]'; change.leaves := head.leaves; change.text_hashes := head.text_hashes;
  change.salt := uuid_send(gen_random_uuid());
  change.text_fields := '{}'; change.texts_before := '{}'; change.texts_after := '{}';
  IF live.scalars <> head.scalars OR live.relations <> '{}' THEN
    FOR field IN SELECT n FROM jsonb_each(now) AS each(n, value) WHERE before -> n IS DISTINCT FROM value LOOP
      IF NOT before ? field THEN RETURN NULL; END IF;
      change.names := change.names || field;
      change.entries := change.entries || audit_change_entry(field, before -> field, now -> field);
      change.leaves := change.leaves || jsonb_build_object(field, audit_short_leaf(change.salt, field, now -> field));
    END LOOP;
  END IF;
  FOR place IN 1 .. cardinality(live.text_fields) LOOP
    field := live.text_fields[place];
    IF NOT head.text_hashes ? field THEN RETURN NULL; END IF;
    text_before := touch.texts_before[array_position(touch.text_fields, field)];
    -- The text before this transaction is the one captured last.
    IF head.text_hashes ->> field IS DISTINCT FROM audit_text_hash(text_before) THEN RETURN NULL; END IF;
    hash_now := audit_text_hash(live.texts[place]);
    CONTINUE WHEN hash_now IS NOT DISTINCT FROM head.text_hashes ->> field;
    change.names := change.names || field;
    change.entries := change.entries || jsonb_build_object('field', field, 'kind', 'text');
    change.text_hashes := change.text_hashes || jsonb_build_object(field, hash_now);
    change.leaves := change.leaves || jsonb_build_object(
      field, audit_entry(change.salt, field, audit_nullable(live.texts[place])));
    change.text_fields := change.text_fields || field;
    change.texts_before := change.texts_before || text_before;
    change.texts_after := change.texts_after || live.texts[place];
  END LOOP;
  RETURN change;
END $$;

-- Appends the event of an ordinary change, chained to the head, and brings the head up to it.
CREATE OR REPLACE FUNCTION audit_append(touch audit_touched, head audittrail_head, live audit_state, change audit_change)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  context jsonb := coalesce(audit_parsed_context(touch.context), audit_unknown_context());
  actor jsonb := context -> 'actor';
  origin jsonb := coalesce(nullif(context -> 'context', 'null'), '{}');
  captured_at timestamptz := clock_timestamp();
  occurred_at timestamptz := coalesce((context ->> 'occurred_at')::timestamptz, now());
  id uuid := audit_uuid7(captured_at);
  actor_version integer;
  digest bytea;
  next_hash bytea;
BEGIN
  SELECT (SELECT max(v.version) FROM audittrail_actorversion v WHERE v.actor_id = actor ->> 'id'),
         (SELECT sha256(decode(string_agg(entry, '' ORDER BY field COLLATE "C"), 'hex'))
          FROM jsonb_each_text(change.leaves) AS each(field, entry))
  INTO actor_version, digest;
  next_hash := sha256(audit_hashed(
    head.hash, id, touch.article_id, touch.kind, head.sequence + 1, 'update', occurred_at, captured_at,
    actor ->> 'type', actor ->> 'id', actor_version, origin, change.salt, digest));
  INSERT INTO audittrail_outboxevent (event_id, article_id, kind, sequence, operation, title, status, occurred_at,
    recorded_at, actor_type, actor_id, actor_version, context, changes, labels, salt, state_digest, previous_hash,
    hash, slot, actor_snapshot, keyframe, scalars, relations, text_fields, texts_before, texts_after)
  VALUES (id, touch.article_id, touch.kind, head.sequence + 1, 'update',
    coalesce(live.scalars ->> audit_title_field(touch.kind), ''), live.scalars ->> audit_status_field(touch.kind),
    occurred_at, captured_at, actor ->> 'type', actor ->> 'id', actor_version, origin, change.entries,
    audit_labels_of(change.names, head.labels, live.labels), change.salt, digest, head.hash, next_hash,
    audit_slot(touch.article_id), nullif(actor -> 'snapshot', 'null'), false, NULL, NULL,
    change.text_fields, change.texts_before, change.texts_after);
  UPDATE audittrail_head h SET sequence = head.sequence + 1, scalars = live.scalars,
    relations = head.relations || live.relations, text_hashes = change.text_hashes, leaves = change.leaves,
    labels = (head.labels - touch.touched_fields) || live.labels, state_digest = digest, hash = next_hash, event_id = id,
    recorded_at = captured_at
  WHERE h.article_id = touch.article_id;
END $$;
