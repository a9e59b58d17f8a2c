package main

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/hub"
)

//go:embed published.csv
var published string

//go:embed speeds.csv
var measured string

// read returns the rows of a table behind its heading.
func read(table string) ([][]string, error) {
	r := csv.NewReader(strings.NewReader(table))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, fmt.Errorf("a table without rows: %w", err)
	}
	return rows[1:], nil
}

// speeds are what tools/bench -models printed.
type speeds struct {
	conditions string
	rows       [][]string
}

func readSpeeds() (speeds, error) {
	first, _, _ := strings.Cut(measured, "\n")
	rows, err := read(measured)
	return speeds{strings.TrimPrefix(first, "# "), rows}, err
}

// String is the table of them.
func (s speeds) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s:\n\n", s.conditions)
	fmt.Fprintln(&b, "| model | images/s | images/s, 8 at once | full captions/s | billion operations a second, 8 images |\n|---|---|---|---|---|")
	for _, r := range s.rows {
		rate := ""
		if cfg, ok := encoder.ConfigByName(r[0]); ok {
			cost, err := cfg.Cost()
			if n, err2 := strconv.ParseFloat(r[2], 64); err == nil && err2 == nil {
				rate = fmt.Sprintf("%.0f", 2*cost.Image.MultiplyAdds*n/1e9)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", r[0], r[1], r[2], r[3], rate)
	}
	return b.String()
}

func (s speeds) of(model string) []string {
	for _, r := range s.rows {
		if r[0] == model {
			return r
		}
	}
	return []string{model, "", "", ""}
}

// choice is the table of what models are worth and take.
func choice(s speeds) (string, error) {
	rows, err := read(published)
	if err != nil {
		return "", err
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return cmp.Compare(number(b[2]), number(a[2])) })
	tags := map[string]bool{}
	for _, t := range hub.Tags() {
		tags[t.Name()] = true
	}
	var b strings.Builder
	fmt.Fprintln(&b, "| model | ImageNet | 38 sets | MSCOCO | 36 languages | million parameters | GFLOPs an image | a caption | images/s |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		name := r[0] + "/" + r[1]
		cfg, ok := encoder.ConfigByName(r[0])
		if !ok || !tags[name] {
			return "", fmt.Errorf("published.csv: %s is no model of open_clip's", name)
		}
		cost, err := cfg.Cost()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %.0f | %.1f | %.1f | %s |\n", name, r[2], r[3], r[4], r[5],
			float64(cost.Parameters)/1e6, 2*cost.Image.MultiplyAdds/1e9, 2*cost.Text.MultiplyAdds/1e9, s.of(r[0])[2])
	}
	return b.String(), nil
}

func number(s string) float64 {
	x, _ := strconv.ParseFloat(s, 64)
	return x
}
