-- +goose Up

-- Local sign-in. Nothing here stands in the trail: that a password was set, that somebody came, went or was
-- refused are entries; these rows are what the next request needs to know.

CREATE TABLE passwords (
    user_id     TEXT     NOT NULL PRIMARY KEY REFERENCES users (id),
    phc         TEXT     NOT NULL CHECK (phc LIKE '$argon2id$%'),
    changed_at  DATETIME NOT NULL CHECK (changed_at GLOB '????-??-?? ??:??:??*+00:00'),
    must_change BOOLEAN  NOT NULL
);

-- A session outlives its end by the time that its device stays known.
CREATE TABLE sessions (
    hash         BLOB     NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    device       BLOB     NOT NULL CHECK (length(device) = 32),
    user_id      TEXT     NOT NULL REFERENCES users (id),
    user_version INTEGER  NOT NULL,
    created_at   DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    seen_at      DATETIME NOT NULL CHECK (seen_at GLOB '????-??-?? ??:??:??*+00:00'),
    expires_at   DATETIME NOT NULL CHECK (expires_at GLOB '????-??-?? ??:??:??*+00:00'),
    ended_at     DATETIME,
    via          TEXT     NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_device ON sessions (device);
CREATE INDEX sessions_created ON sessions (created_at);

-- Attempts that failed or are being evaluated, for as long as they count. account is a digest, because people
-- type passwords where their name belongs; device is empty unless the account's owner signed in with it before.
CREATE TABLE sign_in_failures (
    id      TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    account BLOB     NOT NULL CHECK (length(account) = 32),
    device  BLOB     NOT NULL,
    address TEXT     NOT NULL,
    at      DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00')
);
CREATE INDEX sign_in_failures_account ON sign_in_failures (account, at);
CREATE INDEX sign_in_failures_address ON sign_in_failures (address, at);
CREATE INDEX sign_in_failures_at ON sign_in_failures (at);

-- When something that can come in floods was last written to the trail, and how often it came since.
CREATE TABLE sign_in_notes (
    key     BLOB     NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    at      DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00'),
    skipped INTEGER  NOT NULL
);
CREATE INDEX sign_in_notes_at ON sign_in_notes (at);

-- The token that makes the first administrator: at most one, the newest.
CREATE TABLE setup (
    only_one   INTEGER  NOT NULL PRIMARY KEY DEFAULT 1 CHECK (only_one = 1),
    hash       BLOB     NOT NULL CHECK (length(hash) = 32),
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL CHECK (expires_at GLOB '????-??-?? ??:??:??*+00:00'),
    used_at    DATETIME
);
