-- +goose Up

-- Score sheets (考核口径) that were proposed, and what a leader made of them. digest is that of source.
CREATE TABLE sheet_versions (
    id          TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    sheet       TEXT     NOT NULL,
    number      INTEGER  NOT NULL,
    digest      TEXT     NOT NULL,
    in_force    TEXT     NOT NULL CHECK (in_force GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    state       TEXT     NOT NULL,
    note        TEXT     NOT NULL,
    proposed_by TEXT     NOT NULL,
    proposed_at DATETIME NOT NULL CHECK (proposed_at GLOB '????-??-?? ??:??:??*+00:00'),
    decision    TEXT     NOT NULL,
    decided_by  TEXT     NOT NULL,
    decided_at  DATETIME CHECK (decided_at GLOB '????-??-?? ??:??:??*+00:00'),
    version     INTEGER  NOT NULL,
    source      BLOB     NOT NULL
);
