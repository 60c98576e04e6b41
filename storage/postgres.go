package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
	dialector "gorm.io/driver/postgres"
	"gorm.io/gorm"

	"bihuan/engine"
)

// Bounds of the pool. More connections than the server has cores to serve them make commits slower, not faster.
const (
	pgConns    = 16
	pgLifetime = 30 * time.Minute
)

// pgDefaults hold unless the DSN says otherwise. Without them a lost client or a forgotten transaction would keep
// locks for ever.
var pgDefaults = map[string]string{
	"statement_timeout":                   "30s",
	"lock_timeout":                        "10s",
	"idle_in_transaction_session_timeout": "60s",
	"application_name":                    "bihuan",
}

var postgresDialect = dialect{
	name: Postgres,
	like: "ILIKE", position: "strpos",
	grantPaths: `(SELECT coalesce(jsonb_object_agg(x.id, x.path), '{}')::text FROM units x WHERE x.id IN
		(SELECT (g ->> 'unit_id')::uuid FROM jsonb_array_elements(coalesce(u.grants, '[]')::jsonb) g))`,
	grants:    "jsonb_array_elements(coalesce(u.grants, '[]')::jsonb) g JOIN units x ON x.id = (g ->> 'unit_id')::uuid",
	grantRole: "g ->> 'role'",
	duplicate: postgresDuplicate,
	lost:      postgresLost,
}

func openPostgres(ctx context.Context, dsn string) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// pgx hides the password in what it quotes.
		return nil, &engine.Error{Kind: engine.Invalid, Field: "db", Key: "storage.bad_dsn", Err: err}
	}
	for name, value := range pgDefaults {
		if _, set := config.RuntimeParams[name]; !set {
			config.RuntimeParams[name] = value
		}
	}
	config.RuntimeParams["timezone"] = "UTC"
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(utc))
	pool.SetMaxOpenConns(pgConns)
	pool.SetMaxIdleConns(pgConns)
	pool.SetConnMaxLifetime(pgLifetime)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", config.Host, err), pool.Close())
	}
	g, err := gorm.Open(dialector.New(dialector.Config{Conn: pool}), gormConfig())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", config.Host, err), pool.Close())
	}
	db := &DB{dialect: postgresDialect, write: g, read: g, pools: []*sql.DB{pool}}
	db.admin = func(context.Context) (*sql.DB, error) {
		patient := config.Copy() // a migration may rightly take longer than a request
		patient.RuntimeParams["statement_timeout"] = "0"
		patient.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
		return stdlib.OpenDB(*patient, stdlib.OptionAfterConnect(utc)), nil
	}
	return db, nil
}

// utc makes times come back in UTC instead of the machine's zone.
func utc(_ context.Context, conn *pgx.Conn) error {
	conn.TypeMap().RegisterType(&pgtype.Type{
		Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC},
	})
	return nil
}

func postgresDuplicate(err error) (taken, exists bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != "23505" {
		return false, false
	}
	return true, e.ConstraintName == "projects_pkey"
}

// postgresLost takes every error for a lost reply that is neither an answer of the server nor the caller's own
// giving up. Of the server's answers, those that end the connection leave it open too.
func postgresLost(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P")
	}
	return true
}

// serialization tells whether the server gave up a transaction for the sake of another: nothing of it was done,
// and it may be tried again.
func serialization(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40P01" || e.Code == "40001")
}
