// Package observe reports the progress of a run: a line on a terminal, a log of JSON
// lines, TensorBoard events. Each type is a [train.Observer].
package observe

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/goclip/goclip/train"
)

// Progress is a [train.Observer] that writes one line about the run, rewritten in
// place on a terminal and repeated at intervals in a log: loss and chance level, bad
// samples, pairs per second and time left. Warnings and tests get separate lines.
type Progress struct {
	w        io.Writer
	steps    int
	every    time.Duration
	clear    string // the rest of the line
	end      string
	start    time.Time
	shown    time.Time
	first    int
	pairs    int
	smoothed float64
}

// NewProgress reports on a run of the given number of steps, 0 where it is not
// known. On a terminal the line is rewritten; otherwise a new one is written
// every ten seconds.
func NewProgress(w io.Writer, steps int, terminal bool) *Progress {
	p := &Progress{w: w, steps: steps, every: 10 * time.Second, end: "\n"}
	if terminal {
		p.every, p.clear, p.end = 200*time.Millisecond, "\x1b[K", "\x1b[K\r"
	}
	return p
}

// Observe takes a step and writes a line when one is due. It never returns an
// error, so that a broken terminal does not end the run, and does nothing without a writer.
func (p *Progress) Observe(s train.Event) error {
	if p == nil || p.w == nil {
		return nil
	}
	now := time.Now()
	if p.start.IsZero() {
		// The first step compiles: its time is not counted, so neither are its pairs.
		p.start, p.shown, p.first, p.pairs, p.smoothed = now, now, s.Step+1, -s.Pairs, s.Loss
	}
	p.smoothed += 0.05 * (s.Loss - p.smoothed)
	p.pairs += s.Pairs
	for _, w := range s.Warnings {
		fmt.Fprintf(p.w, "step %d: %s%s\n", s.Step+1, w, p.clear)
	}
	if s.Test != nil {
		fmt.Fprintf(p.w, "step %d: %s%s\n", s.Step+1, measured(s.Test), p.clear)
	}
	last := s.Step+1 == p.steps
	if now.Sub(p.shown) < p.every && !last {
		return nil
	}
	p.shown = now
	end := p.end
	if last {
		end = p.clear + "\n"
	}
	of, bad, chance := "", "", ""
	if p.steps > 0 {
		of = fmt.Sprintf("/%d", p.steps)
	}
	if s.Bad > 0 {
		bad = fmt.Sprintf("%d left out  ", s.Bad)
	}
	if s.Chance != 0 { // known
		chance = fmt.Sprintf(" (chance %.3f)", s.Chance)
	}
	fmt.Fprintf(p.w, "step %d%s  loss %.3f%s  scale %.1f  %s%.0f pairs/s%s%s",
		s.Step+1, of, p.smoothed, chance, s.LogitScale, bad, p.rate(now), p.left(s, now), end)
	return nil
}

// measured is the results of a test in a line.
func measured(test map[string]float64) string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(test)) {
		words = append(words, fmt.Sprintf("%s %.4g", name, test[name]))
	}
	return strings.Join(words, "  ")
}

func (p *Progress) rate(now time.Time) float64 {
	return float64(p.pairs) / max(now.Sub(p.start).Seconds(), 1e-9)
}

func (p *Progress) left(s train.Event, now time.Time) string {
	past, done := now.Sub(p.start), s.Step+1-p.first
	switch {
	case s.Step+1 == p.steps:
		return "  done in " + past.Round(100*time.Millisecond).String()
	case s.Step+1 > p.steps || done == 0:
		return "" // nobody knows
	}
	return "  " + time.Duration(float64(past)/float64(done)*float64(p.steps-s.Step-1)).Round(time.Second).String() + " left"
}
