-- +goose Up

-- One-time codes (TOTP) and the codes that let somebody in who has lost the device. That they were set up, used and
-- removed are entries.

ALTER TABLE users ADD COLUMN two_factor BOOLEAN NOT NULL DEFAULT FALSE;

CREATE TABLE second_factors (
    user_id    TEXT     NOT NULL PRIMARY KEY REFERENCES users (id),
    sealed     BLOB     NOT NULL,
    last_step  INTEGER  NOT NULL,
    created_at DATETIME NOT NULL CHECK (created_at GLOB '????-??-?? ??:??:??*+00:00')
);

CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id),
    hash    BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
    used_at DATETIME
);
CREATE INDEX recovery_codes_user ON recovery_codes (user_id);

-- A session whose second step is missing is pending. agent and address tell a person their own sessions apart.
ALTER TABLE sessions ADD COLUMN method TEXT NOT NULL DEFAULT 'password';
ALTER TABLE sessions ADD COLUMN pending BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sessions ADD COLUMN proved_at DATETIME NOT NULL DEFAULT '1970-01-01 00:00:00+00:00' CHECK (proved_at GLOB '????-??-?? ??:??:??*+00:00');
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address TEXT NOT NULL DEFAULT '';
