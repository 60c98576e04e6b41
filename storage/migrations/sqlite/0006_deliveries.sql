-- +goose Up

-- Telling people. A reminder row, written with the change that owes it, is planned once: into a notice in the inbox
-- of each person, and into deliveries over channels. None of these rows is ever deleted: they are the evidence of who
-- was told what, when and how.

ALTER TABLE reminders ADD COLUMN planned_at DATETIME;
-- What was owed before there were deliveries is history, not news.
UPDATE reminders SET planned_at = created_at;
CREATE INDEX reminders_unplanned ON reminders (id) WHERE planned_at IS NULL;

-- sealed holds addresses with keys in them, passwords and signing keys, encrypted.
CREATE TABLE channels (
    id         TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    kind       TEXT NOT NULL,
    name       TEXT NOT NULL,
    unit_id    TEXT NOT NULL REFERENCES units (id),
    settings   TEXT NOT NULL,
    sealed     BLOB NOT NULL,
    disabled   BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    version    INTEGER NOT NULL
);

-- How a person wants to be told; the row's id is the person's. feed is the hash of the secret part of the address
-- of the person's calendar.
CREATE TABLE notify_settings (
    id          TEXT NOT NULL PRIMARY KEY REFERENCES users (id),
    mail        TEXT NOT NULL,
    at_once     BOOLEAN NOT NULL,
    quiet_from  TEXT NOT NULL,
    quiet_to    TEXT NOT NULL,
    language    TEXT NOT NULL,
    no_bulletin BOOLEAN NOT NULL,
    feed        TEXT NOT NULL,
    updated_at  DATETIME NOT NULL CHECK (updated_at GLOB '????-??-?? ??:??:??*+00:00'),
    version     INTEGER NOT NULL
);
CREATE UNIQUE INDEX notify_settings_feed ON notify_settings (feed) WHERE feed <> '';

-- Sentences of messages that the site says in its own words; the id is the language and the key.
CREATE TABLE wordings (
    id         TEXT NOT NULL PRIMARY KEY,
    text       TEXT NOT NULL,
    updated_at DATETIME NOT NULL CHECK (updated_at GLOB '????-??-?? ??:??:??*+00:00'),
    version    INTEGER NOT NULL
);

-- The inbox.
CREATE TABLE notices (
    id          TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id     TEXT NOT NULL REFERENCES users (id),
    project_id  TEXT NOT NULL,
    reminder_id TEXT NOT NULL,
    kind        TEXT NOT NULL,
    timer_id    TEXT NOT NULL,
    role        TEXT NOT NULL,
    deadline    TEXT     CHECK (deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    text        TEXT NOT NULL,
    due_at      DATETIME NOT NULL CHECK (due_at GLOB '????-??-?? ??:??:??*+00:00'),
    created_at  DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    read_at     DATETIME,
    dedupe_key  TEXT NOT NULL UNIQUE
);
CREATE INDEX notices_user ON notices (user_id, id);
CREATE INDEX notices_unread ON notices (user_id, id) WHERE read_at IS NULL;
CREATE INDEX notices_project ON notices (project_id, id);

-- One message over one channel, to a person or to where the channel itself leads.
CREATE TABLE deliveries (
    id          TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    channel_id  TEXT NOT NULL REFERENCES channels (id),
    unit_id     TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    about       TEXT NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'dead')),
    urgent      BOOLEAN NOT NULL,
    attempts    INTEGER NOT NULL,
    next_at     DATETIME NOT NULL CHECK (next_at GLOB '????-??-?? ??:??:??*+00:00'),
    lease_token TEXT NOT NULL,
    lease_until DATETIME,
    created_at  DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    finished_at DATETIME,
    answer      TEXT NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (channel_id, next_at, id) WHERE state = 'waiting';
CREATE INDEX deliveries_open ON deliveries (channel_id, user_id) WHERE state = 'waiting' AND attempts = 0;
CREATE INDEX deliveries_created ON deliveries (created_at, id);
CREATE INDEX deliveries_dead ON deliveries (created_at, id) WHERE state = 'dead';
CREATE INDEX deliveries_user ON deliveries (user_id, created_at, id) WHERE user_id <> '';

-- What a message tells: a notice, a reminder or an entry, by its id. The key keeps one thing from reaching one
-- recipient over one channel twice.
CREATE TABLE delivery_items (
    dedupe_key  TEXT NOT NULL PRIMARY KEY,
    delivery_id TEXT NOT NULL REFERENCES deliveries (id),
    ref         TEXT NOT NULL
);
CREATE INDEX delivery_items_delivery ON delivery_items (delivery_id, dedupe_key);
CREATE INDEX delivery_items_ref ON delivery_items (ref);

-- How far the trail has been told to a program. Entries of the last minutes are looked at again, because what is
-- decided first may be committed last.
CREATE TABLE channel_cursors (
    channel_id TEXT NOT NULL PRIMARY KEY REFERENCES channels (id),
    told_until DATETIME NOT NULL CHECK (told_until GLOB '????-??-?? ??:??:??*+00:00')
);
