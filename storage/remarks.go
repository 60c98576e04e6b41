package storage

import (
	"context"

	"bihuan/engine"
)

var remarks = tableOf(&engine.Remark{})

// forgetRemark are the statements that erase the words of one objection, each with the project's id and the objection's
// as its arguments: in the vote that they came with, then where they are kept for the trail.
var forgetRemark = []string{
	"UPDATE votes SET comment = '' WHERE EXISTS (SELECT 1 FROM remarks r WHERE r.project_id = ? AND r.id = ? AND r.poll = votes.poll AND r.device = votes.device)",
	"DELETE FROM remarks WHERE project_id = ? AND id = ?",
}

// Remarks returns the words of a project's objections that are kept apart from the trail; see engine.Ballots.
func (db *DB) Remarks(ctx context.Context, project engine.ProjectID) (list []engine.Remark, err error) {
	if !engine.IsID(string(project)) {
		return nil, nil
	}
	err = db.reader(ctx).Raw("SELECT "+remarks.quoted("")+" FROM remarks WHERE project_id = ? ORDER BY id", string(project)).Scan(&list).Error
	return list, err
}
