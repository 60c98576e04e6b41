-- +goose Up

-- The Merkle log over all entries. A leaf is the hash of an entry, nodes are the roots of complete subtrees of
-- 256^level leaves, a checkpoint is a signed note of size and root. All three only grow.

CREATE TABLE log_leaves (
    idx      INTEGER NOT NULL PRIMARY KEY CHECK (idx >= 0),
    entry_id TEXT    NOT NULL UNIQUE CHECK (length(entry_id) = 36),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
);

CREATE TABLE log_nodes (
    level INTEGER NOT NULL CHECK (level > 0),
    n     INTEGER NOT NULL CHECK (n >= 0),
    hash  BLOB    NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, n)
) WITHOUT ROWID;

CREATE TABLE checkpoints (
    n    INTEGER  NOT NULL PRIMARY KEY CHECK (n > 0),
    size INTEGER  NOT NULL UNIQUE CHECK (size > 0),
    at   DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00'),
    note BLOB     NOT NULL
);

-- +goose StatementBegin
CREATE TRIGGER log_leaves_no_update BEFORE UPDATE ON log_leaves
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_leaves_no_delete BEFORE DELETE ON log_leaves
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_leaves_no_replace BEFORE INSERT ON log_leaves
WHEN EXISTS (SELECT 1 FROM log_leaves WHERE idx = NEW.idx OR entry_id = NEW.entry_id)
BEGIN
    SELECT RAISE(ABORT, 'log_leaves is never replaced');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_nodes_no_update BEFORE UPDATE ON log_nodes
BEGIN
    SELECT RAISE(ABORT, 'log_nodes is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_nodes_no_delete BEFORE DELETE ON log_nodes
BEGIN
    SELECT RAISE(ABORT, 'log_nodes is never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER log_nodes_no_replace BEFORE INSERT ON log_nodes
WHEN EXISTS (SELECT 1 FROM log_nodes WHERE level = NEW.level AND n = NEW.n)
BEGIN
    SELECT RAISE(ABORT, 'log_nodes is never replaced');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_update BEFORE UPDATE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_delete BEFORE DELETE ON checkpoints
BEGIN
    SELECT RAISE(ABORT, 'checkpoints is never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER checkpoints_no_replace BEFORE INSERT ON checkpoints
WHEN EXISTS (SELECT 1 FROM checkpoints WHERE n = NEW.n OR size = NEW.size)
BEGIN
    SELECT RAISE(ABORT, 'checkpoints is never replaced');
END;
-- +goose StatementEnd
