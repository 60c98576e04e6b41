package audit

import "testing"

func BenchmarkBytes(b *testing.B) {
	e := sample()
	b.ReportAllocs()
	for b.Loop() {
		bytes, err := e.Bytes()
		if err != nil {
			b.Fatal(err)
		}
		HashEntry(bytes)
	}
}

// Data as encoding/json writes it, escapes and all.
func BenchmarkBytesOfOtherSpelling(b *testing.B) {
	e := sample()
	e.Data = encode(map[string]any{"set": map[string]any{"stage": "<deploy>", "title": "热水管道", "percent": 10}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Bytes(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	bytes, err := sample().Bytes()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(bytes)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(bytes); err != nil {
			b.Fatal(err)
		}
	}
}

// One operation verifies one entry, in subjects of twenty.
func BenchmarkChain(b *testing.B) {
	rows, state := story(b, 20)
	b.ReportAllocs()
	var c *Chain
	for i := 0; b.Loop(); i++ {
		if i%len(rows) == 0 {
			c = NewChain(subject)
		}
		if found := c.Add(rows[i%len(rows)]); found != nil {
			b.Fatal(found)
		}
		if i%len(rows) == len(rows)-1 {
			if found := c.Close(c.Head(), int64(len(rows)), state); found != nil {
				b.Fatal(found)
			}
		}
	}
}
