-- +goose Up

-- What was switched on or off: a kind without a row is as its definition says.
CREATE TABLE kind_switches (
    id      text COLLATE "C" NOT NULL PRIMARY KEY,
    "on"    boolean          NOT NULL,
    by_id   text COLLATE "C" NOT NULL,
    at      timestamptz      NOT NULL,
    version bigint           NOT NULL
);

-- Which pieces of 佐证材料 are those that a definition asks for by name, and how many of each an item has.
ALTER TABLE evidence ADD COLUMN material text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN materials text;
