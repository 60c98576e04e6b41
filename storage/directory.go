package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"

	"bihuan/engine"
)

// Units returns all units in the order of their paths.
func (db *DB) Units(ctx context.Context) ([]engine.Unit, error) {
	var out []engine.Unit
	err := db.reader(ctx).Raw("SELECT " + units.quoted("") + " FROM units ORDER BY path").Scan(&out).Error
	return out, err
}

// Unit returns a unit by id or by code. An id wins over a code of the same spelling.
func (db *DB) Unit(ctx context.Context, idOrCode string) (engine.Unit, error) {
	var u engine.Unit
	query := "SELECT " + units.quoted("") + " FROM units WHERE "
	if engine.IsID(idOrCode) {
		result := db.reader(ctx).Raw(query+"id = ?", idOrCode).Scan(&u)
		if result.Error != nil || result.RowsAffected > 0 {
			return u, result.Error
		}
	}
	if !storable(idOrCode) {
		return u, engine.ErrNotFound
	}
	err := one(db.reader(ctx).Raw(query+"code = ?", idOrCode).Scan(&u))
	return u, err
}

// person is a user as read: with the paths of the units that the grants name.
type person struct {
	engine.User `gorm:"embedded"`
	Paths       string
}

// user fills in the paths. A grant at a unit that does not exist keeps an empty path and so allows nothing.
func (p *person) user() (engine.User, error) {
	paths := map[engine.UnitID]string{}
	if p.Paths != "" {
		if err := json.Unmarshal([]byte(p.Paths), &paths); err != nil {
			return engine.User{}, fmt.Errorf("units of user %s: %w", p.ID, err)
		}
	}
	for i := range p.Grants {
		p.Grants[i].Path = paths[p.Grants[i].UnitID]
	}
	return p.User, nil
}

var userColumns = users.without("salt")

func (db *DB) selectUser() string {
	return "SELECT " + userColumns.quoted("u.") + ", " + db.dialect.grantPaths + " AS paths FROM users u"
}

// User returns a user by id or by login. An id wins over a login of the same spelling.
func (db *DB) User(ctx context.Context, idOrLogin string) (engine.User, error) {
	if engine.IsID(idOrLogin) {
		var p person
		result := db.reader(ctx).Raw(db.selectUser()+" WHERE u.id = ?", idOrLogin).Scan(&p)
		if result.Error != nil {
			return engine.User{}, result.Error
		}
		if result.RowsAffected > 0 {
			return p.user()
		}
	}
	if !storable(idOrLogin) {
		return engine.User{}, engine.ErrNotFound
	}
	var p person
	if err := one(db.reader(ctx).Raw(db.selectUser()+" WHERE u.login = ?", idOrLogin).Scan(&p)); err != nil {
		return engine.User{}, err
	}
	return p.user()
}

// Users returns all users in the order in which they were added.
func (db *DB) Users(ctx context.Context) ([]engine.User, error) {
	return db.people(ctx, db.selectUser()+" ORDER BY u.id")
}

// TokenUser returns the token with the hash and its user, or engine.ErrNotFound. Every request with a token asks,
// so it is one query.
func (db *DB) TokenUser(ctx context.Context, hash []byte) (engine.Token, engine.User, error) {
	var row struct {
		Token engine.Token `gorm:"embedded;embeddedPrefix:token_"`
		User  person       `gorm:"embedded"`
	}
	err := one(db.reader(ctx).Raw(selectTokenUser(db.dialect.grantPaths), hash).Find(&row))
	if err != nil {
		return engine.Token{}, engine.User{}, err
	}
	u, err := row.User.user()
	return row.Token, u, err
}

// Tokens returns a user's tokens, newest first.
func (db *DB) Tokens(ctx context.Context, user engine.UserID) ([]engine.Token, error) {
	var out []engine.Token
	if !engine.IsID(string(user)) {
		return out, nil
	}
	err := db.reader(ctx).Raw("SELECT "+tokens.quoted("")+" FROM tokens WHERE user_id = ? ORDER BY id DESC", string(user)).Scan(&out).Error
	return out, err
}

// TouchToken notes that a token was in use at a moment.
func (db *DB) TouchToken(ctx context.Context, id engine.TokenID, used time.Time) error {
	return db.alone(ctx, func(tx *gorm.DB) error {
		return tx.Exec("UPDATE tokens SET used_at = ? WHERE id = ? AND (used_at IS NULL OR used_at < ?)", micro(used), string(id), micro(used)).Error
	}, func() (bool, error) { return false, nil })
}

// Delegations returns the delegations from and to a user, or all for "", newest first.
func (db *DB) Delegations(ctx context.Context, user engine.UserID) ([]engine.Delegation, error) {
	var out []engine.Delegation
	query, args := "SELECT "+delegations.quoted("")+" FROM delegations", []any{}
	if user != "" {
		if !engine.IsID(string(user)) {
			return out, nil
		}
		query, args = query+" WHERE from_id = ? OR to_id = ?", []any{string(user), string(user)}
	}
	err := db.reader(ctx).Raw(query+" ORDER BY id DESC", args...).Scan(&out).Error
	return out, err
}

func selectTokenUser(grantPaths string) string {
	return "SELECT " + tokens.aliased("t.", "token_") + ", " + userColumns.quoted("u.") + ", " + grantPaths +
		" AS paths FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = ?"
}
