-- +goose Up

-- What the columns of ledgers from one source are, as a person last confirmed it. A source is the shape of a ledger's
-- head at the unit for which it is imported. Forgotten ones stay, so that their entries have a row.
CREATE TABLE source_mappings (
    id        TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    unit_id   TEXT     NOT NULL REFERENCES units (id),
    shape     TEXT     NOT NULL CHECK (length(shape) = 64),
    file      TEXT     NOT NULL,
    columns   TEXT,
    saved_by  TEXT     NOT NULL,
    saved_at  DATETIME NOT NULL CHECK (saved_at GLOB '????-??-?? ??:??:??*+00:00'),
    forgotten BOOLEAN  NOT NULL,
    version   INTEGER  NOT NULL,
    UNIQUE (unit_id, shape)
);
