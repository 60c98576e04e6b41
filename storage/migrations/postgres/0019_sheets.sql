-- +goose Up

-- Score sheets (考核口径) that were proposed, and what a leader made of them. digest is that of source.
CREATE TABLE sheet_versions (
    id          uuid             NOT NULL PRIMARY KEY,
    sheet       text COLLATE "C" NOT NULL,
    number      bigint           NOT NULL,
    digest      text COLLATE "C" NOT NULL,
    in_force    date             NOT NULL,
    state       text COLLATE "C" NOT NULL,
    note        text             NOT NULL,
    proposed_by text COLLATE "C" NOT NULL,
    proposed_at timestamptz      NOT NULL,
    decision    text             NOT NULL,
    decided_by  text COLLATE "C" NOT NULL,
    decided_at  timestamptz,
    version     bigint           NOT NULL,
    source      bytea            NOT NULL
);
