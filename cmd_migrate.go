package main

import (
	"context"
	"errors"

	"bihuan/storage"
)

type migrateCmd struct{ database }

// Help returns the examples.
func (migrateCmd) Help() string {
	return "bihuan migrate --db sqlite:bihuan.db\nbihuan migrate --db postgres://bihuan@db.example.edu/bihuan"
}

// Run brings a database, which may be new, to the program's schema, and publishes the definitions that are newer
// than what is in force: with that it is ready for every other command.
func (x *migrateCmd) Run(ctx context.Context, s *session) (err error) {
	c, err := s.config(x.setup, map[string]string{"db": x.DB})
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, c.DB)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	from, to, err := db.SchemaState(ctx)
	if err != nil {
		return err
	}
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	if from == to {
		s.say("migrate.current", "to", to)
	} else {
		s.say("migrate.done", "from", from, "to", to)
	}
	log := newLog(c.Log, s.err)
	e, err := newEngine(ctx, db, c, log)
	if err != nil {
		return err
	}
	return publishAll(ctx, e, c.Workflows, log)
}
