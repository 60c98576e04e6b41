-- +goose Up

-- When a unit was closed (撤销).
ALTER TABLE units ADD COLUMN closed_at timestamptz;
CREATE INDEX units_parent ON units (parent_id);
