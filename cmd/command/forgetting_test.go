package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestWithoutForgetting: a model tuned for other words than those it began with; the line
// between both, the choice on it, and the page that shows it.
func TestWithoutForgetting(t *testing.T) {
	data, test := tree(t, 8), tree(t, 3)
	start, dir := tiny(t, data), t.TempDir()
	other := filepath.Join(dir, "other") // the same colours by other names
	for _, split := range []string{"train", "test"} {
		names := map[string]string{}
		entries, err := os.ReadDir(data)
		check(t, err)
		for i, e := range entries {
			names[e.Name()] = []string{"wham", "bang", "zing", "pow"}[i%4]
		}
		from := map[string]string{"train": data, "test": test}[split]
		for was, is := range names {
			check(t, os.CopyFS(filepath.Join(other, split, is), os.DirFS(filepath.Join(from, was))))
		}
	}
	out := filepath.Join(dir, "tuned")
	var got struct {
		Outcome struct {
			Before, After map[string]float64
			WiseFT        struct {
				Alpha  float64
				Points []struct{ Tuned, Kept map[string]float64 }
			} `json:"wise_ft"`
		}
	}
	flags := []string{"train", "--data", filepath.Join(other, "train"), "--from", start, "--out", out, "--epochs", "10", "--batch-size", "8", "--lr", "3e-3",
		"--groups", "label", "--test", filepath.Join(other, "test"), "--wise-ft", test, "--keep-best"}
	works(t, &got, flags...)
	points := got.Outcome.WiseFT.Points
	if len(points) != 11 || !(got.Outcome.After["top1"] > got.Outcome.Before["top1"]) || points[10].Tuned["top1"] != got.Outcome.After["top1"] {
		t.Errorf("got %+v, want more after than before and eleven points to the former", got.Outcome)
	}
	best := 0.0
	for _, p := range points {
		best = max(best, p.Tuned["top1"]+p.Kept["top1"])
	}
	chosen := points[int(10*got.Outcome.WiseFT.Alpha+0.5)]
	if chosen.Tuned["top1"]+chosen.Kept["top1"] != best {
		t.Errorf("alpha %g was chosen, whose exams add up to %g, and the best to %g", got.Outcome.WiseFT.Alpha, chosen.Tuned["top1"]+chosen.Kept["top1"], best)
	}
	page := filepath.Join(dir, "report")
	works(t, nil, "eval", "--model", out, "--data", test, "--report", page, "--log", filepath.Join(out, "events.jsonl"))
	html, err := os.ReadFile(filepath.Join(page, "report.html"))
	check(t, err)
	for _, want := range []string{"Before and after", "Between before and after", "what it should not forget"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	goclipFails(t, 2, "--wise-ft needs a model to fine-tune", "train", "--data", data, "--out", filepath.Join(dir, "x"), "--wise-ft", test)
	goclipFails(t, 2, "--wise-alpha 2, want 0 to 1", append(flags, "--wise-alpha", "2")...)
	goclipFails(t, 2, "need a set to go by: --test", "train", "--data", data, "--out", filepath.Join(dir, "x"), "--patience", "2")
}

// TestLonger: more epochs of a run that is over are refused with the flag that allows them.
func TestLonger(t *testing.T) {
	data, out := tree(t, 4), filepath.Join(t.TempDir(), "model")
	run := func(steps string, more ...string) []string {
		return append([]string{"train", "--data", data, "--out", out, "--batch-size", "8", "--vocab", "300", "--steps", steps}, more...)
	}
	works(t, nil, run("4")...)
	goclipFails(t, 2, "--longer goes on from it", run("8")...)
	var got struct{ Steps int }
	works(t, &got, run("8", "--longer")...)
	if got.Steps != 8 {
		t.Errorf("%d steps, want 8", got.Steps)
	}
}

// TestLongerCaptions: a model is tuned for captions that it would have cut.
func TestLongerCaptions(t *testing.T) {
	data := tree(t, 4)
	start, out := tiny(t, data), filepath.Join(t.TempDir(), "long")
	var before, after struct {
		Text struct {
			Context int `json:"context_length"`
		} `json:"text_tower"`
	}
	works(t, &before, "info", start)
	flags := []string{"train", "--data", data, "--from", start, "--out", out, "--steps", "2", "--batch-size", "8"}
	works(t, nil, append(flags, "--context", strconv.Itoa(before.Text.Context+20))...)
	works(t, &after, "info", out)
	if after.Text.Context != before.Text.Context+20 {
		t.Errorf("captions of up to %d tokens, want %d", after.Text.Context, before.Text.Context+20)
	}
	goclipFails(t, 2, "--context 50, want a number of tokens for the model of --from", "train", "--data", data, "--out", filepath.Join(t.TempDir(), "x"), "--context", "50")
}
