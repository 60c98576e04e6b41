-- +goose Up

-- 诉求: what people ask for before a list is drawn up. contact is personal data: it stands in no entry, and is shown to
-- those alone who answer.
CREATE TABLE needs (
    id          TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    unit_id     TEXT     NOT NULL REFERENCES units (id),
    number      TEXT     NOT NULL,
    title       TEXT     NOT NULL,
    text        TEXT     NOT NULL,
    source      TEXT     NOT NULL,
    who         TEXT     NOT NULL,
    times       INTEGER  NOT NULL,
    proposer_id TEXT     NOT NULL,
    contact     TEXT     NOT NULL,
    state       TEXT     NOT NULL,
    project_id  TEXT     NOT NULL,
    into_id     TEXT     NOT NULL,
    answer      TEXT     NOT NULL,
    settled_by  TEXT     NOT NULL,
    settled_at  DATETIME CHECK (settled_at GLOB '????-??-?? ??:??:??*+00:00'),
    told_by     TEXT     NOT NULL,
    told_at     DATETIME CHECK (told_at GLOB '????-??-?? ??:??:??*+00:00'),
    told_how    TEXT     NOT NULL,
    created_by  TEXT     NOT NULL,
    created_at  DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00'),
    version     INTEGER  NOT NULL
);
CREATE INDEX needs_unit ON needs (unit_id, number, id);
CREATE INDEX needs_into ON needs (into_id, id) WHERE into_id <> '';
CREATE INDEX needs_project ON needs (project_id, id) WHERE project_id <> '';
CREATE INDEX needs_settled ON needs (settled_at, id) WHERE proposer_id <> '';
