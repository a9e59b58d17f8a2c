package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func root(name string) string { return filepath.Join("..", "..", filepath.FromSlash(name)) }

// TestPage: the page's numbers are those of BENCHMARKS.md and the inputs.
func TestPage(t *testing.T) {
	benchmarks, err := os.ReadFile(root("BENCHMARKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(root(page))
	if err != nil {
		t.Fatal(err)
	}
	tables, err := defaults().tables(string(benchmarks))
	if err != nil {
		t.Fatal(err)
	}
	want, err := fill(old, tables)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(old, want) {
		t.Errorf("%s is not what go run ./tools/scale -write makes of it", page)
	}
	// Another rate is another page.
	other := strings.Replace(string(benchmarks), "| ViT-B/32 images, batch 8 | ", "| ViT-B/32 images, batch 8 | 1", 1)
	if tables, err = defaults().tables(other); err != nil {
		t.Fatal(err)
	}
	if text, err := fill(old, tables); err != nil || bytes.Equal(text, want) {
		t.Errorf("a slower tower changes nothing, %v", err)
	}
}

func TestFill(t *testing.T) {
	tables := []table{{"a", "new\n"}}
	got, err := fill([]byte("x\n<!-- scale: a -->\nold\n<!-- end -->\ny\n"), tables)
	if err != nil || string(got) != "x\n<!-- scale: a -->\nnew\n<!-- end -->\ny\n" {
		t.Errorf("got %q, %v", got, err)
	}
	place := "<!-- scale: a -->\n<!-- end -->\n"
	for _, bad := range []string{"x", "<!-- scale: a -->\n", place + place, place + "<!-- scale: b -->\n<!-- end -->"} {
		if _, err := fill([]byte(bad), tables); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestValue(t *testing.T) {
	tables := parse("# x\n\n| work | unit | ours |\n|---|---|---|\n| a, b | s | 1,234.5 |\n| c | s | 50 to 68 ms, more |\n| d | s | |\n| e | s | none |\n| h | s | 41; 48.5; 39 |\n\n| work | at | ours |\n|---|---|---|\n| f | 1 | 2 |\n| f | 8 | 3 |\n")
	for _, c := range []struct {
		cells []string
		want  float64
	}{{[]string{"a, b"}, 1234.5}, {[]string{"c"}, 68}, {[]string{"f", "8"}, 3}, {[]string{"h"}, 48.5}} {
		if got, err := value(tables, "ours", c.cells...); got != c.want || err != nil {
			t.Errorf("%q: %g, %v, want %g", c.cells, got, err, c.want)
		}
	}
	for _, cells := range [][]string{{"d"}, {"e"}, {"f"}, {"g"}} {
		if got, err := value(tables, "ours", cells...); err == nil || !strings.Contains(err.Error(), "BENCHMARKS.md") {
			t.Errorf("%q: %g, %v, want an error", cells, got, err)
		}
	}
}

func TestNumber(t *testing.T) {
	for _, c := range []struct {
		v      float64
		digits int
		want   string
	}{{0.15873, 3, "0.159"}, {9.996, 3, "10.00"}, {12345.6, 3, "12,300"}, {1234567, 2, "1,200,000"}, {0, 3, "0"}, {100, 3, "100"}, {-1234, 4, "-1,234"}} {
		if got := number(c.v, c.digits); got != c.want {
			t.Errorf("number(%g, %d) is %q, want %q", c.v, c.digits, got, c.want)
		}
	}
	if got := count(1234567.4); got != "1,234,567" {
		t.Errorf("count is %q", got)
	}
}
