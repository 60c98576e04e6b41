-- +goose Up

-- How people are known at identity systems. Issuer and subject together are one person.
CREATE TABLE identities (
    issuer    text COLLATE "C" NOT NULL,
    subject   text COLLATE "C" NOT NULL,
    user_id   uuid             NOT NULL REFERENCES users (id),
    way       text COLLATE "C" NOT NULL,
    linked_at timestamptz      NOT NULL,
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- SHA-256 of the ticket that an identity system may end the session by; empty for none.
ALTER TABLE sessions ADD COLUMN ticket bytea NOT NULL DEFAULT '';
CREATE INDEX sessions_ticket ON sessions (ticket) WHERE ticket <> ''::bytea;
