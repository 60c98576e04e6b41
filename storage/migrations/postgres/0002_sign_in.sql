-- +goose Up

-- Local sign-in. Nothing here stands in the trail: that a password was set, that somebody came, went or was
-- refused are entries; these rows are what the next request needs to know.

CREATE TABLE passwords (
    user_id     uuid             NOT NULL PRIMARY KEY REFERENCES users (id),
    phc         text COLLATE "C" NOT NULL CHECK (phc LIKE '$argon2id$%'),
    changed_at  timestamptz      NOT NULL,
    must_change boolean          NOT NULL
);

-- A session outlives its end by the time that its device stays known.
CREATE TABLE sessions (
    hash         bytea            NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    device       bytea            NOT NULL CHECK (octet_length(device) = 32),
    user_id      uuid             NOT NULL REFERENCES users (id),
    user_version bigint           NOT NULL,
    created_at   timestamptz      NOT NULL,
    seen_at      timestamptz      NOT NULL,
    expires_at   timestamptz      NOT NULL,
    ended_at     timestamptz,
    via          text COLLATE "C" NOT NULL
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_device ON sessions (device);
CREATE INDEX sessions_created ON sessions (created_at);

-- Attempts that failed or are being evaluated, for as long as they count. account is a digest, because people
-- type passwords where their name belongs; device is empty unless the account's owner signed in with it before.
CREATE TABLE sign_in_failures (
    id      uuid             NOT NULL PRIMARY KEY,
    account bytea            NOT NULL CHECK (octet_length(account) = 32),
    device  bytea            NOT NULL,
    address text COLLATE "C" NOT NULL,
    at      timestamptz      NOT NULL
);
CREATE INDEX sign_in_failures_account ON sign_in_failures (account, at);
CREATE INDEX sign_in_failures_address ON sign_in_failures (address, at);
CREATE INDEX sign_in_failures_at ON sign_in_failures (at);

-- When something that can come in floods was last written to the trail, and how often it came since.
CREATE TABLE sign_in_notes (
    key     bytea       NOT NULL PRIMARY KEY CHECK (octet_length(key) = 32),
    at      timestamptz NOT NULL,
    skipped bigint      NOT NULL
);
CREATE INDEX sign_in_notes_at ON sign_in_notes (at);

-- The token that makes the first administrator: at most one, the newest.
CREATE TABLE setup (
    only_one   bigint      NOT NULL PRIMARY KEY DEFAULT 1 CHECK (only_one = 1),
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
