package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestToCome: what is listed may fail but not pass, and what is not listed may not fail.
func TestToCome(t *testing.T) {
	passing := func(group, name string) testCase {
		return testCase{group, name, func(_ context.Context, r *report) error { r.number("x", 1, 1, 0); return nil }}
	}
	failing := func(group, name string) testCase { return broken(group, name, errors.New("no")) }
	for _, c := range []struct {
		name, list     string
		cases          []testCase
		failed, toCome int
		stale          string // a part of what is wrong with the list; empty for nothing
	}{
		{"unlisted", "", []testCase{failing("a", "1")}, 1, 0, ""},
		{"another listed", "b", []testCase{failing("a", "1"), failing("b", "1")}, 1, 1, ""},
		{"listed", "a", []testCase{failing("a", "1"), passing("a", "2")}, 0, 1, ""},
		{"listed and passing", "a", []testCase{passing("a", "1"), passing("a", "2")}, 0, 0, "a is listed as to come, but all of its 2 cases pass"},
		{"listed and nowhere", "a,b", []testCase{failing("a", "1")}, 0, 1, "b is listed as to come, but no case has this name"},
		{"a longer name", "a", []testCase{failing("ab", "1")}, 1, 0, "no case"},
		{"part", "a/one", []testCase{failing("a", "x/one.gif"), failing("a", "x/two.gif")}, 1, 1, ""},
		{"part and passing", "a/one\na/two", []testCase{failing("a", "x/one.gif"), passing("a", "x/two.gif")}, 0, 1, "a/two is listed"},
		{"part with a space", " a/one two , b", []testCase{failing("a", "one two"), failing("b", "")}, 0, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			soon, err := parseToCome(c.list)
			check(t, err)
			u := &runner{out: &bytes.Buffer{}, toCome: soon}
			u.run(context.Background(), c.cases)
			if got := u.totals(); got.Failed != c.failed || got.ToCome != c.toCome {
				t.Errorf("%+v, want %d failed and %d to come", got, c.failed, c.toCome)
			}
			if stale := strings.Join(soon.stale(), "\n"); stale == "" != (c.stale == "") || !strings.Contains(stale, c.stale) {
				t.Errorf("wrong with the list: %q, want …%s…", stale, c.stale)
			}
		})
	}
}

// TestToComeStatus: the exit status goes by the list, except where only some cases are
// run, and the list may be in a file.
func TestToComeStatus(t *testing.T) {
	dir := t.TempDir()
	folder("fixtures", "scaling")(t, dir)
	replace("scaling/README.md", "0.1114", "0.1116")(t, dir)
	list := filepath.Join(t.TempDir(), "list")
	check(t, os.WriteFile(list, []byte("scaling/imagenet1k OpenCLIP\n"), 0o644))
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{nil, 1, "11 passed, 1 failed, 0 to come"},
		{[]string{"-to-come", "scaling"}, 0, "11 passed, 0 failed, 1 to come"},
		{[]string{"-to-come", "@" + list}, 0, "11 passed, 0 failed, 1 to come"},
		{[]string{"-to-come", "scaling/imagenet1k,scaling/vtab"}, 1, "scaling/vtab is listed as to come, but all of its 4 cases pass"},
		{[]string{"-to-come", "scaling/vtab", "-run", "vtab"}, 0, "4 passed, 0 failed, 0 to come"},
	} {
		status, out, notes := conform(t, append(c.args, dir)...)
		if status != c.status || !strings.Contains(out+notes, c.says) {
			t.Errorf("conform %q: status %d, want %d and …%s…\n%s%s", c.args, status, c.status, c.says, out, notes)
		}
	}
}

// TestJSON: the same results for programs.
func TestJSON(t *testing.T) {
	dir := t.TempDir()
	folder("fixtures", "scaling")(t, dir)
	replace("scaling/README.md", "0.1114", "0.1116")(t, dir)
	status, out, _ := conform(t, "-json", dir)
	var got struct {
		Passed, Failed int
		Groups         []outcome
		Failures       []failure
	}
	check(t, json.Unmarshal([]byte(out), &got))
	if status != 1 || got.Passed != 11 || got.Failed != 1 || len(got.Groups) != 1 || got.Groups[0].Group != "scaling" ||
		len(got.Failures) != 1 || got.Failures[0].Case != "scaling/imagenet1k OpenCLIP" {
		t.Errorf("status %d, %+v", status, got)
	}
}

// TestFailureLines: of a group that fails whole a few lines are shown, and how many more
// there are.
func TestFailureLines(t *testing.T) {
	var cases []testCase
	for range failureLines + 5 {
		cases = append(cases, broken("group", "case", errors.New("no")))
	}
	var out bytes.Buffer
	u := &runner{out: &out}
	u.run(context.Background(), cases)
	u.table()
	if n := strings.Count(out.String(), "FAIL case: no\n"); n != failureLines || !strings.Contains(out.String(), "5 more of group") {
		t.Errorf("%d lines\n%s", n, out.String())
	}
}

// TestLossTolerance: at a scale of 100 a sum in another order is right, whose loss was
// measured 1.14e-5 apart; at CLIP's first, 14, the allowance is what the reference suggests
// but for what a cosine's last place is worth.
func TestLossTolerance(t *testing.T) {
	unit := []float32{1, 0, 0, 0, 1, 0}
	for _, c := range []struct{ scale, least, most float64 }{{1, 1e-6, 1.1e-6}, {14, 1e-6, 4e-6}, {100, 1.14e-5, 3e-5}} {
		tol := newLossTolerance(c.scale, unit, unit, 3)
		if got := tol.of(0, 1); !(got >= c.least && got <= c.most) {
			t.Errorf("scale %g: %g, want %g to %g", c.scale, got, c.least, c.most)
		}
		if got, want := tol.of(0, 10), 10*tol.of(0, 1); math.Abs(got-want) > 1e-12 {
			t.Errorf("scale %g: %g for gradients up to 10, want %g", c.scale, got, want)
		}
	}
}

// TestSweep: every code point of the blocks is asked for, the unchanged ones too.
func TestSweep(t *testing.T) {
	points, err := blocks("c < 0x20000 with c/128 even")
	check(t, err)
	if n := len(points); n != (0x20000-0x800)/2 {
		t.Errorf("%d code points", n)
	}
	if _, err := blocks("all"); err == nil {
		t.Error("blocks that are not known are no error")
	}
	lower := func(s string) string {
		if s == "aAb" || s == "aBb" {
			return strings.ToLower(s)
		}
		if s == "a\u0301b" {
			return "áb"
		}
		return s
	}
	for want, changed := range map[float64]map[string]string{
		0: {"41": "a", "42": "b", "301": "áb"},
		1: {"41": "a", "301": "áb"},
		2: {"41": "a", "42": "x", "43": "x", "301": "áb"},
	} {
		r := &report{}
		compareSweep(r, []rune{'A', 'B', 'C', 0x301}, lower, changed)
		if got := r.worst().diff; got != want {
			t.Errorf("%v: %g differences, want %g", changed, got, want)
		}
	}
}
