//go:build unix

package dataset

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOpenPipeDoesNotHang puts a pipe where an image and where a table should be.
func TestOpenPipeDoesNotHang(t *testing.T) {
	dir := writeFiles(t, map[string][]byte{"owl/1.png": []byte(pngOf(1))})
	for _, name := range []string{"owl/2.png", "t.csv"} {
		if err := syscall.Mkfifo(filepath.Join(dir, name), 0o600); err != nil {
			t.Skip(err)
		}
	}
	for _, name := range []string{"owl", "."} {
		set, err := Open(filepath.Join(dir, name), nil)
		if err != nil || set.Len() != 1 || name == "owl" && set.Seen().LeftOut["pipes, devices and dead links"] != 1 {
			t.Errorf("%s: %d samples, %v, %v, want the one image, and the pipe left out", name, set.Len(), err, set.Seen())
		}
	}
	if _, err := Open(filepath.Join(dir, "t.csv"), nil); err == nil || !strings.Contains(err.Error(), "not a regular file but p") {
		t.Errorf("a pipe as a table: %v", err)
	}
}

// TestPipeAmongShards: one that comes first is refused when the set is opened, a
// later one of a stream ends it there.
func TestPipeAmongShards(t *testing.T) {
	packed := gzipOf(t, tarOf(t, []member{{"owl/1.png", pngOf(1)}}))
	dir := writeFiles(t, map[string][]byte{"0.tar.gz": packed, "2.tar.gz": packed})
	if err := syscall.Mkfifo(filepath.Join(dir, "1.tar.gz"), 0o600); err != nil {
		t.Skip(err)
	}
	const want = "1.tar.gz: not a regular file but p"
	if _, err := Open(filepath.Join(dir, "{1..2}.tar.gz"), nil); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("first: %v, want %q", err, want)
	}
	set, err := Open(filepath.Join(dir, "{0..2}.tar.gz"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	good, bad := 0, ""
	for s, err := range set.Samples(t.Context(), Order{}) {
		switch {
		case err != nil:
			bad += err.Error()
		case s.Fault != nil:
			bad += s.Fault.Error()
		default:
			good++
		}
	}
	if !strings.Contains(bad, want) {
		t.Errorf("second: %d samples, %q, want %q", good, bad, want)
	}
}
