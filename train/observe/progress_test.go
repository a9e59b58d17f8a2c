package observe_test

import (
	"strings"
	"testing"

	"github.com/goclip/goclip/train"
	"github.com/goclip/goclip/train/observe"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestProgressTells of warnings when they come and of the end, with what was
// left out.
func TestProgressTells(t *testing.T) {
	event := func(step int) train.Event {
		return train.Event{Stats: train.Stats{Step: step, Loss: 2, Chance: 3, LogitScale: 14, Pairs: 8}, Bad: 4}
	}
	for _, c := range []struct {
		steps    int
		terminal bool
		want     []string
	}{
		{3, false, []string{"step 2: look\n", "step 3/3  loss 2.000 (chance 3.000)  scale 14.0  4 left out  ", " pairs/s  done in "}},
		{3, true, []string{"step 2: look\x1b[K\n", "step 3/3  loss 2.000", "\x1b[K\n"}},
		{0, false, []string{"step 2: look\n"}},
	} {
		var out strings.Builder
		p := observe.NewProgress(&out, c.steps, c.terminal)
		for step := range 3 {
			e := event(step)
			if step == 1 {
				e.Warnings = []string{"look"}
			}
			check(t, p.Observe(e))
		}
		for _, want := range c.want {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%d steps: got %q, want …%q…", c.steps, out.String(), want)
			}
		}
		if lines := strings.Count(out.String(), "\n"); lines > 2 {
			t.Errorf("%d steps: %d lines, want a warning and an end", c.steps, lines)
		}
	}
}

// TestChanceUnknown: of a loss that does not know its chance none is told.
func TestChanceUnknown(t *testing.T) {
	var out strings.Builder
	p := observe.NewProgress(&out, 1, false)
	check(t, p.Observe(train.Event{Stats: train.Stats{Loss: 2, Pairs: 8}}))
	if got := out.String(); !strings.HasPrefix(got, "step 1/1  loss 2.000  scale") {
		t.Errorf("got %q, want no word of chance", got)
	}
}

// TestProgressTellsOfTests in a line of their own.
func TestProgressTellsOfTests(t *testing.T) {
	var out strings.Builder
	p := observe.NewProgress(&out, 100, false)
	check(t, p.Observe(train.Event{Stats: train.Stats{Step: 4}, Test: map[string]float64{"top5": 0.91, "top1": 0.5}}))
	if want := "step 5: top1 0.5  top5 0.91\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
