-- Nobody rewrites history: the site reads the trail, the pipeline adds to it, only the owner (who migrates) could do
-- more.
GRANT USAGE ON SCHEMA @schema@ TO @application@, @pipeline@;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA @schema@ TO @application@;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA @schema@ TO @application@, @pipeline@;
GRANT SELECT ON ALL TABLES IN SCHEMA @schema@ TO @pipeline@;
-- Also on what later migrations of the site add.
ALTER DEFAULT PRIVILEGES IN SCHEMA @schema@ GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO @application@;
ALTER DEFAULT PRIVILEGES IN SCHEMA @schema@ GRANT USAGE, SELECT ON SEQUENCES TO @application@;

REVOKE ALL ON audit_touched, audit_mask_secret FROM @application@, @pipeline@;
REVOKE INSERT, UPDATE, DELETE, TRUNCATE
  ON audittrail_head, audittrail_outboxevent, audittrail_actorversion, audittrail_auditevent, audittrail_fork,
     audittrail_verifiedhead
  FROM @application@, @pipeline@;
GRANT INSERT ON audittrail_auditevent, audittrail_fork TO @pipeline@;
GRANT INSERT, UPDATE ON audittrail_verifiedhead TO @pipeline@;
GRANT UPDATE (published_at, set_aside, amendments), DELETE ON audittrail_outboxevent TO @pipeline@;
