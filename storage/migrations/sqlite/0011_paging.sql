-- +goose Up
-- At a million projects a page of the ledger is read from an index that has the wanted order and nothing but the rows
-- of the view: walking from the newest through what is open must not pass everything that was closed out in former
-- years, nor the other way round. The columns behind the order let rows that a filter excludes be passed over without
-- looking them up.
DROP INDEX projects_open_deadline;
CREATE INDEX projects_open_deadline ON projects (deadline, id, stage, red_at, orange_at, yellow_at, unit_id, kind, owner_id, overdue_at)
    WHERE stage NOT IN ('closed', 'cancelled');
CREATE INDEX projects_open_updated ON projects (updated_at, id, stage, red_at, orange_at, yellow_at, unit_id)
    WHERE stage NOT IN ('closed', 'cancelled');
CREATE INDEX projects_open_id ON projects (id, number, title, unit_id, owner_id, stage, deadline, updated_at, red_at, orange_at, yellow_at)
    WHERE stage NOT IN ('closed', 'cancelled');
CREATE INDEX projects_stage_deadline ON projects (stage, deadline, id);
CREATE INDEX projects_stage_updated ON projects (stage, updated_at, id);
-- Few definitions have an orange light, and where none has this is empty.
CREATE INDEX projects_orange ON projects (orange_at, red_at, deadline, id, stage, unit_id)
    WHERE orange_at IS NOT NULL AND stage NOT IN ('closed', 'cancelled');
-- A list is shown by deadline, and its projects all have theirs in the same two months.
DROP INDEX projects_list;
CREATE INDEX projects_list ON projects (list, deadline, id, stage, red_at, orange_at, yellow_at, updated_at) WHERE list <> '';
-- The few that are overdue, in any order.
CREATE INDEX projects_overdue ON projects (deadline, id, stage, unit_id, updated_at, red_at, orange_at, yellow_at, overdue_at)
    WHERE overdue_at IS NOT NULL;
-- So is what waits.
DROP INDEX projects_waiting_deadline;
CREATE INDEX projects_waiting_deadline ON projects (deadline, id, waiting, stage, unit_id, updated_at, red_at, orange_at, yellow_at)
    WHERE waiting <> '';
