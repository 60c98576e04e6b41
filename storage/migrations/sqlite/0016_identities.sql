-- +goose Up

-- How people are known at identity systems. Issuer and subject together are one person.
CREATE TABLE identities (
    issuer    TEXT     NOT NULL,
    subject   TEXT     NOT NULL,
    user_id   TEXT     NOT NULL REFERENCES users (id),
    way       TEXT     NOT NULL,
    linked_at DATETIME NOT NULL CHECK (linked_at GLOB '????-??-?? ??:??:??*+00:00'),
    PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_user ON identities (user_id);

-- SHA-256 of the ticket that an identity system may end the session by; empty for none.
ALTER TABLE sessions ADD COLUMN ticket BLOB NOT NULL DEFAULT x'';
CREATE INDEX sessions_ticket ON sessions (ticket) WHERE ticket <> x'';
