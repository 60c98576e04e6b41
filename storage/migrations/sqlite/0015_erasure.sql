-- +goose Up

-- Who asked for a person's data to be erased, and who did it. Afterwards name and salt are empty.
ALTER TABLE users ADD COLUMN erasure TEXT;
