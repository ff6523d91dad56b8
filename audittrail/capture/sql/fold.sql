-- The deferred fold.  Row triggers only record that an article was touched; when the transaction commits, one deferred
-- trigger builds an event for each touched article from its live rows, chained to the article's head.
-- "@schema@" stands for the schema of the trail, "@settings@" for what makes plans and texts the same in every session.

CREATE OR REPLACE FUNCTION audit_fold() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp @settings@ AS $$
BEGIN
  IF pg_trigger_depth() = 1 THEN
    PERFORM audit_fold_transaction(NEW.xid);
  ELSE
    -- Constraints are immediate, and this is within a statement that may have changed other rows of the article, whose
    -- triggers are still to come: they would look like changes that no trigger saw.  The fold waits all the same.
    SET CONSTRAINTS @schema@.audit_fold DEFERRED;
    DELETE FROM audit_touched WHERE xid = NEW.xid AND article_id = '';
    INSERT INTO audit_touched (xid, article_id) VALUES (NEW.xid, '');
  END IF;
  RETURN NULL;
END $$;

-- Appends to the trail what the transaction has changed so far, without waiting for its commit.
CREATE OR REPLACE FUNCTION audit_fold_now() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = @schema@, pg_temp @settings@ AS $$
BEGIN
  IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
    PERFORM audit_fold_transaction(pg_current_xact_id());
  END IF;
END $$;

-- One event for each article that the transaction touched.
CREATE OR REPLACE FUNCTION audit_fold_transaction(transaction_id xid8) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  article_ids text[];
BEGIN
  IF audit_fold_ordinary(transaction_id) THEN RETURN; END IF;
  article_ids := audit_touched_articles(transaction_id);
  PERFORM audit_lock_heads(transaction_id, article_ids);
  IF cardinality(article_ids) > 1 THEN
    PERFORM audit_fold_short(transaction_id, article_ids);
    article_ids := audit_touched_articles(transaction_id);
  END IF;
  IF article_ids <> '{}' THEN PERFORM audit_fold_general(transaction_id, article_ids); END IF;
  -- What is touched from now on queues a fold of its own.
  DELETE FROM audit_touched WHERE xid = transaction_id;
END $$;

-- The articles that the transaction touched and that are not folded yet, in order.
CREATE OR REPLACE FUNCTION audit_touched_articles(transaction_id xid8) RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
  RETURN ARRAY(
    SELECT article_id FROM audit_touched WHERE xid = transaction_id AND article_id <> '' ORDER BY article_id);
END $$;

-- Locks the heads of these articles, given in order; one order for all transactions, so that they queue here and never
-- deadlock.  An article that was never captured gets an empty head, so that there is something to lock.
CREATE OR REPLACE FUNCTION audit_lock_heads(transaction_id xid8, article_ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO audittrail_head (article_id, kind, object_pk, sequence, alive, keyframe_due, scalars, relations,
                               text_hashes, leaves, labels, state_digest, hash, event_id, recorded_at)
  SELECT t.article_id, t.kind, t.object_pk, 0, false, false, '{}', '{}', '{}', '{}', '{}', '',
         decode(repeat('00', 32), 'hex'), '00000000-0000-0000-0000-000000000000', clock_timestamp()
  FROM audit_touched t WHERE t.xid = transaction_id AND t.article_id <> ''
  ORDER BY t.article_id ON CONFLICT DO NOTHING;
  PERFORM 1 FROM audittrail_head WHERE article_id = ANY (article_ids) ORDER BY article_id FOR UPDATE;
END $$;

-- Writes heads anew, as they are, where a touch made no event.  A transaction of REPEATABLE READ that began before does
-- not see what was touched; by this it fails at the head, instead of capturing an article that is no more.
CREATE OR REPLACE FUNCTION audit_renew_heads(article_ids text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE audittrail_head SET sequence = sequence WHERE article_id = ANY (article_ids);
END $$;
