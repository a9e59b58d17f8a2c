package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/goclip/goclip/scaling"
)

// progress tells what has finished, how fast it goes and how long the rest takes.
type progress struct {
	mu           sync.Mutex
	w            io.Writer
	start, shown time.Time
	flops, total float64 // of this process
}

func newProgress(w io.Writer) *progress { return &progress{w: w} }

// begin announces work of so many FLOPs.
func (p *progress) begin(total float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start, p.flops, p.total = time.Now(), 0, total
	p.shown = p.start
}

// add counts work, and writes a line every ten seconds.
func (p *progress) add(flops float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flops += flops
	if time.Since(p.shown) > 10*time.Second {
		p.shown = time.Now()
		fmt.Fprintln(p.w, p.state())
	}
}

func (p *progress) done(r scaling.Run, record scaling.Record) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = time.Now()
	fmt.Fprintf(p.w, "width %3d, layers %d, %7d parameters, %7d samples of %7d: loss %.4f, error %5.1f %%, %.0f s   %s\n",
		r.Width, r.Layers, record.Params, r.Samples(), r.Unique, record.Loss, 100*record.Error, record.Seconds, p.state())
}

func (p *progress) state() string {
	took := time.Since(p.start)
	share := min(p.flops/p.total, 1)
	left := time.Duration(float64(took) * (1 - share) / max(share, 1e-9))
	return fmt.Sprintf("[%3.0f %%, %.0f GFLOP/s, %s left]", 100*share, p.flops/took.Seconds()/1e9, left.Round(time.Second))
}
