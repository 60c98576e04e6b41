package upload_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"bihuan/api/upload"
)

// TestAttachTakesTime: a file that takes longer to make than a request may take is sent, and nobody takes its reader for gone.
func TestAttachTakesTime(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file := upload.Attach(w, "text/plain", "a.txt")
		<-time.After(50 * time.Millisecond) // longer than the limits, and no matter how much
		if err := r.Context().Err(); err != nil {
			t.Error(err)
		}
		if _, err := io.WriteString(file, "whole"); err != nil {
			t.Error(err)
		}
	}))
	server.Config.ReadTimeout, server.Config.WriteTimeout = 20*time.Millisecond, 20*time.Millisecond
	server.Start()
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if b, err := io.ReadAll(a.Body); string(b) != "whole" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
}
