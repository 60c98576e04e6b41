package api_test

import (
	"testing"

	"bihuan/api"
	"bihuan/storage"
	"bihuan/storage/storagetest"
)

// TestVerifierIsHandedOut asks for the offline verifier as anybody.
func TestVerifierIsHandedOut(t *testing.T) {
	db := storagetest.Open(t, storage.SQLite)
	h := newHouse(t, db, func(o *api.Options) { o.Verifier = []byte("<!DOCTYPE html>") })
	got := h.want(200, "<!DOCTYPE html>", "", "GET", "/audit/verifier", nil)
	if at := got.header.Get("Content-Disposition"); at != `attachment; filename="bihuan-verifier.html"` {
		t.Errorf("it is not for saving: %s", at)
	}
}
