package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// Fill gives every parameter its Data from the file, and fails, before it has
// changed any, with a list of all tensors that are missing, that no parameter
// asks for, or that have another shape, each with the file's name and ours. So
// params must be all of the model's: both towers', logit_scale and, where
// Spec.LogitBias is set, logit_bias (scalars both, of nil or one-element shape); with
// Spec.NoLogitScale and none in the file the former gets its initial value.
// It fails with [journal.ErrChanged] where a writer has replaced the checkpoint since
// Open; afterwards nobody can. A file beside the weights that is not the one they were
// saved with is an error unless Options.Edited is set. A tensor that differs from its checksum, where the file has any, is an error
// that names both.
//
// Where it can, Data is a view of the mapped file without a copy, unless
// Options.Own was set; see there. Half-precision, transposed, joined and resized
// tensors are copies, made in parallel. Parameters stored as float32 are fixed
// unless Options.Own was set; those of half precision are not, since a packed copy
// would hold them twice.
func (c *Checkpoint) Fill(params []*nn.Param) error {
	if err := c.unchanged(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err := c.closeViews(); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	plans, err := c.plan(params)
	if err != nil {
		return err
	}
	if c.mixed != nil && !c.opts.Edited {
		return fmt.Errorf("checkpoint: %w", c.mixed)
	}
	data := make([][]float32, len(plans))
	errs := make([]error, len(plans))
	next := make(chan int, len(plans))
	for i := range plans {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(plans)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range next {
				if c.opts.Halves != "" && params[i].Halvable() {
					errs[i] = c.keepHalves(&plans[i], params[i])
					continue
				}
				data[i], errs[i] = c.read(&plans[i])
			}
		}()
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
	}
	for i, p := range params {
		if p.Halves() {
			continue
		}
		p.Data = data[i]
		if !c.opts.Own && c.float32s(&plans[i]) {
			p.Map(data[i], func() { c.release(&plans[i]) })
		}
	}
	return nil
}

func (c *Checkpoint) float32s(p *plan) bool {
	if p.pieces == nil {
		return false
	}
	for _, part := range p.pieces {
		if info, _ := c.weights.Info(part.name); info.DType != tensorfile.F32 {
			return false
		}
	}
	return true
}

func (c *Checkpoint) release(p *plan) {
	for _, part := range p.pieces {
		c.weights.Release(part.name)
	}
}

// plan is how one parameter is read.
type plan struct {
	pieces   []piece // of the file, one after the other
	shape    []int   // of all pieces joined, as the parameter needs it but for size
	form     form
	resample func(old []float32) []float32 // nil to keep the values
	value    float32                       // of a scalar that has no pieces
}

func (c *Checkpoint) plan(params []*nn.Param) ([]plan, error) {
	var wrong problems
	plans := make([]plan, len(params))
	used := map[string]bool{}
	for i, p := range params {
		pieces, form := c.names.stored(p.Name)
		if p.Name == logitScale && c.spec.NoLogitScale && !c.holds(pieces) {
			plans[i] = plan{value: float32(c.spec.InitLogitScale)}
			continue
		}
		if pieces == nil {
			wrong.missing = append(wrong.missing, fmt.Sprintf("%s, for which the layout has no name", p.Name))
			continue
		}
		shape, resample := c.resampling(p)
		plans[i] = plan{pieces, shape, form, resample, 0}
		for _, part := range pieces {
			used[part.name] = true
			c.check(&wrong, p, part, storedShape(shape, part, len(pieces), form))
		}
	}
	for _, name := range c.weights.Names() {
		if info, _ := c.weights.Info(name); info.Len() == 0 {
			continue // no numbers, such as the registers of a tower without any
		}
		if !used[name] && !ignored(name) && !c.names.unread(name) {
			wrong.unexpected = append(wrong.unexpected, both(name, ourName(c.names.canonical(name))))
		}
	}
	if err := wrong.err(filepath.Base(c.path)); err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	return plans, nil
}

// holds reports whether all pieces of a parameter are in the file.
func (c *Checkpoint) holds(pieces []piece) bool {
	return pieces != nil && !slices.ContainsFunc(pieces, func(p piece) bool {
		_, ok := c.weights.Info(p.name)
		return !ok
	})
}

func ourName(pieces []piece) string {
	if len(pieces) == 0 {
		return ""
	}
	return pieces[0].name
}

// storedShape is the shape of the tensor that a piece is cut from, one of n that make
// up a parameter of the given shape.
func storedShape(shape []int, p piece, n int, f form) []int {
	shape = slices.Clone(shape)
	if f.transposed {
		slices.Reverse(shape)
	}
	if f.rank > 0 {
		shape = ranked(shape, f.rank)
	}
	if len(shape) > 0 {
		shape[0] = shape[0] / n * p.of / (p.to - p.from)
	}
	return shape
}

// ranked adds ones in front of a shape, or joins its first dimensions.
func ranked(shape []int, rank int) []int {
	for len(shape) > max(rank, 1) {
		shape = append([]int{shape[0] * shape[1]}, shape[2:]...)
	}
	for len(shape) < rank {
		shape = append([]int{1}, shape...)
	}
	return shape
}

// check compares one tensor of the file with what a parameter needs.
func (c *Checkpoint) check(wrong *problems, p *nn.Param, part piece, want []int) {
	info, ok := c.weights.Info(part.name)
	name := both(part.name, p.Name)
	switch {
	case !ok:
		wrong.missing = append(wrong.missing, fmt.Sprintf("%s: want %v", name, want))
	case !slices.Equal(info.Shape, want) && !(scalar(info.Shape) && scalar(want)):
		wrong.misshapen = append(wrong.misshapen, fmt.Sprintf("%s: has %v, want %v", name, info.Shape, want))
	case !info.DType.Float():
		wrong.misshapen = append(wrong.misshapen, fmt.Sprintf("%s: has type %s, want F32, F16, BF16 or F64", name, info.DType))
	}
}

func scalar(shape []int) bool { return len(shape) == 0 || len(shape) == 1 && shape[0] == 1 }

// both gives a tensor's name in the file and, where it differs, ours.
func both(stored, canonical string) string {
	if canonical == "" || canonical == stored {
		return stored
	}
	return stored + " (" + canonical + ")"
}

// problems is what keeps a file from filling a model.
type problems struct{ missing, unexpected, misshapen []string }

func (w *problems) err(what string) error {
	if len(w.missing)+len(w.unexpected)+len(w.misshapen) == 0 {
		return nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s does not fit the configuration: %d tensors missing, %d unexpected, %d misshapen",
		what, len(w.missing), len(w.unexpected), len(w.misshapen))
	for _, kind := range []struct {
		name  string
		lines []string
	}{{"missing", w.missing}, {"unexpected", w.unexpected}, {"misshapen", w.misshapen}} {
		slices.Sort(kind.lines)
		for i, line := range kind.lines {
			if i == 20 {
				fmt.Fprintf(&b, "\n\t%s: and %d more", kind.name, len(kind.lines)-i)
				break
			}
			fmt.Fprintf(&b, "\n\t%s: %s", kind.name, line)
		}
	}
	return errors.New(b.String())
}

// read returns the values of a parameter.
func (c *Checkpoint) read(p *plan) ([]float32, error) {
	if p.pieces == nil {
		return []float32{p.value}, nil
	}
	n := 1
	for _, d := range p.shape {
		n *= d
	}
	if len(p.pieces) == 1 && !p.form.transposed && p.resample == nil && !c.opts.Own && n > 1 {
		if v, ok := c.weights.View(p.pieces[0].name); ok {
			from := p.pieces[0].from * (len(v) / p.pieces[0].of)
			return v[from:][:n:n], nil
		}
	}
	data := kernel.Buffer(n)
	rest := data
	for _, part := range p.pieces {
		m := n / len(p.pieces)
		if err := c.readPiece(part, rest[:m]); err != nil {
			return nil, err
		}
		rest = rest[m:]
	}
	c.release(p)
	if p.form.negLog {
		if !(data[0] > 0) {
			return nil, fmt.Errorf("%s is %g, want a positive number", p.pieces[0].name, data[0])
		}
		data[0] = float32(-math.Log(float64(data[0])))
	}
	if p.form.transposed {
		data = transpose(data, p.shape[1], p.shape[0])
	}
	if p.resample != nil {
		data = p.resample(data)
	}
	return data, nil
}

// keepHalves has the parameter keep its values rounded to Options.Halves.
func (c *Checkpoint) keepHalves(plan *plan, p *nn.Param) error {
	data, err := c.read(plan)
	if err != nil {
		return err
	}
	bits, to, keep := make([]uint16, len(data)), tensorfile.ToFloat16, p.KeepFloat16
	if c.opts.Halves == tensorfile.BF16 {
		to, keep = tensorfile.ToBFloat16, p.KeepBFloat16
	}
	for i, v := range data {
		if bits[i] = to(v); c.opts.Halves == tensorfile.F16 && bits[i]&0x7fff == 0x7c00 && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("%s has the number %g, of which float16 has none: take bfloat16", p.Name, v)
		}
	}
	keep(bits)
	c.release(plan)
	return nil
}

func (c *Checkpoint) readPiece(p piece, dst []float32) error {
	if p.to-p.from == p.of {
		return c.weights.Float32(p.name, dst)
	}
	all := make([]float32, len(dst)/(p.to-p.from)*p.of)
	if err := c.weights.Float32(p.name, all); err != nil {
		return err
	}
	copy(dst, all[p.from*(len(all)/p.of):])
	return nil
}

// transpose returns x of shape (rows, cols) as (cols, rows).
func transpose(x []float32, rows, cols int) []float32 {
	y := make([]float32, len(x))
	for r := range rows {
		for c, v := range x[r*cols : (r+1)*cols] {
			y[c*rows+r] = v
		}
	}
	return y
}
