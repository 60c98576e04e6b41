-- +goose Up

-- Telling people. A reminder row, written with the change that owes it, is planned once: into a notice in the inbox
-- of each person, and into deliveries over channels. None of these rows is ever deleted: they are the evidence of who
-- was told what, when and how.

ALTER TABLE reminders ADD COLUMN planned_at timestamptz;
-- What was owed before there were deliveries is history, not news.
UPDATE reminders SET planned_at = created_at;
CREATE INDEX reminders_unplanned ON reminders (id) WHERE planned_at IS NULL;

-- sealed holds addresses with keys in them, passwords and signing keys, encrypted.
CREATE TABLE channels (
    id         uuid NOT NULL PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL,
    name       text NOT NULL,
    unit_id    uuid NOT NULL REFERENCES units (id),
    settings   text NOT NULL,
    sealed     bytea NOT NULL,
    disabled   boolean NOT NULL,
    created_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- How a person wants to be told; the row's id is the person's. feed is the hash of the secret part of the address
-- of the person's calendar.
CREATE TABLE notify_settings (
    id          uuid NOT NULL PRIMARY KEY REFERENCES users (id),
    mail        text NOT NULL,
    at_once     boolean NOT NULL,
    quiet_from  text COLLATE "C" NOT NULL,
    quiet_to    text COLLATE "C" NOT NULL,
    language    text COLLATE "C" NOT NULL,
    no_bulletin boolean NOT NULL,
    feed        text COLLATE "C" NOT NULL,
    updated_at  timestamptz NOT NULL,
    version     bigint NOT NULL
);
CREATE UNIQUE INDEX notify_settings_feed ON notify_settings (feed) WHERE feed <> '';

-- Sentences of messages that the site says in its own words; the id is the language and the key.
CREATE TABLE wordings (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    text       text NOT NULL,
    updated_at timestamptz NOT NULL,
    version    bigint NOT NULL
);

-- The inbox.
CREATE TABLE notices (
    id          uuid NOT NULL PRIMARY KEY,
    user_id     uuid NOT NULL REFERENCES users (id),
    project_id  text COLLATE "C" NOT NULL,
    reminder_id text COLLATE "C" NOT NULL,
    kind        text COLLATE "C" NOT NULL,
    timer_id    text COLLATE "C" NOT NULL,
    role        text COLLATE "C" NOT NULL,
    deadline    date,
    text        text NOT NULL,
    due_at      timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    read_at     timestamptz,
    dedupe_key  text COLLATE "C" NOT NULL UNIQUE
);
CREATE INDEX notices_user ON notices (user_id, id);
CREATE INDEX notices_unread ON notices (user_id, id) WHERE read_at IS NULL;
CREATE INDEX notices_project ON notices (project_id, id);

-- One message over one channel, to a person or to where the channel itself leads.
CREATE TABLE deliveries (
    id          uuid NOT NULL PRIMARY KEY,
    channel_id  uuid NOT NULL REFERENCES channels (id),
    unit_id     text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL,
    about       text COLLATE "C" NOT NULL,
    state       text COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    urgent      boolean NOT NULL,
    attempts    bigint NOT NULL,
    next_at     timestamptz NOT NULL,
    lease_token text COLLATE "C" NOT NULL,
    lease_until timestamptz,
    created_at  timestamptz NOT NULL,
    finished_at timestamptz,
    answer      text NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (channel_id, next_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_open ON deliveries (channel_id, user_id) WHERE state = 'waiting' AND attempts = 0;
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_dead ON deliveries (created_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_user ON deliveries (user_id, created_at, id) WHERE user_id <> '';

-- What a message tells: a notice, a reminder or an entry, by its id. The key keeps one thing from reaching one
-- recipient over one channel twice.
CREATE TABLE delivery_items (
    dedupe_key  text COLLATE "C" NOT NULL PRIMARY KEY,
    delivery_id uuid NOT NULL REFERENCES deliveries (id),
    ref         text COLLATE "C" NOT NULL
);
CREATE INDEX delivery_items_delivery ON delivery_items (delivery_id, dedupe_key);
CREATE INDEX delivery_items_ref ON delivery_items (ref);

-- How far the trail has been told to a program. Entries of the last minutes are looked at again, because what is
-- decided first may be committed last.
CREATE TABLE channel_cursors (
    channel_id uuid NOT NULL PRIMARY KEY REFERENCES channels (id),
    told_until timestamptz NOT NULL
);
