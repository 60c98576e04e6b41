-- +goose Up

-- 诉求: what people ask for before a list is drawn up. contact is personal data: it stands in no entry, and is shown to
-- those alone who answer.
CREATE TABLE needs (
    id          uuid             NOT NULL PRIMARY KEY,
    unit_id     uuid             NOT NULL REFERENCES units (id),
    number      text COLLATE "C" NOT NULL,
    title       text             NOT NULL,
    text        text             NOT NULL,
    source      text COLLATE "C" NOT NULL,
    who         text             NOT NULL,
    times       bigint           NOT NULL,
    proposer_id text COLLATE "C" NOT NULL,
    contact     text             NOT NULL,
    state       text COLLATE "C" NOT NULL,
    project_id  text COLLATE "C" NOT NULL,
    into_id     text COLLATE "C" NOT NULL,
    answer      text             NOT NULL,
    settled_by  text COLLATE "C" NOT NULL,
    settled_at  timestamptz,
    told_by     text COLLATE "C" NOT NULL,
    told_at     timestamptz,
    told_how    text             NOT NULL,
    created_by  text COLLATE "C" NOT NULL,
    created_at  timestamptz      NOT NULL,
    version     bigint           NOT NULL
);
CREATE INDEX needs_unit ON needs (unit_id, number, id);
CREATE INDEX needs_into ON needs (into_id, id) WHERE into_id <> '';
CREATE INDEX needs_project ON needs (project_id, id) WHERE project_id <> '';
CREATE INDEX needs_settled ON needs (settled_at, id) WHERE proposer_id <> '';
