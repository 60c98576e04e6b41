package upload

import "context"

// Turns bounds how many requests of this process do something costly at the same time; its capacity says how many.
type Turns chan struct{}

// Ledgers are the turns of reading a ledger, which may take a hundred megabytes for a moment.
var Ledgers = make(Turns, 2)

// Take waits for a turn. The turn is given back by calling what it returns.
func (t Turns) Take(ctx context.Context) (giveBack func(), err error) {
	select {
	case t <- struct{}{}:
		return func() { <-t }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
