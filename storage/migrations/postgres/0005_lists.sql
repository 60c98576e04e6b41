-- +goose Up

-- 双月实事清单. A project's column list holds the number that people wrote; list_id the list on which it stands.

ALTER TABLE projects ADD COLUMN list_id text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN carried bigint NOT NULL DEFAULT 0;

-- 回头看, and requests for more time that came too late.
ALTER TABLE projects ADD COLUMN look_back_due date;
ALTER TABLE projects ADD COLUMN look_back text;
ALTER TABLE projects ADD COLUMN look_backs bigint NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN look_backs_failed bigint NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN late_asks bigint NOT NULL DEFAULT 0;

CREATE TABLE lists (
    id             uuid             NOT NULL PRIMARY KEY,
    unit_id        uuid             NOT NULL REFERENCES units (id),
    number         text COLLATE "C" NOT NULL,
    name           text             NOT NULL,
    period_from    date             NOT NULL,
    period_to      date             NOT NULL,
    state          text COLLATE "C" NOT NULL,
    items          text,
    created_by     text COLLATE "C" NOT NULL,
    created_at     timestamptz      NOT NULL,
    published_by   text COLLATE "C" NOT NULL,
    published_at   timestamptz,
    reconciling_at timestamptz,
    closed_by      text COLLATE "C" NOT NULL,
    closed_at      timestamptz,
    version        bigint           NOT NULL,
    UNIQUE (unit_id, number)
);
CREATE INDEX lists_period ON lists (period_from, id);
CREATE INDEX lists_ending ON lists (state, period_to);

-- A satisfaction survey behind a link. poll_hash is of the link's token; votes are counted into the project when the
-- poll is over, and say nothing of who cast them but which device.
ALTER TABLE projects ADD COLUMN poll text;
ALTER TABLE projects ADD COLUMN poll_hash text COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX projects_poll ON projects (poll_hash) WHERE poll_hash <> '';

CREATE TABLE votes (
    poll    uuid        NOT NULL,
    device  bytea       NOT NULL CHECK (octet_length(device) = 32),
    level   bigint      NOT NULL CHECK (level BETWEEN 1 AND 5),
    comment text        NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (poll, device)
);
