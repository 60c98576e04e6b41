package console

import (
	"image"
	"image/color"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"bihuan/engine"
	"bihuan/engine/audit/merkle"
)

// drawn is a QR code out of a page, as a camera sees it: pixels for a module, and dirt on the paper.
func drawn(t *testing.T, page string, pixels int, dirty image.Rectangle) image.Image {
	t.Helper()
	m := regexp.MustCompile(`<svg class="qr" viewBox="0 0 (\d+) \d+"[^>]*><path d="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no QR code")
	}
	side, err := strconv.Atoi(m[1])
	if err != nil || side > 90 { // printed at 48 mm a module is more than half a millimetre
		t.Fatalf("a QR code of %s modules, %v", m[1], err)
	}
	img := image.NewGray(image.Rect(0, 0, side*pixels, side*pixels))
	for i := range img.Pix {
		img.Pix[i] = 0xff
	}
	fill := func(r image.Rectangle) {
		for y := r.Min.Y * pixels; y < r.Max.Y*pixels; y++ {
			for x := r.Min.X * pixels; x < r.Max.X*pixels; x++ {
				img.SetGray(x, y, color.Gray{})
			}
		}
	}
	for _, s := range regexp.MustCompile(`M(\d+) (\d+)h1`).FindAllStringSubmatch(m[2], -1) {
		x, errX := strconv.Atoi(s[1])
		y, errY := strconv.Atoi(s[2])
		if errX != nil || errY != nil {
			t.Fatal(errX, errY)
		}
		fill(image.Rect(x, y, x+1, y+1))
	}
	fill(dirty)
	return img
}

// TestCertificateQR: the code on the certificate is the checkpoint, can be scanned small and with a stain on it, and covers
// the entry that closed the project.
func TestCertificateQR(t *testing.T) {
	w := readWorld(t)
	keys := w.keys(t)
	at := slices.IndexFunc(w.items, func(p engine.Project) bool { return p.Stage == engine.Closed })
	a := w.ask(t, "wang", "/projects/"+string(w.items[at].ID)+"/certificate", nil)
	checkPage(t, "certificate", a)
	for name, img := range map[string]image.Image{"small": drawn(t, a.body, 3, image.Rectangle{}), "large": drawn(t, a.body, 8, image.Rectangle{}),
		"with a stain": drawn(t, a.body, 5, image.Rect(30, 30, 38, 38))} {
		bits, err := gozxing.NewBinaryBitmapFromImage(img)
		if err != nil {
			t.Fatal(err)
		}
		read, err := qrcode.NewQRCodeReader().Decode(bits, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		notes, _ := merkle.Cut([]byte(read.GetText()))
		if len(notes) != 1 || string(notes[0]) != read.GetText() {
			t.Errorf("%s: scanned %q", name, read.GetText())
			continue
		}
		if c, err := merkle.Parse(notes[0], keys); err != nil || c.Size == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !regexp.MustCompile(`日志第 \d+ 位，已被 \d+ 条的检查点覆盖`).MatchString(a.body) {
		t.Error("the certificate does not say that the checkpoint covers its entry")
	}
}
