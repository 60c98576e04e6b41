package storage

import (
	"sync"

	"gorm.io/gorm"
)

// stream reads rows in the order of their subjects, a batch at a time.
type stream[T any] struct {
	tx      *gorm.DB
	turn    *sync.Mutex // of the transaction, which answers one question at a time; nil: nobody else asks
	query   string
	after   []any
	only    []any // behind after, for a query that wants more
	size    int
	subject func(*T) string
	next    func(*T) []any

	rows []T
	done bool
}

// peek returns the next row, nil at the end.
func (s *stream[T]) peek() (*T, error) {
	if len(s.rows) == 0 && !s.done {
		if s.turn != nil {
			s.turn.Lock()
			defer s.turn.Unlock()
		}
		var rows []T
		if err := s.tx.Raw(s.query, append(s.after[:len(s.after):len(s.after)], s.only...)...).Scan(&rows).Error; err != nil {
			return nil, err
		}
		s.rows, s.done = rows, len(rows) < s.size
		if len(rows) > 0 {
			s.after = s.next(&rows[len(rows)-1])
		}
	}
	if len(s.rows) == 0 {
		return nil, nil
	}
	return &s.rows[0], nil
}

// until hands over every row of a subject that sorts before the given one, and returns the row of the subject
// itself, nil if there is none. The subject "" stands for the end.
func (s *stream[T]) until(subject string, before func(*T)) (*T, error) {
	for {
		row, err := s.peek()
		if err != nil || row == nil {
			return nil, err
		}
		at := s.subject(row)
		if subject != "" && at > subject {
			return nil, nil
		}
		s.rows = s.rows[1:]
		if at == subject {
			return row, nil
		}
		before(row)
	}
}
