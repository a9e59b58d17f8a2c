package main

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// agreement is how near what a process computes is to what it should be, in words, and
// whether that is near enough; what none speaks of is not compared.
type agreement func(got, want []float32) (string, bool)

// near is a limit for the length of the difference over the length of what is wanted.
func near(limit float64) agreement {
	return func(got, want []float32) (string, bool) {
		var d, w float64
		for i, v := range want {
			d += math.Pow(float64(got[i])-float64(v), 2)
			w += math.Pow(float64(v), 2)
		}
		r := math.Sqrt(d / w)
		return fmt.Sprintf("differs by %.1e", r), r <= limit
	}
}

// same is a limit for the share of numbers that are equal.
func same(limit float64) agreement {
	return func(got, want []float32) (string, bool) {
		n := 0
		for i, v := range want {
			if got[i] == v {
				n++
			}
		}
		r := float64(n) / float64(len(want))
		return fmt.Sprintf("%.4g %% the same", 100*r), r >= limit
	}
}

// cosineTo tells how much is lost, and judges only whether it is the same model.
func cosineTo() agreement {
	return func(got, want []float32) (string, bool) {
		c := cosine(got, want)
		return fmt.Sprintf("cosine %.5f", c), c >= 0.9
	}
}

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i, v := range x {
		a, b := float64(v), float64(y[i])
		xy, xx, yy = xy+a*b, xx+a*a, yy+b*b
	}
	return xy / math.Sqrt(xx*yy)
}

// timed is a process in a row: the shortest run of all, and the median of each round.
type timed struct {
	p        *process
	counts   bool // its ratio decides
	shortest float64
	medians  []float64
	cores    float64 // the most that it kept busy in a turn
	agrees   string
}

// section runs a section's rows: all processes are alive, and one at a time runs.
func (o *options) section(ctx context.Context, w io.Writer, s section) error {
	rows := o.chosen(s.name, s.rows)
	if len(rows) == 0 {
		return nil
	}
	if err := o.prepare(ctx, s.prepare); err != nil {
		return err
	}
	all, reference, failed, err := o.startAll(ctx, s)
	for _, t := range all {
		defer t.p.end()
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\n%s\n\n", said(all))
	fmt.Fprintf(w, "| %s | goclip, ms: shortest / median | a peer's time over it: shortest / median of rounds | quickest peer | wanted | others | beside ours |\n%s|\n", s.name, strings.Repeat("|---", 7))
	for _, r := range rows {
		if err := o.row(w, s, r, all, reference); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s/%s: %w", s.name, r.name, err))
		}
	}
	return failed
}

// startAll starts ours and the peers; reference is whose features the others' should be: goclip's
// otherwise, where it is among the peers.
// missing are those that did not start.
func (o *options) startAll(ctx context.Context, s section) (all []*timed, reference int, missing, err error) {
	add := func(name string, command []string, more ...string) error {
		p, err := start(ctx, name, command, o.environment(more...))
		if err == nil {
			all = append(all, &timed{p: p})
		}
		return err
	}
	words := func(args []string) []string {
		args = slices.Clone(args)
		for i, a := range args {
			if a == captionsFolder {
				args[i] = o.captions
			}
		}
		return args
	}
	own := fmt.Sprintf("GOMAXPROCS=%d", s.threads())
	if err := add("goclip", append([]string{o.worker, o.folder}, words(s.ours)...), own); err != nil {
		return nil, 0, nil, err
	}
	for _, p := range s.peers {
		switch {
		case p.ours:
			if reference == 0 {
				reference = len(all)
			}
			if err := add(p.name, append([]string{o.worker, o.folder}, words(p.args)...), own); err != nil {
				return all, 0, nil, err
			}
			continue
		case p.simd && o.simd == "":
			fmt.Fprintf(os.Stderr, "%s is left out: it could not be built\n", p.name)
			continue
		}
		path := o.peers
		if p.simd {
			path = o.simd + string(filepath.ListSeparator) + path
		}
		command := append([]string{o.python, filepath.Join(o.scripts, "peers.py"), o.folder}, words(p.args)...)
		if err := add(p.name, command, "PYTHONPATH="+path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %s is left out: %v\n", s.name, p.name, err)
			missing = errors.Join(missing, err)
			continue
		}
		all[len(all)-1].counts = true
	}
	return all, reference, missing, nil
}

func said(all []*timed) string {
	var words []string
	for _, t := range all {
		words = append(words, t.p.what)
	}
	return strings.Join(slices.Compact(words), "; ")
}

// row times a case. A peer that fails at it, or computes something else, is left out, and
// the error tells of it.
func (o *options) row(w io.Writer, s section, r row, all []*timed, reference int) (wrong error) {
	fmt.Fprintf(os.Stderr, "%s/%s\n", s.name, r.name)
	var able []*timed
	for i, t := range all {
		if slices.Contains(r.lacks, t.p.name) {
			continue
		}
		if _, err := t.p.ask("prepare %s", r.name); err != nil {
			if i == 0 {
				return err
			}
			wrong = errors.Join(wrong, err)
			continue
		}
		defer func() { _, _ = t.p.ask("drop %s", r.name) }()
		*t = timed{p: t.p, counts: t.counts, shortest: math.Inf(1)}
		able = append(able, t)
	}
	if s.agree != nil {
		var err error
		if able, err = o.compare(s, r, able, all[reference]); err != nil {
			wrong = errors.Join(wrong, err)
		}
	}
	if len(able) == 0 || able[0] != all[0] {
		return wrong
	}
	others, err := o.turns(able, r.name, cmp.Or(s.seconds, o.seconds))
	if err != nil {
		return err
	}
	print(w, r, able, others, s.threads())
	return wrong
}

// compare has every process say what it computes, and returns those that agree.
func (o *options) compare(s section, r row, able []*timed, reference *timed) (right []*timed, wrong error) {
	path := filepath.Join(o.scripts, "features")
	features := func(t *timed) ([]float32, error) {
		if _, err := t.p.ask("features %s %s", r.name, path); err != nil {
			return nil, err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		x := make([]float32, len(data)/4)
		_, err = binary.Decode(data, binary.LittleEndian, x)
		return x, err
	}
	want, err := features(reference)
	if err != nil {
		return nil, err
	}
	for _, t := range able {
		ok := t == reference
		if !ok {
			got, err := features(t)
			switch {
			case err != nil:
				wrong = errors.Join(wrong, err)
				continue
			case len(got) != len(want):
				t.agrees = fmt.Sprintf("gives %d numbers, not %d", len(got), len(want))
			default:
				t.agrees, ok = s.agree(got, want)
			}
		}
		if !ok {
			wrong = errors.Join(wrong, fmt.Errorf("what %s computes %s", t.p.name, t.agrees))
			continue
		}
		right = append(right, t)
	}
	return right, wrong
}

// turns lets the processes run one after the other, in an order that turns with each round.
// It returns how many cores others kept busy meanwhile.
func (o *options) turns(all []*timed, name string, seconds float64) (others float64, err error) {
	var busy, wall float64
	for round := range o.rounds {
		for i := range all {
			t := all[(i+round)%len(all)]
			if t.shortest < 0.3 || math.IsInf(t.shortest, 1) { // caches and clocks are its own again
				if _, err := t.p.ask("time %s 0", name); err != nil {
					return 0, err
				}
			}
			before := busyCores()
			a, err := t.p.ask("time %s %g", name, seconds)
			if err != nil {
				return 0, err
			}
			busy, wall = busy+busyCores()-before-a.CPU, wall+a.Wall
			t.shortest, t.cores = min(t.shortest, slices.Min(a.Times)), max(t.cores, a.CPU/a.Wall)
			t.medians = append(t.medians, median(a.Times))
		}
	}
	return max(0, busy/wall), nil
}

// median is the middle one, or the mean of the two that are.
func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	n := len(x)
	return (x[(n-1)/2] + x[n/2]) / 2
}

// print prints a row. A peer's ratio is its time over ours: of the shortest runs, and the
// median over the rounds of the quotients within a round. It tells of those that kept more cores busy
// than they have threads.
func print(w io.Writer, r row, all []*timed, others float64, threads int) {
	ours, least := all[0], math.Inf(1)
	var ratios, agrees []string
	for _, t := range all {
		if t != ours {
			rounds := make([]float64, len(t.medians))
			for i, m := range t.medians {
				rounds[i] = m / ours.medians[i]
			}
			q := t.shortest / ours.shortest
			ratios = append(ratios, fmt.Sprintf("%s %.2f / %.2f", t.p.name, q, median(rounds)))
			if t.counts {
				least = min(least, q)
			}
		}
		if t.agrees != "" {
			agrees = append(agrees, t.p.name+" "+t.agrees)
		}
		if t.cores > float64(threads)+0.1 {
			agrees = append(agrees, fmt.Sprintf("%s had %.1f cores, not %d", t.p.name, t.cores, threads))
		}
	}
	title := r.title
	if title == "" {
		title = r.name
	}
	fmt.Fprintf(w, "| %s | %s / %s | %s | %s | %.1f | %s |\n", title, figures(1000*ours.shortest), figures(1000*median(ours.medians)),
		strings.Join(ratios, "; "), verdict(least, r.wanted, false), others, strings.Join(agrees, "; "))
}

// verdict is a ratio, to two digits, beside the least, or the most, that is wanted: two cells.
func verdict(ratio, wanted float64, most bool) string {
	ratio = math.Round(100*ratio) / 100
	sign, missed := "≥", ratio < wanted
	if most {
		sign, missed = "≤", ratio > wanted
	}
	switch {
	case math.IsInf(ratio, 0):
		return "none ran | "
	case wanted == 0:
		return fmt.Sprintf("%.2f | ", ratio)
	case missed:
		return fmt.Sprintf("%.2f | %s %.2f, missed", ratio, sign, wanted)
	}
	return fmt.Sprintf("%.2f | %s %.2f", ratio, sign, wanted)
}

// figures gives three significant figures.
func figures(x float64) string {
	digits := max(0, 2-int(math.Floor(math.Log10(x))))
	return strings.TrimSuffix(fmt.Sprintf("%.*f", digits, x), ".")
}

// environment is ours without settings of the peers' libraries, with those that make
// them fastest: threads sleep between operators, and memory is not given back after each.
// All have as many threads as we have.
func (o *options) environment(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return slices.ContainsFunc([]string{"OPENBLAS_", "OMP_", "MKL_", "MALLOC_", "PYTHON"}, func(p string) bool { return strings.HasPrefix(v, p) })
	})
	threads := fmt.Sprint(runtime.GOMAXPROCS(0))
	env = append(env, "THREADS="+threads, "GOMAXPROCS="+threads, "ISA="+o.isa, "HF_HUB_OFFLINE=1", "PYTHONPATH="+o.peers, "PYTHONDONTWRITEBYTECODE=1",
		"OMP_NUM_THREADS="+threads, "OPENBLAS_NUM_THREADS="+threads, "RAYON_NUM_THREADS="+threads, "OMP_WAIT_POLICY=PASSIVE",
		"MALLOC_MMAP_THRESHOLD_=4294967296", "MALLOC_TRIM_THRESHOLD_=17179869184", "MALLOC_ARENA_MAX=1", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "BLAS="+o.blas, "MKL_NUM_THREADS="+threads, "MKL_DYNAMIC=FALSE", "BLIS_NUM_THREADS="+threads,
		"TOKENIZERS_PARALLELISM=false", "FASTER_CLIP_CACHE="+filepath.Join(o.folder, "faster-clip"))
	if o.isa == "avx2" {
		env = append(env, capped...)
	}
	return append(env, more...)
}

// capped is what keeps programs to AVX2: our kernels, PyTorch's own, oneDNN's, MKL's,
// OpenBLAS's, faiss's and OpenCV's. Peers that nothing keeps to it say so.
var capped = []string{"GODEBUG=cpu.avx512f=off", "ATEN_CPU_CAPABILITY=avx2", "ONEDNN_MAX_CPU_ISA=AVX2", "MKL_ENABLE_INSTRUCTIONS=AVX2",
	"OPENBLAS_CORETYPE=Haswell", "FAISS_SIMD_LEVEL=AVX2", "OPENCV_CPU_DISABLE=AVX512-SKX"}
