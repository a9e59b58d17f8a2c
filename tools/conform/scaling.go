package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/scaling"
)

// lawRow is a line of the table of laws: task, metric, and the laws of OpenCLIP's and of
// OpenAI's models as A · C^−alpha.
var lawRow = regexp.MustCompile(`(?m)^\| (\S+) \| (\S+) \| ([\d.]+) · C\^−([\d.]+) \| ([\d.]+) · C\^−([\d.]+) \|$`)

// law is a published law; its numbers are as they are printed.
type law struct{ task, metric, a, alpha, who string }

// scalingCases compare the laws that a README gives with those that are fitted here to
// the results beside it.
func scalingCases(root string) ([]testCase, error) {
	dir := filepath.Join(root, "scaling")
	text, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		return nil, err
	}
	tables := slices.DeleteFunc(list(dir), func(f string) bool { return filepath.Ext(f) != ".csv" })
	rows := lawRow.FindAllStringSubmatch(string(text), -1)
	if len(rows) == 0 || len(tables) != 1 {
		return nil, fmt.Errorf("%d laws in README.md and %d tables beside it, want some and one", len(rows), len(tables))
	}
	cases := strangers(dir, "scaling", "scaling", func(file string) bool { return file == tables[0] })
	for _, r := range rows {
		for _, l := range []law{{r[1], r[2], r[3], r[4], "OpenCLIP"}, {r[1], r[2], r[5], r[6], "OpenAI"}} {
			cases = append(cases, testCase{"scaling", "scaling/" + l.task + " " + l.who, func(_ context.Context, rep *report) error {
				return l.compare(rep, filepath.Join(dir, tables[0]))
			}})
		}
	}
	return cases, nil
}

// compare fits a law: OpenCLIP's to the frontier of its models in five bins, OpenAI's
// through all three.
func (l law) compare(r *report, table string) error {
	points, err := l.points(table)
	if err != nil {
		return err
	}
	var got scaling.Power
	if l.who == "OpenAI" {
		fit, err := scaling.FitLine(points, &scaling.Options{Resamples: 2})
		if err != nil {
			return err
		}
		got = fit.Law
	} else {
		fit, err := scaling.FitFrontier(points, 5, &scaling.Options{Resamples: 2})
		if err != nil {
			return err
		}
		got = fit.Law
	}
	return errors.Join(printed(r, "factor", got.A, l.a), printed(r, "exponent", got.Alpha, l.alpha))
}

// printed compares with a number in decimals, which is off by half of its last one, and
// for the table's own rounding of what it was printed from a tenth more.
func printed(r *report, what string, got float64, want string) error {
	w, err := strconv.ParseFloat(want, 64)
	_, decimals, _ := strings.Cut(want, ".")
	r.number(what, got, w, 0.6*math.Pow10(-len(decimals)))
	return err
}

// points reads compute and error of one metric on one task.
func (l law) points(table string) ([]scaling.Point, error) {
	file, err := os.Open(table)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s: no results", table))
	}
	column := func(name string) int { return slices.Index(rows[0], name) }
	task, who, compute, score := column("downstream_dataset"), column("upstream_dataset"), column("gmacs_total"), column(l.metric)
	if min(task, who, compute, score) < 0 {
		return nil, fmt.Errorf("%s: a column is missing: %v", table, rows[0])
	}
	var points []scaling.Point
	for _, row := range rows[1:] {
		if row[task] != l.task || (row[who] == "CLIP-WIT") != (l.who == "OpenAI") {
			continue
		}
		c, err := strconv.ParseFloat(row[compute], 64)
		if err != nil {
			return nil, err
		}
		s, err := strconv.ParseFloat(row[score], 64)
		if err != nil {
			return nil, err
		}
		points = append(points, scaling.Point{X: c, Y: 1 - s})
	}
	return points, nil
}
