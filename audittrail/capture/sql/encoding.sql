-- How values are encoded and hashed for the chain (docs/chain.md); audittrail.integrity.chain computes the same.
-- A helper is one expression, which the planner inlines: STABLE, as convert_to is.  What aggregates is written where it
-- is used: a call of such a function costs more than its work.

CREATE OR REPLACE FUNCTION audit_length_prefixed(value text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT int4send(octet_length(value)) || convert_to(value, 'UTF8')
$$;

CREATE OR REPLACE FUNCTION audit_nullable(value text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN value IS NULL THEN '\x00'::bytea ELSE '\x01'::bytea || audit_length_prefixed(value) END
$$;

-- In PL/pgSQL, which keeps the plan of the aggregate.
CREATE OR REPLACE FUNCTION audit_identities(ids jsonb) RETURNS bytea LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
  RETURN '\x02'::bytea || int4send(jsonb_array_length(ids))
      || coalesce((SELECT string_agg(audit_length_prefixed(id), ''::bytea ORDER BY place)
                   FROM jsonb_array_elements_text(ids) WITH ORDINALITY AS each(id, place)), ''::bytea);
END $$;

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
  SELECT ((('x' || encode(sha256(convert_to(article_id, 'UTF8')), 'hex'))::bit(16))::integer & 1023)::smallint
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

-- The entry in the state digest of a scalar or relation, as a state holds it.
CREATE OR REPLACE FUNCTION audit_short_leaf(salt bytea, field text, value jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT audit_entry(salt, field, CASE WHEN jsonb_typeof(value) = 'array' THEN audit_identities(value)
                                       ELSE audit_nullable(value #>> '{}') END)
$$;

-- The change of a scalar or relation, as an event holds it.
CREATE OR REPLACE FUNCTION audit_change_entry(field text, before jsonb, after jsonb) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN 'array' IN (jsonb_typeof(before), jsonb_typeof(after))
    THEN jsonb_build_object('field', field, 'kind', 'relation', 'before_ids', before, 'after_ids', after)
    ELSE jsonb_build_object('field', field, 'kind', 'scalar', 'before', before, 'after', after) END
$$;

-- What the hash of an event covers.
CREATE OR REPLACE FUNCTION audit_hashed(
  previous_hash bytea, event_id uuid, article_id text, kind text, sequence bigint, operation text,
  occurred_at timestamptz, recorded_at timestamptz, actor_type text, actor_id text, actor_version integer,
  origin jsonb, salt bytea, state_digest bytea
) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT previous_hash || 'audit-trail/1'::bytea || uuid_send(event_id) || audit_length_prefixed(article_id)
      || audit_length_prefixed(kind) || int8send(sequence) || audit_length_prefixed(operation)
      || int8send(audit_micros(occurred_at)) || int8send(audit_micros(recorded_at))
      || audit_length_prefixed(actor_type) || audit_nullable(actor_id) || int8send(coalesce(actor_version, 0))
      || audit_nullable(origin ->> 'request_id') || audit_nullable(origin ->> 'correlation_id')
      || audit_nullable(origin ->> 'ip') || audit_nullable(origin ->> 'user_agent')
      || audit_nullable(origin ->> 'channel') || salt || state_digest
$$;

-- The names that labels have for what is there now and for what has gone, of these fields.
CREATE OR REPLACE FUNCTION audit_labels_of(fields text[], last_labels jsonb, labels jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  field text;
  found jsonb := '{}';
BEGIN
  FOREACH field IN ARRAY fields LOOP
    CONTINUE WHEN NOT (last_labels ? field OR labels ? field);
    found := found || jsonb_build_object(
      field, coalesce(last_labels -> field, '{}') || coalesce(labels -> field, '{}'));
  END LOOP;
  RETURN found;
END $$;

-- An instant as events hold it: ISO 8601 in UTC with microseconds; beyond its range PostgreSQL's own text.
CREATE OR REPLACE FUNCTION audit_instant(moment timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN isfinite(moment) AND moment >= '0001-01-01 00:00:00+00'
    THEN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE moment::text END
$$;
