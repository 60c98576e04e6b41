-- +goose Up

-- Tokens that carry less than their owner's rights, and when they were last used (which is no change of the token).
ALTER TABLE tokens ADD COLUMN scope text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN used_at timestamptz;

-- Roles lent for a while (委托).
CREATE TABLE delegations (
    id         uuid             NOT NULL PRIMARY KEY,
    from_id    uuid             NOT NULL REFERENCES users (id),
    to_id      uuid             NOT NULL REFERENCES users (id),
    role       text COLLATE "C" NOT NULL,
    unit_id    uuid             NOT NULL REFERENCES units (id),
    starts_at  timestamptz      NOT NULL,
    ends_at    timestamptz      NOT NULL CHECK (ends_at > starts_at),
    note       text             NOT NULL,
    created_at timestamptz      NOT NULL,
    revoked_at timestamptz,
    version    bigint           NOT NULL
);
CREATE INDEX delegations_from ON delegations (from_id);
CREATE INDEX delegations_to ON delegations (to_id);
