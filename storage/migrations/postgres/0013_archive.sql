-- +goose Up

-- What was delivered long ago stands apart, so that the tables of every day stay small. Nothing is deleted: rows move here
-- whole, in the transaction of an entry that says how many and what their digest is.
CREATE TABLE archived_deliveries (
    id          uuid NOT NULL PRIMARY KEY,
    channel_id  uuid NOT NULL REFERENCES channels (id),
    unit_id     text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    about       text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN ('sent', 'dead')),
    urgent      boolean NOT NULL,
    attempts    bigint NOT NULL,
    next_at     timestamptz NOT NULL,
    lease_token text COLLATE "C" NOT NULL,
    lease_until timestamptz,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    answer      text NOT NULL,
    archived_at timestamptz NOT NULL
);
CREATE INDEX archived_deliveries_created ON archived_deliveries (created_at, id);
CREATE INDEX archived_deliveries_user ON archived_deliveries (user_id, created_at, id) WHERE user_id <> '';

-- The keys go on counting: what was told is not told again.
CREATE TABLE archived_delivery_items (
    dedupe_key  text COLLATE "C" NOT NULL PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES archived_deliveries (id),
    ref         text COLLATE "C" NOT NULL
);
CREATE INDEX archived_delivery_items_delivery ON archived_delivery_items (delivery_id, dedupe_key);
CREATE INDEX archived_delivery_items_ref ON archived_delivery_items (ref);

-- What can be archived, oldest first.
CREATE INDEX deliveries_finished ON deliveries (created_at, id) WHERE state <> 'waiting';
