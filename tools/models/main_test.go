package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestPages: the tables of the pages are what the command prints.
func TestPages(t *testing.T) {
	tables, err := tables()
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages() {
		old, err := os.ReadFile(filepath.Join("..", "..", page))
		if err != nil {
			t.Fatal(err)
		}
		want, err := fill(old, tables)
		if err != nil {
			t.Errorf("%s: %v", page, err)
			continue
		}
		if !bytes.Equal(old, want) {
			t.Errorf("%s is not what go run ./tools/models -write makes of it", page)
		}
	}
}

func TestFill(t *testing.T) {
	tables := map[string]string{"a": "new\n"}
	got, err := fill([]byte("x\n<!-- models: a -->\nold\n<!-- end -->\ny\n"), tables)
	if err != nil || string(got) != "x\n<!-- models: a -->\nnew\n<!-- end -->\ny\n" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"x", "<!-- models: b -->\n<!-- end -->", "<!-- models: a -->\n"} {
		if _, err := fill([]byte(bad), tables); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
