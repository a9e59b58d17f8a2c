// Conform compares this module with reference implementations: it runs every
// case of a folder of reference data and says how far apart the two are.
//
//	go run ./tools/conform [-vocab FILE] [-run REGEXP] [-v] DIR
//
// DIR holds any of these, and nothing in them is known to the program but how
// it is laid out:
//
//	checkpoints/NAME/…                   a model, in all its forms
//	activations/NAME.safetensors         what it computes, and its stages in NAME.intermediates.safetensors
//	gradients/CASE.json                  a training step, and a few of AdamW
//	gradients/losses.safetensors         losses alone
//	tokenizer/cases.jsonl                captions and their ids
//	tokenizer/open_clip_clean.jsonl      the same for open_clip's ways to clean
//	preprocess/index.json                pictures, and what their preprocessing gives
//
// Each case is one line with the largest difference, measured in tolerances,
// and that tolerance. The last line counts the cases. The exit status is 1 if a
// case failed, if a file is missing, unreadable or not understood, and if there
// was no case.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conform", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: conform [-vocab FILE] [-run REGEXP] [-v] DIR")
		flags.PrintDefaults()
	}
	vocab := flags.String("vocab", "", "gzipped vocabulary `file`; by default DIR/tokenizer/"+vocabName)
	verbose := flags.Bool("v", false, "show every comparison")
	pattern := flags.String("run", "", "run the cases whose names match this `regexp`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	selected, err := regexp.Compile(*pattern)
	if err != nil || flags.NArg() != 1 {
		if err != nil {
			fmt.Fprintln(stderr, "conform:", err)
		}
		flags.Usage()
		return 2
	}
	dir := flags.Arg(0)
	if *vocab != "" {
		_, err = os.Stat(*vocab)
	}
	var cases []testCase
	if err == nil {
		cases, err = discover(dir, *vocab, stderr)
	}
	if err == nil {
		cases = slices.DeleteFunc(cases, func(c testCase) bool { return !selected.MatchString(c.name) })
		if len(cases) == 0 {
			err = fmt.Errorf("no case found in %s", dir)
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "conform:", err)
	}
	passed, failed := runAll(ctx, cases, stdout, *verbose)
	if ctx.Err() != nil {
		fmt.Fprintf(stderr, "conform: interrupted, %d cases not run\n", len(cases)-passed-failed)
	}
	fmt.Fprintf(stdout, "%d passed, %d failed\n", passed, failed)
	if err != nil || failed > 0 || ctx.Err() != nil {
		return 1
	}
	return 0
}

// section finds the cases of one folder of the reference data. What keeps it
// from finding them is an error, or a case that fails.
type section func(dir, vocab string) ([]testCase, error)

func discover(dir, vocab string, notes io.Writer) ([]testCase, error) {
	sections := map[string]section{
		"checkpoints": modelCases,
		"gradients":   gradientCases,
		"tokenizer":   tokenizerCases,
		"preprocess":  preprocessCases,
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var cases []testCase
	models := false
	for _, e := range entries {
		name := e.Name()
		find, ok := sections[name]
		if name == "activations" {
			name, find, ok = "checkpoints", modelCases, true
		}
		switch {
		case name == "checkpoints" && models:
			continue // both folders are one section
		case name == "checkpoints":
			models = true
		case !ok && !document(name):
			fmt.Fprintf(notes, "conform: %s is not compared with anything\n", filepath.Join(dir, name))
		}
		if !ok {
			continue
		}
		found, err := find(dir, vocab)
		if err != nil {
			found = append(found, broken(name, err))
		}
		cases = append(cases, found...)
	}
	return cases, nil
}

// broken is a case that fails.
func broken(name string, err error) testCase {
	return testCase{name, func(context.Context, *report) error { return err }}
}

// strangers returns a failing case for each file of a folder that nothing has
// asked for, so that no file passes unseen.
func strangers(dir, name string, known func(file string) bool) []testCase {
	var cases []testCase
	for _, file := range list(dir) {
		if !known(file) && !document(file) {
			cases = append(cases, broken(name+"/"+file, errors.New("no case uses this file")))
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
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".md") || strings.HasPrefix(name, "LICENSE")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
