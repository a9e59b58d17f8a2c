package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/goclip/goclip/dataset"
	"github.com/goclip/goclip/eval"
	"github.com/goclip/goclip/internal/journal"
)

func document(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// result writes what came out, as JSON or in words.
func (s *session) result(v any, words func(w io.Writer)) error {
	if s.json {
		return document(s.out, v)
	}
	out := bufio.NewWriter(s.out)
	words(out)
	return out.Flush() // which has the first error of any write
}

// say writes a line of progress.
func (s *session) say(format string, args ...any) {
	if s.terminal {
		format += "\x1b[K"
	}
	fmt.Fprintf(s.progress, format+"\n", args...)
}

// warn writes a line that the result cannot be read without, also with --quiet.
func (s *session) warn(format string, args ...any) {
	if s.terminal {
		format += "\x1b[K"
	}
	fmt.Fprintf(s.errors, format+"\n", args...)
}

// cut warns of texts that were longer than the model takes.
func (s *session) cut(what string, cut []string, of int) {
	if len(cut) > 0 {
		s.warn("%d of %d %s are longer than the model's context and were cut, so their ends count for nothing; the first: %.200q", len(cut), of, what, cut[0])
	}
}

// watch tells of going through a set.
func (s *session) watch(what string, src dataset.Source) dataset.Source {
	return eval.Watch(src, s.counter(what, "images"))
}

// counter returns a hook that tells how much is done, at what rate and for how
// long still: on a terminal in one line over itself, in a log every ten seconds.
func (s *session) counter(what, unit string) func(done, total int) {
	every, end := 10*time.Second, "\n"
	if s.terminal {
		every, end = 200*time.Millisecond, "\x1b[K\r"
	}
	start := time.Now()
	shown := start
	return func(done, total int) {
		now := time.Now()
		last := done == total
		if now.Sub(shown) < every && !(last && s.terminal) {
			return
		}
		shown = now
		rate := float64(done) / max(now.Sub(start).Seconds(), 1e-9)
		of, left := "", ""
		if total >= done {
			of = fmt.Sprintf("/%d", total)
			left = fmt.Sprintf("  %v left", time.Duration(float64(total-done)/rate*float64(time.Second)).Round(time.Second))
		}
		fmt.Fprintf(s.progress, "%s: %d%s %s  %.1f/s%s%s", what, done, of, unit, rate, left, end)
		if last && s.terminal {
			fmt.Fprint(s.progress, "\x1b[K")
		}
	}
}

// leftOut tells of samples that could not be used: the first few, and how many
// more there are.
func (s *session) leftOut(reasons []error) {
	for i, err := range reasons {
		if i == 5 {
			s.say("… and %d more left out", len(reasons)-i)
			return
		}
		s.say("left out: %v", err)
	}
}

// writable makes the folder of a file that will be written, and tells before hours
// of work whether one can be.
func writable(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s: there is something else than a regular file", path)
	}
	if err := journal.Probe(path); err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}
