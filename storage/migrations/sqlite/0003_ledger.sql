-- +goose Up

-- The ledger's first page is what is open, by deadline. After some years nearly everything is closed, and reading
-- past all of that would cost more every year; the condition stands in the queries word for word.
CREATE INDEX projects_open_deadline ON projects (deadline, id) WHERE stage NOT IN ('closed', 'cancelled');
CREATE INDEX projects_closed ON projects (closed_at, id) WHERE closed_at IS NOT NULL;

-- Views of the ledger that people saved for themselves: a name and the filters of an address. They say how somebody
-- likes to look at things, not what is so, and leave no entry.
CREATE TABLE saved_views (
    user_id    TEXT     NOT NULL REFERENCES users (id),
    name       TEXT     NOT NULL,
    query      TEXT     NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (user_id, name)
) WITHOUT ROWID;
