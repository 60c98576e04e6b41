-- +goose Up

-- Yearly counts (such as 四个一): the definitions that were switched on, and what each member did in each year.
CREATE TABLE tallies (
    id         text COLLATE "C" NOT NULL PRIMARY KEY,
    name       text             NOT NULL,
    categories text             NOT NULL,
    minutes    bigint           NOT NULL,
    enter      text             NOT NULL,
    "on"       boolean          NOT NULL,
    by_id      text COLLATE "C" NOT NULL,
    at         timestamptz      NOT NULL,
    version    bigint           NOT NULL
);
CREATE TABLE tally_years (
    id         uuid             NOT NULL PRIMARY KEY,
    tally      text COLLATE "C" NOT NULL,
    user_id    uuid             NOT NULL REFERENCES users (id),
    unit_id    uuid             NOT NULL REFERENCES units (id),
    year       bigint           NOT NULL,
    struck     text             NOT NULL,
    records    text,
    serial     bigint           NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    created_at timestamptz      NOT NULL,
    version    bigint           NOT NULL,
    UNIQUE (user_id, year, tally)
);
CREATE INDEX tally_years_unit ON tally_years (unit_id, year, id);
