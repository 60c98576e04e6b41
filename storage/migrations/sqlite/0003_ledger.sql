-- +goose Up

-- The ledger's first page is what is open, by deadline. After some years nearly everything is closed, and reading
-- past all of that would cost more every year; the condition stands in the queries word for word. The columns behind
-- the order let rows of another light or unit be passed over without looking them up.
CREATE INDEX projects_open_deadline ON projects (deadline, id, stage, red_at, orange_at, yellow_at, unit_id)
    WHERE stage NOT IN ('closed', 'cancelled');
-- To-do lists want what waits by deadline.
CREATE INDEX projects_waiting_deadline ON projects (deadline, id, waiting) WHERE waiting <> '';
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
