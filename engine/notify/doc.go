// Package notify tells people, groups and programs what the engine owes them: it plans who gets a reminder and over
// which channels, and delivers.
//
// What must always hold:
//
//   - Nobody is told anything that no stored reminder or entry owes, and planning twice tells nothing twice: the unique
//     keys of notices and delivery items decide, on any number of replicas.
//   - No transaction is open while a receiver is asked. A delivery is leased, attempted within a time limit, and finished
//     only under its own lease; a worker that dies leaves it to whoever comes when the lease ends. So everything
//     arrives at least once, always under the same id.
//   - A receiver that hangs or fails costs the others nothing: each channel has its own few workers, and those in trouble
//     share a part of the whole.
//   - No outside party is asked at a private address unless the site allowed its network, no redirect is followed, and no
//     more than maxAnswer bytes of an answer are read.
//   - Messages hold no key to anything: links lead to pages that ask who is there.
package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Message is what a sender is to deliver.
type Message struct {
	ID      string    // the same for every attempt
	At      time.Time // of this attempt
	To      string    // mail address of the person; "" where the channel itself leads somewhere
	Subject string
	Text    string
	Payload []byte // of a webhook
}

// Sender delivers messages over one channel. The answer is what the receiver said, for the log. An error of type
// *Refusal says more about when to try again.
type Sender interface {
	Send(ctx context.Context, m Message) (answer string, err error)
}

// Refusal is a receiver's no.
type Refusal struct {
	Why   string
	Never bool          // trying again is of no use
	After time.Duration // not before this, 0 if the receiver did not say
}

func (r *Refusal) Error() string { return r.Why }

// refusalOf returns the refusal in err, if there is one.
func refusalOf(err error) *Refusal {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r
	}
	return &Refusal{}
}

func refuse(format string, args ...any) error { return &Refusal{Why: fmt.Sprintf(format, args...)} }
