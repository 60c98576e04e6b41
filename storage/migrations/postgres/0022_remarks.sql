-- +goose Up

-- What people without an account wrote in objections. Entries and the project hold a commitment, which salt and text
-- open until two offices erase the row, and with it the comment of the vote that it came with.
CREATE TABLE remarks (
    project_id uuid             NOT NULL REFERENCES projects (id),
    id         text COLLATE "C" NOT NULL,
    poll       uuid             NOT NULL,
    device     bytea            NOT NULL CHECK (octet_length(device) = 32),
    salt       bytea            NOT NULL CHECK (octet_length(salt) = 16),
    text       text             NOT NULL,
    PRIMARY KEY (project_id, id)
);
