-- +goose Up

-- Yearly counts (such as 四个一): the definitions that were switched on, and what each member did in each year.
CREATE TABLE tallies (
    id         TEXT     NOT NULL PRIMARY KEY,
    name       TEXT     NOT NULL,
    categories TEXT     NOT NULL,
    minutes    INTEGER  NOT NULL,
    enter      TEXT     NOT NULL,
    "on"       BOOLEAN  NOT NULL,
    by_id      TEXT     NOT NULL,
    at         DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00'),
    version    INTEGER  NOT NULL
);
CREATE TABLE tally_years (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    tally      TEXT     NOT NULL,
    user_id    TEXT     NOT NULL REFERENCES users (id),
    unit_id    TEXT     NOT NULL REFERENCES units (id),
    year       INTEGER  NOT NULL,
    struck     TEXT     NOT NULL,
    records    TEXT,
    serial     INTEGER  NOT NULL,
    created_by TEXT     NOT NULL,
    created_at DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    version    INTEGER  NOT NULL,
    UNIQUE (user_id, year, tally)
);
CREATE INDEX tally_years_unit ON tally_years (unit_id, year, id);
