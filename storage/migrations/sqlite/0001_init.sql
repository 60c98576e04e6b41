-- +goose Up

-- Times are text in UTC, as "2006-01-02 15:04:05.999999+00:00"; they compare as text only because all are UTC,
-- which the checks on the columns that are compared hold to. Dates are text as 2006-01-02. Documents are JSON.
-- Columns that refer to people have no foreign key: history outlives accounts, and "operator" and "clock" are
-- people without one.

CREATE TABLE installation (
    id         TEXT     NOT NULL PRIMARY KEY,
    epoch      INTEGER  NOT NULL,
    only_one   INTEGER  NOT NULL UNIQUE DEFAULT 1 CHECK (only_one = 1),
    created_at DATETIME NOT NULL
);

CREATE TABLE units (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    parent_id  TEXT     REFERENCES units (id),
    path       TEXT     NOT NULL UNIQUE CHECK (path LIKE '/%/'),
    code       TEXT     NOT NULL UNIQUE,
    name       TEXT     NOT NULL,
    created_at DATETIME NOT NULL,
    version    INTEGER  NOT NULL
);

CREATE TABLE users (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    login      TEXT     NOT NULL UNIQUE,
    name       TEXT     NOT NULL,
    personal   TEXT     NOT NULL,
    salt       BLOB     NOT NULL,
    disabled   BOOLEAN  NOT NULL,
    grants     TEXT,
    created_at DATETIME NOT NULL,
    version    INTEGER  NOT NULL
);

CREATE TABLE tokens (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    user_id    TEXT     NOT NULL REFERENCES users (id),
    name       TEXT     NOT NULL,
    hash       BLOB     NOT NULL CHECK (length(hash) = 32) UNIQUE,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    revoked_at DATETIME,
    version    INTEGER  NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE definitions (
    digest       TEXT     NOT NULL PRIMARY KEY,
    workflow_id  TEXT     NOT NULL,
    version      INTEGER  NOT NULL,
    source       BLOB     NOT NULL,
    published_by TEXT     NOT NULL,
    published_at DATETIME NOT NULL,
    UNIQUE (workflow_id, version)
);

CREATE TABLE calendar_days (
    date   TEXT    NOT NULL PRIMARY KEY CHECK (date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    name   TEXT    NOT NULL,
    off    BOOLEAN NOT NULL,
    notice TEXT    NOT NULL
);

CREATE TABLE counters (
    series TEXT    NOT NULL PRIMARY KEY,
    last   INTEGER NOT NULL
);

-- The ends of the chains of everything that is not a project; a project's row carries its own.
CREATE TABLE subjects (
    subject TEXT    NOT NULL PRIMARY KEY,
    seq     INTEGER NOT NULL,
    head    BLOB    NOT NULL CHECK (length(head) = 32)
);

CREATE TABLE projects (
    id                TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    number            TEXT     NOT NULL UNIQUE,
    serial            INTEGER  NOT NULL,
    kind              TEXT     NOT NULL,
    definition        TEXT     NOT NULL,
    unit_id           TEXT     NOT NULL REFERENCES units (id),
    title             TEXT     NOT NULL,
    category          TEXT     NOT NULL,
    need              TEXT     NOT NULL,
    target            TEXT     NOT NULL,
    measures          TEXT     NOT NULL,
    owner_id          TEXT     NOT NULL,
    assistants        TEXT,
    sponsor_id        TEXT     NOT NULL,
    assisting         TEXT,
    list              TEXT     NOT NULL,
    extra             TEXT,
    source_key        TEXT     NOT NULL,
    deadline          TEXT     CHECK (deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    original_deadline TEXT     CHECK (original_deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    deadline_set_at   DATETIME,
    extensions        INTEGER  NOT NULL,
    stage             TEXT     NOT NULL,
    stage_since       DATETIME NOT NULL,
    resume            TEXT     NOT NULL,
    started_at        DATETIME,
    returns           INTEGER  NOT NULL,
    round             INTEGER  NOT NULL,
    request           TEXT,
    acknowledged_at   DATETIME,
    milestones        TEXT,
    progress          INTEGER  NOT NULL,
    reports           INTEGER  NOT NULL,
    reported_at       DATETIME,
    evidence_count    INTEGER  NOT NULL,
    verification      TEXT,
    survey            TEXT,
    objections        TEXT,
    summary           TEXT     NOT NULL,
    lasting           TEXT     NOT NULL,
    urged_on          TEXT     CHECK (urged_on GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    urges             INTEGER  NOT NULL,
    overdue_at        DATETIME,
    ever_overdue      BOOLEAN  NOT NULL,
    closed_at         DATETIME,
    fired             TEXT,
    stage_due         DATETIME CHECK (stage_due GLOB '????-??-?? ??:??:??*+00:00'),
    yellow_at         DATETIME CHECK (yellow_at GLOB '????-??-?? ??:??:??*+00:00'),
    orange_at         DATETIME CHECK (orange_at GLOB '????-??-?? ??:??:??*+00:00'),
    red_at            DATETIME CHECK (red_at GLOB '????-??-?? ??:??:??*+00:00'),
    next_at           DATETIME CHECK (next_at GLOB '????-??-?? ??:??:??*+00:00'),
    waiting           TEXT     NOT NULL,
    calendar_unknown  BOOLEAN  NOT NULL,
    created_by        TEXT     NOT NULL,
    created_at        DATETIME NOT NULL,
    updated_at        DATETIME NOT NULL CHECK (updated_at GLOB '????-??-?? ??:??:??*+00:00'),
    version           INTEGER  NOT NULL,
    head              BLOB     NOT NULL CHECK (length(head) = 32)
);
-- Every list is one of these read in its order; the id at the end keeps pages from overlapping.
CREATE INDEX projects_unit ON projects (unit_id, id);
CREATE INDEX projects_kind ON projects (kind, id);
CREATE INDEX projects_stage ON projects (stage, id);
CREATE INDEX projects_owner ON projects (owner_id, id) WHERE owner_id <> '';
CREATE INDEX projects_sponsor ON projects (sponsor_id, id) WHERE sponsor_id <> '';
CREATE INDEX projects_list ON projects (list, id) WHERE list <> '';
CREATE INDEX projects_deadline ON projects (deadline, id);
CREATE INDEX projects_updated ON projects (updated_at, id);
CREATE INDEX projects_waiting ON projects (id) WHERE waiting <> '';
CREATE INDEX projects_unknown ON projects (id) WHERE calendar_unknown;
CREATE INDEX projects_next ON projects (next_at, id) WHERE next_at IS NOT NULL;
CREATE UNIQUE INDEX projects_source_key ON projects (source_key) WHERE source_key <> '';

-- The column projects.assistants by person, so that "mine" is an index scan. Triggers keep it.
CREATE TABLE assistants (
    user_id    TEXT NOT NULL,
    project_id TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, project_id)
) WITHOUT ROWID;
CREATE INDEX assistants_project ON assistants (project_id);

-- +goose StatementBegin
CREATE TRIGGER projects_assistants_insert AFTER INSERT ON projects WHEN NEW.assistants IS NOT NULL
BEGIN
    INSERT INTO assistants (user_id, project_id) SELECT DISTINCT value, NEW.id FROM json_each(NEW.assistants);
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER projects_assistants_update AFTER UPDATE OF assistants ON projects WHEN NEW.assistants IS NOT OLD.assistants
BEGIN
    DELETE FROM assistants WHERE project_id = NEW.id;
    INSERT INTO assistants (user_id, project_id) SELECT DISTINCT value, NEW.id FROM json_each(coalesce(NEW.assistants, '[]'));
END;
-- +goose StatementEnd

CREATE TABLE entries (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    log        TEXT     NOT NULL,
    at         DATETIME NOT NULL CHECK (at GLOB '????-??-?? ??:??:??*+00:00'),
    subject    TEXT     NOT NULL,
    seq        INTEGER  NOT NULL,
    prev       BLOB,
    hash       BLOB     NOT NULL CHECK (length(hash) = 32),
    actor_id   TEXT     NOT NULL,
    actor_role TEXT     NOT NULL,
    action     TEXT     NOT NULL,
    unit_id    TEXT     NOT NULL,
    from_stage TEXT     NOT NULL,
    to_stage   TEXT     NOT NULL,
    version    INTEGER  NOT NULL,
    bytes      BLOB     NOT NULL,
    UNIQUE (subject, seq)
);
CREATE INDEX entries_at ON entries (at, id);
CREATE INDEX entries_actor ON entries (actor_id, at, id);
CREATE INDEX entries_unit ON entries (unit_id, at, id);
CREATE INDEX entries_action ON entries (action, at, id);

CREATE TABLE evidence (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    project_id TEXT     NOT NULL REFERENCES projects (id),
    name       TEXT     NOT NULL,
    type       TEXT     NOT NULL,
    size       INTEGER  NOT NULL,
    sha256     BLOB     NOT NULL CHECK (length(sha256) = 32),
    milestone  TEXT     NOT NULL,
    note       TEXT     NOT NULL,
    by_id      TEXT     NOT NULL,
    at         DATETIME NOT NULL
);
CREATE INDEX evidence_project ON evidence (project_id, id);

CREATE TABLE reminders (
    id         TEXT     NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    project_id TEXT     NOT NULL REFERENCES projects (id),
    unit_id    TEXT     NOT NULL,
    entry_id   TEXT     NOT NULL,
    kind       TEXT     NOT NULL,
    timer_id   TEXT     NOT NULL,
    role       TEXT     NOT NULL,
    user_id    TEXT     NOT NULL,
    deadline   TEXT     CHECK (deadline GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'),
    due_at     DATETIME NOT NULL,
    created_at DATETIME NOT NULL,
    dedupe_key TEXT     NOT NULL UNIQUE
);
CREATE INDEX reminders_project ON reminders (project_id, id);

CREATE TABLE idempotency (
    actor_id   TEXT     NOT NULL,
    key        TEXT     NOT NULL,
    request    BLOB     NOT NULL,
    project_id TEXT     NOT NULL,
    created_at DATETIME NOT NULL,
    PRIMARY KEY (actor_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_created ON idempotency (created_at);

-- The trail only grows. INSERT OR REPLACE passes by DELETE triggers unless recursive_triggers is on, so a third
-- trigger refuses to replace.

-- +goose StatementBegin
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE id = NEW.id) OR EXISTS (SELECT 1 FROM entries WHERE subject = NEW.subject AND seq = NEW.seq)
BEGIN
    SELECT RAISE(ABORT, 'entries are never replaced');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence
BEGIN
    SELECT RAISE(ABORT, 'evidence is never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence
BEGIN
    SELECT RAISE(ABORT, 'evidence is never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER evidence_no_replace BEFORE INSERT ON evidence
WHEN EXISTS (SELECT 1 FROM evidence WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'evidence is never replaced');
END;
-- +goose StatementEnd
