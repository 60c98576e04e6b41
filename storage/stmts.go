package storage

import (
	"context"
	"database/sql"
	"sync"

	"gorm.io/gorm"
)

// preparing is SQLite's pool for gorm. It keeps the statements of the hot paths prepared: parsing one over a
// project's columns takes longer than carrying it out. gorm's own PrepareStmt is no substitute, since it prepares
// within transactions and deadlocks on a pool of one connection. Nothing here prepares on the pool while a
// transaction holds a connection.
type preparing struct {
	*sql.DB
	hot  map[string]bool // texts to keep prepared
	kept sync.Map        // text → *sql.Stmt, closed with the pool
}

var (
	_ gorm.ConnPool         = (*preparing)(nil)
	_ gorm.ConnPoolBeginner = (*preparing)(nil)
	_ gorm.GetDBConnector   = (*preparing)(nil)
	_ gorm.TxCommitter      = (*preparedTx)(nil)
)

func newPreparing(pool *sql.DB, hot ...string) *preparing {
	p := &preparing{DB: pool, hot: map[string]bool{}}
	for _, text := range hot {
		p.hot[text] = true
	}
	return p
}

// GetDBConn returns the pool itself.
func (p *preparing) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// prepared returns the statement for a text, nil for one that is not kept.
func (p *preparing) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if !p.hot[text] {
		return nil, nil
	}
	if s, ok := p.kept.Load(text); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := p.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if other, ok := p.kept.LoadOrStore(text, s); ok { // somebody was faster
		return other.(*sql.Stmt), s.Close()
	}
	return s, nil
}

// QueryContext queries with the prepared statement, if it is one of those.
func (p *preparing) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return p.DB.QueryContext(ctx, query, args...)
	}
	return s.QueryContext(ctx, args...)
}

// BeginTx begins a transaction after preparing what it is going to need. What cannot be prepared, such as before
// the first migration, is left for the transaction to find out.
func (p *preparing) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	for text := range p.hot {
		_, _ = p.prepared(ctx, text)
	}
	tx, err := p.DB.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &preparedTx{Tx: tx, pool: p}, nil
}

// preparedTx is a transaction on a preparing pool.
type preparedTx struct {
	*sql.Tx
	pool *preparing
}

// ExecContext executes with the prepared statement, if there is one.
func (t *preparedTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if s, ok := t.pool.kept.Load(query); ok {
		return t.StmtContext(ctx, s.(*sql.Stmt)).ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}
