package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

// failureLines is how many failures of a group are printed unless all are asked for.
const failureLines = 20

// outcome is how a group of cases did.
type outcome struct {
	Group  string  `json:"group"`
	Cases  int     `json:"cases"`
	Passed int     `json:"passed"`
	Failed int     `json:"failed"`
	ToCome int     `json:"to_come"` // cases that fail and are expected to
	Worst  float64 `json:"worst"`   // largest difference of a case that passed, in tolerances
	Where  string  `json:"where"`   // of the worst, or why the first case that is to come fails
}

// failure is a case that failed.
type failure struct {
	Group  string `json:"group"`
	Case   string `json:"case"`
	Says   string `json:"says"`
	ToCome bool   `json:"to_come"`
}

// runner runs cases and keeps what came of them.
type runner struct {
	out     io.Writer
	verbose bool
	toCome  toCome
	sets    []string // folders whose names are left out of messages

	groups   []*outcome
	failures []failure
}

// run runs the cases until ctx is done. Lines are printed of failures, and of all
// cases where verbose is set.
func (u *runner) run(ctx context.Context, cases []testCase) {
	for _, c := range cases {
		if ctx.Err() != nil {
			return
		}
		r := &report{}
		err := c.guarded(ctx, r)
		if ctx.Err() != nil {
			return
		}
		line := ""
		if err == nil {
			line, err = r.summary()
		} else {
			line = strings.Join(strings.Fields(err.Error()), " ")
		}
		for _, dir := range u.sets {
			line = strings.ReplaceAll(line, filepath.Clean(dir)+string(filepath.Separator), "")
		}
		u.note(c, r, line, err != nil)
	}
}

// note keeps a case's result and prints it.
func (u *runner) note(c testCase, r *report, line string, failed bool) {
	g, expected := u.group(c.group), u.toCome.covers(c, failed)
	g.Cases++
	verdict := "ok  "
	switch {
	case !failed:
		g.Passed++
		if w := r.worst(); g.ToCome == 0 && (g.Where == "" || w.ratio() > g.Worst) {
			g.Worst, g.Where = w.ratio(), c.name+": "+w.what
		}
	case expected:
		verdict = "soon"
		if g.ToCome++; g.ToCome == 1 {
			g.Worst, g.Where = 0, c.name+": "+line
		}
	default:
		verdict = "FAIL"
		g.Failed++
	}
	if failed {
		u.failures = append(u.failures, failure{c.group, c.name, line, expected})
	}
	switch {
	case u.verbose:
		fmt.Fprintf(u.out, "%s %s: %s\n", verdict, c.name, line)
		for _, x := range r.all {
			fmt.Fprintf(u.out, "     · %v\n", x)
		}
	case failed && !expected && g.Failed <= failureLines:
		fmt.Fprintf(u.out, "%s %s: %s\n", verdict, c.name, line)
	}
}

func (u *runner) group(name string) *outcome {
	at := slices.IndexFunc(u.groups, func(g *outcome) bool { return g.Group == name })
	if at < 0 {
		at = len(u.groups)
		u.groups = append(u.groups, &outcome{Group: name})
	}
	return u.groups[at]
}

// totals adds the groups up.
func (u *runner) totals() (t outcome) {
	for _, g := range u.groups {
		t.Cases += g.Cases
		t.Passed += g.Passed
		t.Failed += g.Failed
		t.ToCome += g.ToCome
	}
	return t
}

// table prints a line for each group. A worst difference is in tolerances.
func (u *runner) table() {
	for _, g := range u.groups {
		if hidden := g.Failed - failureLines; hidden > 0 && !u.verbose {
			fmt.Fprintf(u.out, "FAIL … %d more of %s: -v shows them\n", hidden, g.Group)
		}
	}
	if len(u.groups) == 0 {
		return
	}
	w := tabwriter.NewWriter(u.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ngroup\tcases\tpassed\tfailed\tto come\tworst\t")
	for _, g := range u.groups {
		worst := fmt.Sprintf("%.2g", g.Worst)
		if g.ToCome > 0 || g.Passed == 0 {
			worst = "–"
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", g.Group, g.Cases, g.Passed, g.Failed, g.ToCome, worst, shortened(g.Where, 110))
	}
	w.Flush()
}

func shortened(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}

// json prints the same for programs. JSON has no number for what is not one: a worst
// difference is then -1.
func (u *runner) json(notes []string) error {
	for _, g := range u.groups {
		if math.IsInf(g.Worst, 0) || math.IsNaN(g.Worst) {
			g.Worst = -1
		}
	}
	t := u.totals()
	e := json.NewEncoder(u.out)
	e.SetIndent("", " ")
	return e.Encode(struct {
		Passed   int        `json:"passed"`
		Failed   int        `json:"failed"`
		ToCome   int        `json:"to_come"`
		Notes    []string   `json:"notes"`
		Groups   []*outcome `json:"groups"`
		Failures []failure  `json:"failures"`
	}{t.Passed, t.Failed, t.ToCome, notes, u.groups, u.failures})
}
