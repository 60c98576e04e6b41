-- +goose Up

-- One-time codes (TOTP) and the codes that let somebody in who has lost the device. That they were set up, used and
-- removed are entries.

ALTER TABLE users ADD COLUMN two_factor boolean NOT NULL DEFAULT FALSE;

CREATE TABLE second_factors (
    user_id    uuid        NOT NULL PRIMARY KEY REFERENCES users (id),
    sealed     bytea       NOT NULL,
    last_step  bigint      NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE recovery_codes (
    user_id uuid  NOT NULL REFERENCES users (id),
    hash    bytea NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    used_at timestamptz
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- A session whose second step is missing is pending. agent and address tell a person their own sessions apart.
ALTER TABLE sessions ADD COLUMN method text COLLATE "C" NOT NULL DEFAULT 'password';
ALTER TABLE sessions ADD COLUMN pending boolean NOT NULL DEFAULT FALSE;
ALTER TABLE sessions ADD COLUMN proved_at timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00';
ALTER TABLE sessions ADD COLUMN agent text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text COLLATE "C" NOT NULL DEFAULT '';
