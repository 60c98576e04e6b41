package v1

import (
	"context"

	"bihuan/api/names"
	"bihuan/engine"
)

// refs shows people and units with their names. Without a book they have none.
type refs struct{ book *names.Book }

// user shows a person.
func (r refs) user(ctx context.Context, id engine.UserID) Ref {
	ref := Ref{ID: string(id)}
	if r.book != nil {
		ref.Name = r.book.User(ctx, id)
	}
	return ref
}

// maybe is user, or nil for nobody.
func (r refs) maybe(ctx context.Context, id engine.UserID) *Ref {
	if id == "" {
		return nil
	}
	ref := r.user(ctx, id)
	return &ref
}

// unit shows a unit.
func (r refs) unit(ctx context.Context, id engine.UnitID) Ref {
	ref := Ref{ID: string(id)}
	if r.book != nil {
		ref.Name = r.book.Unit(ctx, id)
	}
	return ref
}
