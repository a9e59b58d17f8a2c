package train

import (
	"fmt"
	"io"
	"time"
)

// Progress writes one line about the training, over itself on a terminal and
// now and then in a log: loss beside chance, rate and time left.
type Progress struct {
	w        io.Writer
	steps    int
	every    time.Duration
	end      string
	start    time.Time
	shown    time.Time
	first    int
	pairs    int
	smoothed float64
}

// NewProgress reports on a training of the given number of steps. On a terminal
// the line is rewritten; otherwise a new one is written every ten seconds.
func NewProgress(w io.Writer, steps int, terminal bool) *Progress {
	p := &Progress{w: w, steps: steps, every: 10 * time.Second, end: "\n"}
	if terminal {
		p.every, p.end = 200*time.Millisecond, "\x1b[K\r"
	}
	return p
}

// Update takes the stats of a step and writes a line when it is time.
func (p *Progress) Update(s Stats) {
	now := time.Now()
	if p.start.IsZero() {
		p.start, p.first, p.smoothed = now, s.Step, s.Loss
		p.shown = now
	}
	p.smoothed += 0.05 * (s.Loss - p.smoothed)
	p.pairs += s.Pairs
	last := s.Step+1 >= p.steps
	if now.Sub(p.shown) < p.every && !last {
		return
	}
	p.shown = now
	end := p.end
	if last {
		end = "\n"
	}
	fmt.Fprintf(p.w, "step %d/%d  loss %.3f (chance %.3f)  scale %.1f  %.0f pairs/s  %s%s",
		s.Step+1, p.steps, p.smoothed, s.Chance, s.LogitScale, p.rate(now), p.left(s, now), end)
}

func (p *Progress) rate(now time.Time) float64 {
	return float64(p.pairs) / max(now.Sub(p.start).Seconds(), 1e-9)
}

func (p *Progress) left(s Stats, now time.Time) string {
	done := s.Step + 1 - p.first
	d := time.Duration(float64(now.Sub(p.start)) / float64(max(done, 1)) * float64(p.steps-s.Step-1))
	if d <= 0 {
		return "done in " + now.Sub(p.start).Round(100*time.Millisecond).String()
	}
	return d.Round(time.Second).String() + " left"
}
