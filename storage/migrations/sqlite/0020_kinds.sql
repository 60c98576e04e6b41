-- +goose Up

-- What was switched on or off: a kind without a row is as its definition says.
CREATE TABLE kind_switches (
    id      TEXT     NOT NULL PRIMARY KEY,
    "on"    BOOLEAN  NOT NULL,
    by_id   TEXT     NOT NULL,
    at      DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00'),
    version INTEGER  NOT NULL
);

-- Which pieces of 佐证材料 are those that a definition asks for by name, and how many of each an item has.
ALTER TABLE evidence ADD COLUMN material TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN materials TEXT;
