package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// toCome is the list of what goclip is known not to do yet: names of groups, or of
// a group's cases as GROUP/PART, PART being a part of their names. A case of the
// list that fails does not fail the run. So that the list never hides what works, an
// entry whose cases all pass does, and so does one that no case has.
type toCome []*pending

type pending struct {
	name          string
	cases, failed int
}

// parseToCome reads names between commas or in lines; "@FILE" stands for those in a
// file.
func parseToCome(list string) (toCome, error) {
	if file, ok := strings.CutPrefix(list, "@"); ok {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		list = string(b)
	}
	var all toCome
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '\n' }) {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if slices.ContainsFunc(all, func(p *pending) bool { return p.name == name }) {
			return nil, fmt.Errorf("the list of what is to come has %s twice", name)
		}
		all = append(all, &pending{name: name})
	}
	return all, nil
}

// covers reports whether the list has a case, and counts it.
func (t toCome) covers(c testCase, failed bool) (covered bool) {
	for _, p := range t {
		group, part, _ := strings.Cut(p.name, "/")
		if group != c.group || !strings.Contains(c.name, part) {
			continue
		}
		p.cases++
		if failed {
			p.failed++
		}
		covered = true
	}
	return covered
}

// stale says what is wrong with the list.
func (t toCome) stale() (lines []string) {
	for _, p := range t {
		switch {
		case p.cases == 0:
			lines = append(lines, fmt.Sprintf("%s is listed as to come, but no case has this name", p.name))
		case p.failed == 0:
			lines = append(lines, fmt.Sprintf("%s is listed as to come, but all of its %d cases pass: take it off the list", p.name, p.cases))
		}
	}
	return lines
}
