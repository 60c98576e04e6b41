-- +goose Up

-- What was delivered long ago stands apart, so that the tables of every day stay small. Nothing is deleted: rows move here
-- whole, in the transaction of an entry that says how many and what their digest is.
CREATE TABLE archived_deliveries (
    id          TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    channel_id  TEXT NOT NULL REFERENCES channels (id),
    unit_id     TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    about       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('sent', 'dead')),
    urgent      BOOLEAN NOT NULL,
    attempts    INTEGER NOT NULL,
    next_at     DATETIME NOT NULL CHECK (next_at GLOB '????-??-?? ??:??:??*+00:00'),
    lease_token TEXT NOT NULL,
    lease_until DATETIME,
    created_at  DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    finished_at DATETIME,
    answer      TEXT NOT NULL,
    archived_at DATETIME NOT NULL CHECK (archived_at GLOB '????-??-?? ??:??:??*+00:00')
);
CREATE INDEX archived_deliveries_created ON archived_deliveries (created_at, id);
CREATE INDEX archived_deliveries_user ON archived_deliveries (user_id, created_at, id) WHERE user_id <> '';

-- The keys go on counting: what was told is not told again.
CREATE TABLE archived_delivery_items (
    dedupe_key  TEXT NOT NULL PRIMARY KEY,
    delivery_id TEXT NOT NULL REFERENCES archived_deliveries (id),
    ref         TEXT NOT NULL
);
CREATE INDEX archived_delivery_items_delivery ON archived_delivery_items (delivery_id, dedupe_key);
CREATE INDEX archived_delivery_items_ref ON archived_delivery_items (ref);

-- What can be archived, oldest first.
CREATE INDEX deliveries_finished ON deliveries (created_at, id) WHERE state <> 'waiting';
