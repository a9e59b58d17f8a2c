package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unknown is the group of what no case uses.
const unknown = "unknown"

// set is a kind of folder of reference data.
type set struct {
	is   func(dir string) bool // by what is in the folder
	find func(o *options, dir string) ([]testCase, error)
}

// sets are the kinds, the most particular first.
func sets() []set {
	return []set{
		{isPictureSet, pictureCases},
		{isTokenizerSet, (*options).tokenizerCases},
		{isTree, (*options).treeCases},
	}
}

// discover finds the cases of all folders.
func (o *options) discover() ([]testCase, error) {
	var all []testCase
	for _, dir := range o.sets {
		if _, err := os.ReadDir(dir); err != nil {
			return nil, err
		}
		cases, err := o.recognise(dir)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		all = append(all, cases...)
	}
	return all, nil
}

// recognise finds the cases of one folder, none if it is of no known kind.
func (o *options) recognise(dir string) ([]testCase, error) {
	for _, s := range sets() {
		if s.is(dir) {
			return s.find(o, dir)
		}
	}
	return nil, nil
}

// parts are the folders of a tree that have cases of their own. What keeps them from
// finding those is an error, or a case that fails.
func parts() map[string]func(o *options, dir string) ([]testCase, error) {
	return map[string]func(o *options, dir string) ([]testCase, error){
		"checkpoints": (*options).modelCases,
		"activations": (*options).modelCases,
		"stages":      (*options).modelCases,
		"naflex":      (*options).modelCases,
		"gradients":   func(_ *options, dir string) ([]testCase, error) { return gradientCases(dir) },
		"tokenizer":   (*options).captionCases,
		"preprocess":  preprocessCases,
		"scaling":     func(_ *options, dir string) ([]testCase, error) { return scalingCases(dir) },
	}
}

func isTree(dir string) bool {
	known := parts()
	return slices.ContainsFunc(list(dir), func(name string) bool { return known[name] != nil && isDir(filepath.Join(dir, name)) })
}

// treeCases finds the cases of the parts of a tree, and of the sets inside it.
func (o *options) treeCases(dir string) ([]testCase, error) {
	var cases []testCase
	known, models := parts(), false
	for _, name := range list(dir) {
		path := filepath.Join(dir, name)
		find := known[name]
		switch name {
		case "checkpoints", "activations", "stages", "naflex":
			if models {
				continue // these folders belong together
			}
			models = true
		}
		switch {
		case find != nil:
			found, err := find(o, dir)
			if err != nil {
				found = append(found, broken(unknown, name, err))
			}
			cases = append(cases, found...)
		case name == "index.json" && !isDir(path):
			cases = append(cases, familyCases(dir, path)...)
		case isDir(path) && !document(name):
			found, err := o.recognise(path)
			for i := range found {
				found[i].name = name + "/" + found[i].name
			}
			if err == nil && len(found) == 0 {
				err = errors.New("no case uses this folder")
			}
			if err != nil {
				found = append(found, broken(unknown, name, err))
			}
			cases = append(cases, found...)
		case !document(name):
			cases = append(cases, broken(unknown, name, errors.New("no case uses this file")))
		}
	}
	return cases, nil
}

// familyCases compare a list of cases by family with the folders that are there.
func familyCases(dir, index string) []testCase {
	var families map[string]map[string]string
	if err := readJSON(index, &families); err != nil {
		return []testCase{broken(unknown, "index.json", err)}
	}
	var cases []testCase
	for family, models := range families {
		cases = append(cases, testCase{"indexes", "index.json " + family, func(_ context.Context, r *report) error {
			for name := range models {
				sub, base := filepath.Split(filepath.FromSlash(name))
				entries, err := readModelIndex(filepath.Join(dir, sub, "checkpoints"))
				if err != nil {
					return err
				}
				same(r, name, []string{entries[base].Family}, []string{family})
			}
			return nil
		}})
	}
	slices.SortFunc(cases, func(a, b testCase) int { return strings.Compare(a.name, b.name) })
	return cases
}

// broken is a case that fails.
func broken(group, name string, err error) testCase {
	return testCase{group, name, func(context.Context, *report) error { return err }}
}

// strangers returns a failing case for each file of a folder that nothing has
// asked for, so that no file passes unseen.
func strangers(dir, group, name string, known func(file string) bool) []testCase {
	var cases []testCase
	for _, file := range list(dir) {
		if !known(file) && !document(file) {
			cases = append(cases, broken(group, name+"/"+file, errors.New("no case uses this file")))
		}
	}
	return cases
}

// list returns the names in a folder, none if it cannot be read.
func list(dir string) []string {
	entries, _ := os.ReadDir(dir)
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// document reports whether a file is for people, or for their tools.
func document(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "LICENSE") ||
		slices.Contains([]string{".md", ".py", ".sh"}, filepath.Ext(name))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	s, err := os.Stat(path) // follows links
	return err == nil && s.IsDir()
}

// readJSON reads a whole file; errors name it.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
