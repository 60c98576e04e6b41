-- +goose Up

-- What the columns of ledgers from one source are, as a person last confirmed it. A source is the shape of a ledger's
-- head at the unit for which it is imported. Forgotten ones stay, so that their entries have a row.
CREATE TABLE source_mappings (
    id        uuid             NOT NULL PRIMARY KEY,
    unit_id   uuid             NOT NULL REFERENCES units (id),
    shape     text COLLATE "C" NOT NULL CHECK (length(shape) = 64),
    file      text             NOT NULL,
    columns   text,
    saved_by  text COLLATE "C" NOT NULL,
    saved_at  timestamptz      NOT NULL,
    forgotten boolean          NOT NULL,
    version   bigint           NOT NULL,
    UNIQUE (unit_id, shape)
);
