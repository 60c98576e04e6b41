-- +goose Up

-- 书记项目 and other yearly kinds: a unit has one for each year. One that was cancelled makes room for another.
ALTER TABLE projects ADD COLUMN year INTEGER NOT NULL DEFAULT 0 CHECK (year >= 0);
CREATE UNIQUE INDEX projects_yearly ON projects (unit_id, kind, year) WHERE year > 0 AND stage <> 'cancelled';

-- Why a deadline was missed (书面说明), and the grade at the end.
ALTER TABLE projects ADD COLUMN statement TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN grade TEXT NOT NULL DEFAULT '';
