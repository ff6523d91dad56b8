-- Who acts, as audit.context says it: {"actor": {"type", "id", "snapshot"}, "context": {name: text}, "occurred_at"}.
-- Null where that is no such text, or a very long one: the site's role may set anything, and a save never fails for it.
CREATE OR REPLACE FUNCTION audit_parsed_context(setting text) RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
DECLARE
  parsed jsonb;
BEGIN
  IF coalesce(setting, '') = '' OR octet_length(setting) > 100000 THEN RETURN NULL; END IF;
  parsed := setting;
  IF parsed -> 'actor' ->> 'type' IN ('user', 'service', 'system', 'unknown')
     AND coalesce(jsonb_typeof(parsed -> 'actor' -> 'id'), 'null') IN ('string', 'null')
     AND audit_are_texts(parsed -> 'context') AND audit_are_texts(parsed -> 'actor' -> 'snapshot')
     AND coalesce(isfinite((parsed ->> 'occurred_at')::timestamptz), true) THEN
    RETURN parsed;
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception OR invalid_parameter_value OR program_limit_exceeded THEN RETURN NULL;
END $$;

-- Whether this is an object of nothing but texts and nulls, or absent.
CREATE OR REPLACE FUNCTION audit_are_texts(object jsonb) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_typeof(object), 'null') IN ('object', 'null')
     AND NOT coalesce(object @? 'strict $.keyvalue().value ? (@.type() != "string" && @.type() != "null")', false)
$$;

-- The actor of changes that nobody claimed.
CREATE OR REPLACE FUNCTION audit_unknown_context() RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT jsonb_build_object('actor', jsonb_build_object('type', 'unknown', 'id', 'database:' || session_user))
$$;

-- From here on in this transaction, changes belong to this context ('' for none); what was changed before belongs to
-- the one before.
CREATE OR REPLACE FUNCTION audit_enter(context text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp SET enable_seqscan = off AS $$
BEGIN
  IF context IS NOT DISTINCT FROM coalesce(current_setting('audit.context', true), '') THEN RETURN; END IF;
  IF context <> '' AND audit_parsed_context(context) IS NULL THEN
    RAISE EXCEPTION 'not a context of the audit trail: %', left(context, 200) USING ERRCODE = 'invalid_parameter_value',
      HINT = 'It is JSON: {"actor": {"type": "user", "id": "…"}, "context": {"channel": "…"}, "occurred_at": null}.';
  END IF;
  PERFORM audit_fold_now();
  PERFORM set_config('audit.context', context, true);
END $$;

-- Makes an event of a save even where it changed nothing.
CREATE OR REPLACE FUNCTION audit_record_save(kind text, object_pk text) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp AS $$
BEGIN
  PERFORM audit_require_tracked(kind);
  PERFORM audit_touch(kind, object_pk, '{}', false, '{}', '{}', '{}', true);
END $$;

CREATE OR REPLACE FUNCTION audit_require_tracked(kind text) RETURNS void LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF audit_fields(kind) IS NULL THEN
    RAISE EXCEPTION 'the audit trail tracks no %', kind USING HINT = 'Track its model, then run manage.py migrate.';
  END IF;
END $$;
