-- +goose Up

-- The Merkle log over all entries. A leaf is the hash of an entry, nodes are the roots of complete subtrees of
-- 256^level leaves, a checkpoint is a signed note of size and root. All three only grow.

CREATE TABLE log_leaves (
    idx      bigint NOT NULL PRIMARY KEY CHECK (idx >= 0),
    entry_id uuid   NOT NULL UNIQUE,
    hash     bytea  NOT NULL CHECK (octet_length(hash) = 32)
);

CREATE TABLE log_nodes (
    level bigint NOT NULL CHECK (level > 0),
    n     bigint NOT NULL CHECK (n >= 0),
    hash  bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (level, n)
);

CREATE TABLE checkpoints (
    n    bigint      NOT NULL PRIMARY KEY CHECK (n > 0),
    size bigint      NOT NULL UNIQUE CHECK (size > 0),
    at   timestamptz NOT NULL,
    note bytea       NOT NULL
);

-- Which transaction wrote an entry: what began before the oldest transaction that is still running has been seen by
-- everybody, so the sealer looks only at the rest for entries without a leaf. No program writes or reads it otherwise.
ALTER TABLE entries ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX entries_xid ON entries (xid);

CREATE TRIGGER log_leaves_no_change BEFORE UPDATE OR DELETE ON log_leaves FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE log_leaves ENABLE ALWAYS TRIGGER log_leaves_no_change;
CREATE TRIGGER log_leaves_no_truncate BEFORE TRUNCATE ON log_leaves FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE log_leaves ENABLE ALWAYS TRIGGER log_leaves_no_truncate;
CREATE TRIGGER log_nodes_no_change BEFORE UPDATE OR DELETE ON log_nodes FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE log_nodes ENABLE ALWAYS TRIGGER log_nodes_no_change;
CREATE TRIGGER log_nodes_no_truncate BEFORE TRUNCATE ON log_nodes FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE log_nodes ENABLE ALWAYS TRIGGER log_nodes_no_truncate;
CREATE TRIGGER checkpoints_no_change BEFORE UPDATE OR DELETE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_no_change;
CREATE TRIGGER checkpoints_no_truncate BEFORE TRUNCATE ON checkpoints FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE checkpoints ENABLE ALWAYS TRIGGER checkpoints_no_truncate;
