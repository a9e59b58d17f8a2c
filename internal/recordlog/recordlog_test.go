package recordlog_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/internal/recordlog"
)

const kind = "records 1"

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// written is a file with three records.
func written(t testing.TB) (string, []byte, []recordlog.Span) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	w, err := recordlog.Create(path, kind)
	check(t, err)
	var spans []recordlog.Span
	for _, s := range []string{"first", "", "the third"} {
		at, err := w.Add([]byte(s))
		check(t, err)
		spans = append(spans, at)
	}
	check(t, w.Sync())
	check(t, w.Close())
	data, err := os.ReadFile(path)
	check(t, err)
	return path, data, spans
}

func all(data []byte) (got []string, end int64, err error) {
	end, err = recordlog.Each(bytes.NewReader(data), int64(len(data)), kind, 100, func(b []byte) error {
		got = append(got, string(b))
		return nil
	})
	return got, end, err
}

// TestCutAnywhere: of a file that ends anywhere the whole records are left, and a writer goes
// on behind them.
func TestCutAnywhere(t *testing.T) {
	path, data, spans := written(t)
	want := []string{"first", "", "the third"}
	for cut := len(kind) + 1; cut <= len(data); cut++ {
		got, end, err := all(data[:cut])
		check(t, err)
		whole := 0
		for whole < 3 && spans[whole].At+int64(spans[whole].Size) <= int64(cut) {
			whole++
		}
		if !slices.Equal(got, want[:whole]) {
			t.Fatalf("cut at %d: got %q, want %q", cut, got, want[:whole])
		}
		check(t, os.WriteFile(path, data[:cut], 0o666))
		w, err := recordlog.Continue(path, end)
		check(t, err)
		at, err := w.Add([]byte("more"))
		check(t, err)
		if content, err := recordlog.Read(w, at); err != nil || string(content) != "more" {
			t.Fatalf("read back %q, %v", content, err)
		}
		check(t, w.Close())
		again, err := os.ReadFile(path)
		check(t, err)
		got, end, err = all(again)
		check(t, err)
		if !slices.Equal(got, append(slices.Clone(want[:whole]), "more")) || end != int64(len(again)) {
			t.Fatalf("cut at %d and continued: got %q, which end at %d of %d", cut, got, end, len(again))
		}
	}
}

// TestDamage: a changed bit ends the file before its record; of the first line it makes it
// another's.
func TestDamage(t *testing.T) {
	_, data, spans := written(t)
	for at := range data {
		for bit := range 8 {
			bad := slices.Clone(data)
			bad[at] ^= 1 << bit
			got, _, err := all(bad)
			whole := 0
			for whole < 3 && spans[whole].At+int64(spans[whole].Size) <= int64(at) {
				whole++
			}
			if at <= len(kind) {
				if err == nil {
					t.Fatalf("bit %d of byte %d changed: read", bit, at)
				}
			} else if err != nil || !slices.Equal(got, []string{"first", "", "the third"}[:whole]) {
				t.Fatalf("bit %d of byte %d changed: got %q, %v, want %d records", bit, at, got, err, whole)
			}
		}
	}
	if _, err := recordlog.Read(bytes.NewReader(data), recordlog.Span{At: spans[0].At, Size: 4}); err == nil {
		t.Error("a part of a record was read for one")
	}
}

// FuzzScan: whatever is in a file, its records lie in it one after the other.
func FuzzScan(f *testing.F) {
	_, data, _ := written(f)
	f.Add(data)
	f.Add(data[:len(data)-2])
	f.Add([]byte(kind + "\n\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		at := int64(len(kind) + 1)
		end, err := recordlog.Scan(bytes.NewReader(data), int64(len(data)), kind, 100, 3, func(s recordlog.Span, begins []byte) error {
			if s.At != at+8 || s.Size > 100 || len(begins) != min(3, s.Size) {
				return fmt.Errorf("record %+v begins %q behind %d", s, begins, at)
			}
			at = s.At + int64(s.Size)
			return nil
		})
		if err == nil && end != at || end > int64(len(data)) {
			t.Errorf("ends at %d, want %d of %d", end, at, len(data))
		}
		if err != nil && err != recordlog.ErrOther {
			t.Error(err)
		}
		_, whole, err := all(data)
		if err == nil && whole > end {
			t.Errorf("whole up to %d of %d", whole, end)
		}
	})
}
