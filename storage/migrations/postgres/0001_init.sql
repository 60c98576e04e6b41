-- +goose Up

-- Identifiers compare byte by byte (COLLATE "C"), so that order is the same on every server and as on SQLite.
-- Documents are JSON in text: what was written is what is read. Columns that refer to people have no foreign key:
-- history outlives accounts, and "operator" and "clock" are people without one.

CREATE TABLE installation (
    id         uuid             NOT NULL PRIMARY KEY,
    epoch      bigint           NOT NULL,
    only_one   bigint           NOT NULL UNIQUE DEFAULT 1 CHECK (only_one = 1),
    created_at timestamptz      NOT NULL
);

CREATE TABLE units (
    id         uuid             NOT NULL PRIMARY KEY,
    parent_id  uuid             REFERENCES units (id),
    path       text COLLATE "C" NOT NULL UNIQUE CHECK (path LIKE '/%/'),
    code       text COLLATE "C" NOT NULL UNIQUE,
    name       text             NOT NULL,
    created_at timestamptz      NOT NULL,
    version    bigint           NOT NULL
);

CREATE TABLE users (
    id         uuid             NOT NULL PRIMARY KEY,
    login      text COLLATE "C" NOT NULL UNIQUE,
    name       text             NOT NULL,
    personal   text COLLATE "C" NOT NULL,
    salt       bytea            NOT NULL,
    disabled   boolean          NOT NULL,
    grants     text,
    created_at timestamptz      NOT NULL,
    version    bigint           NOT NULL
);

CREATE TABLE tokens (
    id         uuid             NOT NULL PRIMARY KEY,
    user_id    uuid             NOT NULL REFERENCES users (id),
    name       text             NOT NULL,
    hash       bytea            NOT NULL CHECK (octet_length(hash) = 32) UNIQUE,
    created_at timestamptz      NOT NULL,
    expires_at timestamptz      NOT NULL,
    revoked_at timestamptz,
    version    bigint           NOT NULL
);
CREATE INDEX tokens_user ON tokens (user_id);

CREATE TABLE definitions (
    digest       text COLLATE "C" NOT NULL PRIMARY KEY,
    workflow_id  text COLLATE "C" NOT NULL,
    version      bigint           NOT NULL,
    source       bytea            NOT NULL,
    published_by text COLLATE "C" NOT NULL,
    published_at timestamptz      NOT NULL,
    UNIQUE (workflow_id, version)
);

CREATE TABLE calendar_days (
    date   date             NOT NULL PRIMARY KEY,
    name   text             NOT NULL,
    off    boolean          NOT NULL,
    notice text             NOT NULL
);

CREATE TABLE counters (
    series text COLLATE "C" NOT NULL PRIMARY KEY,
    last   bigint           NOT NULL
);

-- The ends of the chains of everything that is not a project; a project's row carries its own.
CREATE TABLE subjects (
    subject text COLLATE "C" NOT NULL PRIMARY KEY,
    seq     bigint           NOT NULL,
    head    bytea            NOT NULL CHECK (octet_length(head) = 32)
);

CREATE TABLE projects (
    id                uuid             NOT NULL PRIMARY KEY,
    number            text COLLATE "C" NOT NULL UNIQUE,
    serial            bigint           NOT NULL,
    kind              text COLLATE "C" NOT NULL,
    definition        text COLLATE "C" NOT NULL,
    unit_id           uuid             NOT NULL REFERENCES units (id),
    title             text             NOT NULL,
    category          text             NOT NULL,
    need              text             NOT NULL,
    target            text             NOT NULL,
    measures          text             NOT NULL,
    owner_id          text COLLATE "C" NOT NULL,
    assistants        text,
    sponsor_id        text COLLATE "C" NOT NULL,
    assisting         text,
    list              text COLLATE "C" NOT NULL,
    extra             text,
    source_key        text COLLATE "C" NOT NULL,
    deadline          date,
    original_deadline date,
    deadline_set_at   timestamptz,
    extensions        bigint           NOT NULL,
    stage             text COLLATE "C" NOT NULL,
    stage_since       timestamptz      NOT NULL,
    resume            text COLLATE "C" NOT NULL,
    started_at        timestamptz,
    returns           bigint           NOT NULL,
    round             bigint           NOT NULL,
    request           text,
    acknowledged_at   timestamptz,
    milestones        text,
    progress          bigint           NOT NULL,
    reports           bigint           NOT NULL,
    reported_at       timestamptz,
    evidence_count    bigint           NOT NULL,
    verification      text,
    survey            text,
    objections        text,
    summary           text             NOT NULL,
    lasting           text             NOT NULL,
    urged_on          date,
    urges             bigint           NOT NULL,
    overdue_at        timestamptz,
    ever_overdue      boolean          NOT NULL,
    closed_at         timestamptz,
    fired             text,
    stage_due         timestamptz,
    yellow_at         timestamptz,
    orange_at         timestamptz,
    red_at            timestamptz,
    next_at           timestamptz,
    waiting           text COLLATE "C" NOT NULL,
    calendar_unknown  boolean          NOT NULL,
    created_by        text COLLATE "C" NOT NULL,
    created_at        timestamptz      NOT NULL,
    updated_at        timestamptz      NOT NULL,
    version           bigint           NOT NULL,
    head              bytea            NOT NULL CHECK (octet_length(head) = 32)
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
    user_id    text COLLATE "C" NOT NULL,
    project_id uuid             NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, project_id)
);
CREATE INDEX assistants_project ON assistants (project_id);

-- +goose StatementBegin
CREATE FUNCTION keep_assistants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM assistants WHERE project_id = NEW.id;
    END IF;
    INSERT INTO assistants (user_id, project_id)
        SELECT DISTINCT u, NEW.id FROM jsonb_array_elements_text(coalesce(NEW.assistants, '[]')::jsonb) AS u;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER projects_assistants_insert AFTER INSERT ON projects
    FOR EACH ROW WHEN (NEW.assistants IS NOT NULL) EXECUTE FUNCTION keep_assistants();
CREATE TRIGGER projects_assistants_update AFTER UPDATE ON projects
    FOR EACH ROW WHEN (NEW.assistants IS DISTINCT FROM OLD.assistants) EXECUTE FUNCTION keep_assistants();

CREATE TABLE entries (
    id         uuid             NOT NULL PRIMARY KEY,
    log        text COLLATE "C" NOT NULL,
    at         timestamptz      NOT NULL,
    subject    text COLLATE "C" NOT NULL,
    seq        bigint           NOT NULL,
    prev       bytea,
    hash       bytea            NOT NULL CHECK (octet_length(hash) = 32),
    actor_id   text COLLATE "C" NOT NULL,
    actor_role text COLLATE "C" NOT NULL,
    action     text COLLATE "C" NOT NULL,
    unit_id    text COLLATE "C" NOT NULL,
    from_stage text COLLATE "C" NOT NULL,
    to_stage   text COLLATE "C" NOT NULL,
    version    bigint           NOT NULL,
    bytes      bytea            NOT NULL,
    UNIQUE (subject, seq)
);
CREATE INDEX entries_at ON entries (at, id);
CREATE INDEX entries_actor ON entries (actor_id, at, id);
CREATE INDEX entries_unit ON entries (unit_id, at, id);
CREATE INDEX entries_action ON entries (action, at, id);

CREATE TABLE evidence (
    id         uuid             NOT NULL PRIMARY KEY,
    project_id uuid             NOT NULL REFERENCES projects (id),
    name       text             NOT NULL,
    type       text COLLATE "C" NOT NULL,
    size       bigint           NOT NULL,
    sha256     bytea            NOT NULL CHECK (octet_length(sha256) = 32),
    milestone  text COLLATE "C" NOT NULL,
    note       text             NOT NULL,
    by_id      text COLLATE "C" NOT NULL,
    at         timestamptz      NOT NULL
);
CREATE INDEX evidence_project ON evidence (project_id, id);

CREATE TABLE reminders (
    id         uuid             NOT NULL PRIMARY KEY,
    project_id uuid             NOT NULL REFERENCES projects (id),
    unit_id    text COLLATE "C" NOT NULL,
    entry_id   uuid             NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    timer_id   text COLLATE "C" NOT NULL,
    role       text COLLATE "C" NOT NULL,
    user_id    text COLLATE "C" NOT NULL,
    deadline   date,
    due_at     timestamptz      NOT NULL,
    created_at timestamptz      NOT NULL,
    dedupe_key text COLLATE "C" NOT NULL UNIQUE
);
CREATE INDEX reminders_project ON reminders (project_id, id);

CREATE TABLE idempotency (
    actor_id   text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    request    bytea            NOT NULL,
    project_id text COLLATE "C" NOT NULL,
    created_at timestamptz      NOT NULL,
    PRIMARY KEY (actor_id, key)
);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- The trail only grows. ALWAYS: an ordinary trigger is skipped when session_replication_role is replica.

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is never changed: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER entries_no_change BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_no_change;
CREATE TRIGGER entries_no_truncate BEFORE TRUNCATE ON entries FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE entries ENABLE ALWAYS TRIGGER entries_no_truncate;
CREATE TRIGGER evidence_no_change BEFORE UPDATE OR DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse_change();
ALTER TABLE evidence ENABLE ALWAYS TRIGGER evidence_no_change;
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE evidence ENABLE ALWAYS TRIGGER evidence_no_truncate;
