-- +goose Up

-- Who did an item's work once, when it lay shelved, and its marks (推广, 评先) with what stands behind them.
ALTER TABLE projects ADD COLUMN former TEXT;
ALTER TABLE projects ADD COLUMN paused TEXT;
ALTER TABLE projects ADD COLUMN marks TEXT;
ALTER TABLE projects ADD COLUMN distinctions TEXT NOT NULL DEFAULT '';
CREATE INDEX projects_distinctions ON projects (id) WHERE distinctions <> '';
