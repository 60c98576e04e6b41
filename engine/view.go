package engine

import (
	"strings"
	"time"
)

// SavedView is a view of the ledger that a person saved under a name. It is a preference, not a record: it says how
// somebody likes to look at things, changes nothing that others see, and so leaves no entry in the trail.
type SavedView struct {
	UserID    UserID    `gorm:"primaryKey"`
	Name      string    `gorm:"primaryKey"`
	Query     string    // the filters, as an address has them after the question mark
	CreatedAt time.Time `gorm:"autoCreateTime:false"`
}

// What a person may save.
const (
	MaxViews     = 20
	maxViewName  = 30
	maxViewQuery = 1000
)

// NewView checks what somebody wants to save; errors are about the fields "name" and "query".
func NewView(who UserID, name, query string, now time.Time) (SavedView, error) {
	name, err := text("name", strings.Join(strings.Fields(name), " "), maxViewName)
	if err != nil {
		return SavedView{}, err
	}
	if name == "" {
		return SavedView{}, invalid("name", "field.empty")
	}
	if query, err = text("query", query, maxViewQuery); err != nil {
		return SavedView{}, err
	}
	return SavedView{UserID: who, Name: name, Query: query, CreatedAt: now.UTC().Truncate(time.Microsecond)}, nil
}
