-- +goose Up

-- What people without an account wrote in objections. Entries and the project hold a commitment, which salt and text
-- open until two offices erase the row, and with it the comment of the vote that it came with.
CREATE TABLE remarks (
    project_id TEXT NOT NULL REFERENCES projects (id),
    id         TEXT NOT NULL,
    poll       TEXT NOT NULL CHECK (length(poll) = 36),
    device     BLOB NOT NULL CHECK (length(device) = 32),
    salt       BLOB NOT NULL CHECK (length(salt) = 16),
    text       TEXT NOT NULL,
    PRIMARY KEY (project_id, id)
);
