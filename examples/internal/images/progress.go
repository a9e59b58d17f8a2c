package images

import (
	"fmt"
	"os"
	"time"
)

// progress writes a line every two seconds: how far, how fast, how long yet.
type progress struct {
	total, done  int
	start, shown time.Time
}

func newProgress(total int) *progress {
	now := time.Now()
	return &progress{total: total, start: now, shown: now}
}

// add counts n more images.
func (p *progress) add(n int) {
	p.done += n
	now := time.Now()
	if now.Sub(p.shown) < 2*time.Second {
		return
	}
	p.shown = now
	rate := float64(p.done) / now.Sub(p.start).Seconds()
	left := time.Duration(float64(p.total-p.done) / rate * float64(time.Second))
	fmt.Fprintf(os.Stderr, "%d of %d images  %.0f images/s  %s left\n", p.done, p.total, rate, left.Round(time.Second))
}
