-- +goose Up

-- 双月实事清单. A project's column list holds the number that people wrote; list_id the list on which it stands.

ALTER TABLE projects ADD COLUMN list_id TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN carried INTEGER NOT NULL DEFAULT 0;

-- 回头看, and requests for more time that came too late.
ALTER TABLE projects ADD COLUMN look_back_due TEXT CHECK (look_back_due GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]');
ALTER TABLE projects ADD COLUMN look_back TEXT;
ALTER TABLE projects ADD COLUMN look_backs INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN look_backs_failed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN late_asks INTEGER NOT NULL DEFAULT 0;

CREATE TABLE lists (
    id             TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    unit_id        TEXT     NOT NULL REFERENCES units (id),
    number         TEXT     NOT NULL,
    name           TEXT     NOT NULL,
    period_from    TEXT     NOT NULL CHECK (period_from GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    period_to      TEXT     NOT NULL CHECK (period_to GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    state          TEXT     NOT NULL,
    items          TEXT,
    created_by     TEXT     NOT NULL,
    created_at     DATETIME NOT NULL,
    published_by   TEXT     NOT NULL,
    published_at   DATETIME,
    reconciling_at DATETIME,
    closed_by      TEXT     NOT NULL,
    closed_at      DATETIME,
    version        INTEGER  NOT NULL,
    UNIQUE (unit_id, number)
);
CREATE INDEX lists_period ON lists (period_from, id);
CREATE INDEX lists_ending ON lists (state, period_to);

-- A satisfaction survey behind a link. poll_hash is of the link's token; votes are counted into the project when the
-- poll is over, and say nothing of who cast them but which device.
ALTER TABLE projects ADD COLUMN poll TEXT;
ALTER TABLE projects ADD COLUMN poll_hash TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX projects_poll ON projects (poll_hash) WHERE poll_hash <> '';

CREATE TABLE votes (
    poll    TEXT     NOT NULL CHECK (length(poll) = 36),
    device  BLOB     NOT NULL CHECK (length(device) = 32),
    level   INTEGER  NOT NULL CHECK (level BETWEEN 1 AND 5),
    comment TEXT     NOT NULL,
    at      DATETIME NOT NULL,
    PRIMARY KEY (poll, device)
) WITHOUT ROWID;
