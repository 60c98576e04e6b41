package auth

import (
	"context"

	"bihuan/engine"
)

// Reset gives somebody a one-time password in the name of who, which the answer is the only place to see; it is good
// for nothing but choosing another. Every session of the person ends. What who may not do is an *engine.Error.
func (d *Door) Reset(ctx context.Context, who engine.Actor, user engine.UserID) (string, error) {
	u, err := d.Engine.User(ctx, string(user))
	if err != nil {
		return "", err
	}
	if err := d.Engine.MayManage(ctx, who, u); err != nil { // said and recorded before a hash is spent on it
		_, err = d.Engine.SetPassword(ctx, who, string(user), "", true)
		return "", err
	}
	password := Generate()
	phc, err := Hash(ctx, password)
	if err != nil {
		return "", err
	}
	_, err = d.Engine.SetPassword(ctx, who, string(user), phc, true)
	return password, err
}
