package main

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goclip/goclip/examples/internal/exampletest"
	"github.com/goclip/goclip/scaling"
)

// newStudy is a study of the drawn set in a folder of its own.
func newStudy(t *testing.T, parallel int) *study {
	t.Helper()
	s, err := drawn(1)
	exampletest.Check(t, err)
	tok, err := s.tokenizer(context.Background())
	exampletest.Check(t, err)
	out := t.TempDir()
	records, err := scaling.OpenLog(filepath.Join(out, "runs.jsonl"))
	exampletest.Check(t, err)
	t.Cleanup(func() { records.Close() })
	return &study{sets: s, tok: tok, seed: 1, out: out, records: records, parallel: parallel, progress: newProgress(io.Discard)}
}

var tiny = plan{sizes: []size{{8, 1}, {16, 1}}, samples: []int{256, 512}, most: 1e12}

// results are records without their times.
func results(t *testing.T, records []scaling.Record, err error) []scaling.Record {
	t.Helper()
	exampletest.Check(t, err)
	for i := range records {
		records[i].Seconds = 0
	}
	return records
}

// TestSameRecords: one run at once or three, and interrupted in the middle of a run
// or not, the records are the same to the last bit.
func TestSameRecords(t *testing.T) {
	s := newStudy(t, 1)
	records, err := s.trainAll(context.Background(), tiny.runs, "grid")
	want := results(t, records, err)
	if len(want) != 4 || want[0].Loss == want[1].Loss || !(want[0].Error > 0.5) {
		t.Fatalf("four different runs of models that know little gave %v", want)
	}

	s = newStudy(t, 3)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.progress.w = writer(func(p []byte) (int, error) {
		cancel() // as soon as one run is done
		return len(p), nil
	})
	if _, err := s.trainAll(ctx, tiny.runs, "grid"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want %v", err, context.Canceled)
	}
	s.progress.w = io.Discard
	records, err = s.trainAll(context.Background(), tiny.runs, "grid")
	if got := results(t, records, err); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if left, _ := os.ReadDir(filepath.Join(s.out, "unfinished")); len(left) > 0 {
		t.Errorf("%d checkpoints of finished runs are left", len(left))
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestGridIsWide holds the full plan to its promise: 24 runs or more, over thirty-fold
// ranges of parameters and of data, and a further run at least three times as large.
func TestGridIsWide(t *testing.T) {
	s := newStudy(t, 1)
	runs, err := full.runs(s)
	exampletest.Check(t, err)
	low, high := runs[0], runs[0]
	for _, r := range runs {
		if r.Samples() < low.Samples() {
			low = r
		}
		if r.Samples() > high.Samples() {
			high = r
		}
	}
	small, err1 := s.params(full.sizes[0])
	large, err2 := s.params(full.sizes[len(full.sizes)-1])
	exampletest.Check(t, errors.Join(err1, err2))
	if len(runs) < 24 || large < 30*small || high.Samples() < 30*low.Samples() || full.beyond < 3 {
		t.Errorf("%d runs, %d to %d parameters, %d to %d samples, and %g times as much compute", len(runs), small, large, low.Samples(), high.Samples(), full.beyond)
	}
}

// TestFindsTheLaw makes records that follow a law, and finds it, its optimum, the
// prediction and the page again.
func TestFindsTheLaw(t *testing.T) {
	s := newStudy(t, 2)
	law := scaling.Joint{E: 0.3, A: 40, Alpha: 0.45, B: 1200, Beta: 0.75}
	record := func(r scaling.Run) scaling.Record {
		z := size{r.Width, r.Layers}
		n, err1 := s.params(z)
		cost, err2 := s.cost(z)
		exampletest.Check(t, errors.Join(err1, err2))
		loss := law.At(float64(n), float64(r.Samples()))
		scatter := 1 + 0.01*math.Sin(float64(n+r.Steps))
		return scaling.Record{Run: r, Params: n, FLOPs: cost * float64(r.Samples()), Loss: loss * scatter, Error: loss / 5, Seconds: 1}
	}
	fill := func(runs []scaling.Run, err error) (out []scaling.Record) {
		exampletest.Check(t, err)
		for _, r := range runs {
			out = append(out, record(r))
		}
		return out
	}
	f, err := analyse(fill(full.runs(s)), nil, full, 1120, 1)
	exampletest.Check(t, err)
	if d := math.Abs(f.joint.Law.Beta - law.Beta); !(d < 0.05) {
		t.Errorf("β is %g, want %g ± 0.05", f.joint.Law.Beta, law.Beta)
	}
	best, err := f.propose(s, full)
	exampletest.Check(t, err)
	r := &report{findings: f, trial: best, repeated: fill(full.repeated(s)), sets: s.sets, cores: 2}
	best.Record = record(best.Run)
	best.Record.Loss = law.At(float64(best.Params), float64(best.Run.Samples()))

	var said strings.Builder
	r.print(&said)
	r.printOutcome(&said)
	for _, want := range []string{"loss over parameters N and samples D: 0.", "the next hour, ", "prediction for width ", "within its interval\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, said.String())
		}
	}
	exampletest.Check(t, plots(s.out, f, r.repeated, best))
	for _, name := range []string{"parameters", "data", "compute", "error", "isoflop", "allocation", "repeated"} {
		exampletest.PNG(t, filepath.Join(s.out, name+".png"))
	}
	path := filepath.Join(s.out, "index.html")
	exampletest.Check(t, r.write(path))
	text, err := os.ReadFile(path)
	exampletest.Check(t, err)
	if n := strings.Count(string(text), "<svg"); n != 7 {
		t.Errorf("the page has %d plots, want 7", n)
	}
	if strings.Contains(string(text), "NaN") {
		t.Error("the page says NaN")
	}
	// A set that would come round more often than in the grid is not predicted.
	most, large := full.samples[len(full.samples)-1], full
	large.beyond = 5
	endless, err1 := f.propose(s, large)
	s.sets.available = 10_000
	finite, err2 := f.propose(s, large)
	exampletest.Check(t, errors.Join(err1, err2))
	if endless.Run.Samples() <= most || finite.Run.Samples() > most {
		t.Errorf("proposed %d samples, and %d of a set of 10,000, want more and not more than %d", endless.Run.Samples(), finite.Run.Samples(), most)
	}

	const none = "Where it ends these runs do not show."
	if strings.Contains(string(text), none) || !strings.Contains(string(text), "stays whatever is spent.") {
		t.Errorf("the page does not say where a law with E %g ends", f.joint.Law.E)
	}
	f.joint.Law.E = 0
	exampletest.Check(t, r.write(path))
	text, err = os.ReadFile(path)
	exampletest.Check(t, err)
	if !strings.Contains(string(text), none) {
		t.Errorf("the page of a law with E 0 lacks %q", none)
	}
}

func TestRefuses(t *testing.T) {
	out := t.TempDir()
	exampletest.Fails(t, "-test", run(context.Background(), options{data: "x.tar", out: out, parallel: 1}))
	exampletest.Fails(t, "no such file", run(context.Background(), options{data: filepath.Join(out, "x.tar"), test: "y.tar", out: out, parallel: 1}))
	exampletest.Fails(t, "-parallel 0", run(context.Background(), options{out: out}))
	exampletest.Check(t, os.WriteFile(filepath.Join(out, "runs.jsonl"), []byte("{}\n"), 0o666))
	exampletest.Fails(t, "runs.jsonl: scaling: line 1", run(context.Background(), options{out: out, parallel: 1}))
}
