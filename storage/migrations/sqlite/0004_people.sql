-- +goose Up

-- Tokens that carry less than their owner's rights, and when they were last used (which is no change of the token).
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN used_at DATETIME;

-- Roles lent for a while (委托).
CREATE TABLE delegations (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    from_id    TEXT     NOT NULL REFERENCES users (id),
    to_id      TEXT     NOT NULL REFERENCES users (id),
    role       TEXT     NOT NULL,
    unit_id    TEXT     NOT NULL REFERENCES units (id),
    starts_at  DATETIME NOT NULL CHECK (starts_at GLOB '????-??-?? ??:??:??*+00:00'),
    ends_at    DATETIME NOT NULL CHECK (ends_at GLOB '????-??-?? ??:??:??*+00:00'),
    note       TEXT     NOT NULL,
    created_at DATETIME NOT NULL,
    revoked_at DATETIME,
    version    INTEGER  NOT NULL
);
CREATE INDEX delegations_from ON delegations (from_id);
CREATE INDEX delegations_to ON delegations (to_id);
