package arrow_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goclip/goclip/dataset/arrow"
)

// TestNoStream: what is no stream is refused.
func TestNoStream(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "no schema",
		"ARROW1\x00\x00\x00\x00":               "not a stream",
		"\xff\xff\xff\xff\x00\x00\x00\x00":     "no schema",
		"\xff\xff\xff\xff\xff\xff\xff\x7f":     "the head of a message has 2147483647 bytes",
		"\xff\xff\xff\xff\x08\x00\x00\x00abcd": "are not in a file",
	} {
		if _, err := (arrow.Format{}).OpenTable(strings.NewReader(text), int64(len(text)), 1<<20); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", text, err, want)
		}
	}
}

// FuzzOpen: damaged streams give errors.
func FuzzOpen(f *testing.F) {
	if shared := os.Getenv("GOCLIP_SHARED"); shared != "" {
		data, err := os.ReadFile(filepath.Join(shared, "interchange", "hf_datasets", "saved", "data-00000-of-00002.arrow"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\xff\xff\xff\xff\x10\x00\x00\x00\x0c\x00\x00\x00\x08\x00\x0c\x00\x06\x00\x05\x00\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		table, err := arrow.Format{}.OpenTable(bytes.NewReader(data), int64(len(data)), 1<<20)
		if err != nil {
			return
		}
		var names []string
		for _, c := range table.Columns() {
			names = append(names, c.Name, c.Path)
		}
		table.Cells(names, func(int, [][]string) error { return nil })
		for _, name := range names {
			table.Image(name, 0)
			table.Image(name, table.Rows()-1)
		}
	})
}
