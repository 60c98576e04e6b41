package storage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/gorm"

	"bihuan/engine"
)

// toldChannel is where replicas hear who got notices.
const toldChannel = "bihuan_told"

// maxPayload is what PostgreSQL takes in one notification, in bytes.
const maxPayload = 7900

// sayTold lets the other replicas know who got notices, when the transaction commits. It is no part of any change:
// planning alone says it.
func (db *DB) sayTold(tx *gorm.DB, users []engine.UserID) error {
	if db.Backend() != Postgres {
		return nil
	}
	for len(users) > 0 {
		n := min(len(users), maxPayload/37)
		ids := make([]string, n)
		for i, u := range users[:n] {
			ids[i] = string(u)
		}
		if err := tx.Exec("SELECT pg_notify(?, ?)", toldChannel, strings.Join(ids, ",")).Error; err != nil {
			return err
		}
		users = users[n:]
	}
	return nil
}

// Listen calls told with the people who got notices on any replica, until ctx ends; it reports false at once where one
// process is all there is. A connection that breaks is made anew after a pause; what was said meanwhile is lost, which
// pages make good by looking for themselves now and then.
func (db *DB) Listen(ctx context.Context, told func([]engine.UserID), failed func(error)) bool {
	if db.Backend() != Postgres {
		return false
	}
	for ctx.Err() == nil {
		if err := db.listen(ctx, told); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Second):
		}
	}
	return true
}

func (db *DB) listen(ctx context.Context, told func([]engine.UserID)) error {
	conn, err := db.pools[0].Conn(ctx)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = conn.Close() }() // as good as gone
	// A connection that has listened does not go back to the pool.
	return conn.Raw(func(c any) error {
		p, ok := c.(*stdlib.Conn)
		if !ok {
			return errors.New("listen: not a pgx connection")
		}
		raw := p.Conn()
		defer func() { _ = raw.Close(context.WithoutCancel(ctx)) }()
		if _, err := raw.Exec(ctx, "LISTEN "+toldChannel); err != nil {
			return fmt.Errorf("listen: %w", err)
		}
		for {
			n, err := raw.WaitForNotification(ctx)
			if err != nil {
				return fmt.Errorf("listen: %w", err)
			}
			var users []engine.UserID
			for id := range strings.SplitSeq(n.Payload, ",") {
				users = append(users, engine.UserID(id))
			}
			told(users)
		}
	})
}
