package scaling

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
)

func record(width int) Record {
	r := Run{Data: "drawn", Width: width, Layers: 2, TextLayers: 1, Batch: 64, Steps: 100, Unique: 6400, LR: 2e-3, Seed: 1}
	return Record{Run: r, Params: 100 * width, FLOPs: 1e9, Loss: 1.25, Error: 0.5, Seconds: 3}
}

func openLog(t *testing.T, path string) *Log {
	t.Helper()
	l := must(OpenLog(path))(t)
	t.Cleanup(func() { l.Close() })
	return l
}

// TestLogKeepsRecords: what was appended is there when the file is opened again.
func TestLogKeepsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	l := openLog(t, path)
	for _, width := range []int{16, 32, 16} {
		if err := l.Append(record(width)); err != nil {
			t.Fatal(err)
		}
	}
	l = openLog(t, path)
	if want := []Record{record(16), record(32)}; !reflect.DeepEqual(l.records, want) {
		t.Errorf("got %v, want %v", l.records, want)
	}
	if _, ok := l.Find(record(48).Run); ok {
		t.Error("found a run that was never added")
	}
}

// TestTornLine: a program killed while it wrote leaves a part of a line, wherever
// it was cut; the records before it stay, and the next one begins a line.
func TestTornLine(t *testing.T) {
	line := append(must(json.Marshal(record(32)))(t), '\n')
	for cut := range line {
		path := filepath.Join(t.TempDir(), "runs.jsonl")
		l := openLog(t, path)
		if err := l.Append(record(16)); err != nil {
			t.Fatal(err)
		}
		whole := must(os.ReadFile(path))(t)
		if err := os.WriteFile(path, append(whole, line[:cut]...), 0o666); err != nil {
			t.Fatal(err)
		}
		l = openLog(t, path)
		if err := l.Append(record(48)); err != nil {
			t.Fatal(err)
		}
		got, _, err := ReadRecords(bytes.NewReader(must(os.ReadFile(path))(t)))
		if want := []Record{record(16), record(48)}; err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("cut after %d bytes: got %v, error %v; want %v", cut, got, err, want)
		}
	}
}

func TestRecordsRefuse(t *testing.T) {
	good := string(must(json.Marshal(record(16)))(t))
	for want, text := range map[string]string{
		"line 2: invalid character":                good + "\nwhat\n",
		"line 1: json: unknown field":              `{"colour":"red"}` + "\n",
		"line 1: more than one object":             good + good + "\n",
		"line 1: scaling: error is 1.5, want 0 to": strings.Replace(good, `"error":0.5`, `"error":1.5`, 1) + "\n",
		"line 1: scaling: width is 0, want 1":      strings.Replace(good, `"width":16`, `"width":0`, 1) + "\n",
		"line 1: longer than 65536 bytes":          strings.Repeat(" ", 1<<20),
		"line 3: EOF":                              good + "\n" + good + "\n\n",
	} {
		_, _, err := ReadRecords(strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	path := filepath.Join(t.TempDir(), "runs.jsonl")
	if err := os.WriteFile(path, []byte("what\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLog(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got error %v, want one that names %s", err, path)
	}
	bad := record(16)
	bad.Loss = -1
	if err := openLog(t, filepath.Join(t.TempDir(), "x")).Append(bad); err == nil {
		t.Error("a negative loss was added")
	}
}

func FuzzReadRecords(f *testing.F) {
	line, err := json.Marshal(record(16))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(line, '\n'))
	f.Add([]byte("{}\n"))
	f.Add(append(line, line...))
	f.Fuzz(func(t *testing.T, text []byte) {
		records, whole, err := ReadRecords(bytes.NewReader(text))
		if err != nil {
			return
		}
		if whole < 0 || whole > int64(len(text)) {
			t.Fatalf("%d whole bytes of %d", whole, len(text))
		}
		var again bytes.Buffer
		encode := json.NewEncoder(&again)
		for _, r := range records {
			if err := encode.Encode(r); err != nil {
				t.Fatal(err)
			}
		}
		if got, _, err := ReadRecords(&again); err != nil || !reflect.DeepEqual(got, records) {
			t.Fatalf("written and read again: %v, error %v; want %v", got, err, records)
		}
	})
}

func runs(widths ...int) (out []Run) {
	for _, w := range widths {
		out = append(out, record(w).Run)
	}
	return out
}

// TestRunAllResumes: stopped after two of four runs, a second call trains the other
// two only, and the records are those of an uninterrupted call, in the runs' order,
// however many run at once.
func TestRunAllResumes(t *testing.T) {
	todo := runs(64, 16, 32, 48)
	for _, parallel := range []int{1, 2, 8} {
		log := openLog(t, filepath.Join(t.TempDir(), "runs.jsonl"))
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var done atomic.Int64
		_, err := RunAll(ctx, log, todo, parallel, func(ctx context.Context, r Run) (Record, error) {
			if done.Add(1) > 2 {
				cancel()
				<-ctx.Done()
				return Record{}, ctx.Err()
			}
			return record(r.Width), nil
		})
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("got error %v, want %v", err, context.Canceled)
		}
		var again atomic.Int64
		got, err := RunAll(context.Background(), log, todo, parallel, func(_ context.Context, r Run) (Record, error) {
			again.Add(1)
			return record(r.Width), nil
		})
		want := []Record{record(64), record(16), record(32), record(48)}
		if err != nil || !reflect.DeepEqual(got, want) || again.Load() != 2 {
			t.Errorf("%d at once: got %v, error %v, %d trained again; want %v and 2", parallel, got, err, again.Load(), want)
		}
	}
}

// TestRunAllStopsAtFailure: the error names the run, and what had finished stays.
func TestRunAllStopsAtFailure(t *testing.T) {
	log := openLog(t, filepath.Join(t.TempDir(), "runs.jsonl"))
	_, err := RunAll(context.Background(), log, runs(16, 32, 48), 1, func(_ context.Context, r Run) (Record, error) {
		if r.Width == 32 {
			return Record{}, errors.New("no memory")
		}
		return record(r.Width), nil
	})
	if err == nil || !strings.Contains(err.Error(), "width 32, layers 2, 6400 samples: no memory") {
		t.Errorf("got error %v, want one that names the run", err)
	}
	if !reflect.DeepEqual(log.records, []Record{record(16)}) {
		t.Errorf("the log has %v, want the first run's record", log.records)
	}
	if _, err := RunAll(context.Background(), log, runs(16), 0, nil); err == nil || !strings.Contains(err.Error(), "0 runs at once") {
		t.Errorf("got error %v, want one about 0 runs", err)
	}
}
