package train

import (
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// Moments is how AdamW keeps its two moments of a weight between steps, each of which
// computes with float32. Its text is "float32", "bfloat16" or "8bit".
type Moments uint8

// How moments are kept.
const (
	// MomentsFloat32 takes 8 bytes for a weight.
	MomentsFloat32 Moments = iota
	// MomentsBFloat16 takes 4: both are rounded to the nearest bfloat16, ties to even. A second
	// moment changes by 1-β2 of itself at most where the gradient is small, which must
	// not be lost in rounding: β2 is at most 0.99.
	MomentsBFloat16
	// Moments8Bit takes 2: in blocks of 2,048, as multiples of the block's largest from a
	// table of 256 that has seven powers of ten (dynamic block-wise quantization; Dettmers et
	// al., 2022, 8-bit Optimizers via Block-wise Quantization). A second moment that is not
	// 0 is not rounded to 0. Tensors of fewer than 4,096 weights keep float32.
	Moments8Bit
)

func momentsNames() map[Moments]string {
	return map[Moments]string{MomentsFloat32: "float32", MomentsBFloat16: "bfloat16", Moments8Bit: "8bit"}
}

func (m Moments) String() string { return enum.String(m, momentsNames()) }

// MarshalText returns the name; invalid Moments are an error.
func (m Moments) MarshalText() ([]byte, error) { return enum.Marshal(m, momentsNames()) }

// UnmarshalText parses a name; an unknown one is an error.
func (m *Moments) UnmarshalText(text []byte) error { return enum.Unmarshal(m, text, momentsNames()) }

const (
	momentBlock  = 2048     // moments that are decoded, and in 8 bits have a scale, together
	smallest8Bit = 4096     // weights of a tensor whose moments are kept in 8 bits
	largestBeta2 = 1 - 1e-2 // with bfloat16, half of whose last place is 1/512
)

// check says whether moments so kept can follow a decay.
func (m Moments) check(beta2 float64) error {
	if m == MomentsBFloat16 && beta2 > largestBeta2 {
		return fmt.Errorf("train: Beta2 is %g, and with moments of bfloat16 at most %g: what a step takes from the second one would be rounded away", beta2, largestBeta2)
	}
	return nil
}

// moment is both of a tensor: either m and v, or their codes. Of a matrix that Muon updates it is
// its momentum, m.
type moment struct {
	m, v  []float32
	rows  int    // with Muon
	idle  []bool // of a run of m and v: both are zeros, see [kernel.AdamWIdle]; nil until a step looks
	codes [2][]byte
	scale [2][]float32     // of each block, with 8 bits
	table *[2]codes8Bit    // with 8 bits
	dtype tensorfile.DType // of the codes
}

func (m Moments) of(n int, table *[2]codes8Bit) moment {
	switch {
	case m == MomentsBFloat16:
		return moment{codes: [2][]byte{make([]byte, 2*n), make([]byte, 2*n)}, dtype: tensorfile.BF16}
	case m == Moments8Bit && n >= smallest8Bit:
		blocks := (n + momentBlock - 1) / momentBlock
		x := moment{
			codes: [2][]byte{make([]byte, n), make([]byte, n)}, dtype: tensorfile.U8,
			scale: [2][]float32{make([]float32, blocks), make([]float32, blocks)}, table: table,
		}
		for i := range x.codes[0] {
			x.codes[0][i], x.codes[1][i] = table[0].zero, table[1].zero
		}
		return x
	}
	return moment{m: kernel.Buffer(n), v: kernel.Buffer(n)}
}

// elsewhere has no numbers, and as many tensors as those that another rank keeps.
func (m Moments) elsewhere(n int) moment {
	if m == Moments8Bit && n >= smallest8Bit {
		return moment{scale: [2][]float32{{}, {}}}
	}
	return moment{}
}

// len is of how many weights they are.
func (x *moment) len() int {
	switch {
	case x.table != nil:
		return len(x.codes[0])
	case x.codes[0] != nil:
		return len(x.codes[0]) / 2
	}
	return len(x.m)
}

// tensors are what is kept under torch.optim's names, as a checkpoint has them; codes of 8 bits
// come with the largest number of each block.
func (x *moment) tensors(p *nn.Param) (list []safetensors.Tensor) {
	if x.rows > 0 {
		return []safetensors.Tensor{{Name: "momentum_buffer." + p.Name, Shape: p.Shape, Float32: x.m}}
	}
	for i, kind := range []string{"exp_avg", "exp_avg_sq"} {
		t := safetensors.Tensor{Name: kind + "." + p.Name, Shape: p.Shape, DType: x.dtype, Raw: x.codes[i]}
		if x.codes[i] == nil {
			t.Float32 = [2][]float32{x.m, x.v}[i]
		}
		if list = append(list, t); x.scale[i] != nil {
			list = append(list, safetensors.Tensor{Name: kind + "_scale." + p.Name, Shape: []int{len(x.scale[i])}, Float32: x.scale[i]})
		}
	}
	return list
}

// update is a step of AdamW.
func (x *moment) update(w, g []float32, s kernel.AdamWStep) {
	if x.codes[0] == nil {
		x.look()
		kernel.AdamWIdle(w, g, x.m, x.v, x.idle, s)
		return
	}
	const task = 8 * momentBlock
	parallel.For((len(w)+task-1)/task, func(i int) {
		var m, v [momentBlock]float32
		for at := i * task; at < min(len(w), (i+1)*task); at += momentBlock {
			n := min(momentBlock, len(w)-at)
			x.decode(0, m[:n], at)
			x.decode(1, v[:n], at)
			kernel.AdamW(w[at:][:n], g[at:][:n], m[:n], v[:n], s)
			x.encode(0, m[:n], at)
			x.encode(1, v[:n], at)
		}
	})
}

// look finds the runs of moments that are zeros, which they are at first, and of a run that is
// resumed where the checkpoint has them so.
func (x *moment) look() {
	if x.idle != nil {
		return
	}
	x.idle = make([]bool, (len(x.m)+kernel.IdleRun-1)/kernel.IdleRun)
	parallel.For(len(x.idle), func(i int) {
		from, to := i*kernel.IdleRun, min(len(x.m), (i+1)*kernel.IdleRun)
		x.idle[i] = !slices.ContainsFunc(x.m[from:to], notZero) && !slices.ContainsFunc(x.v[from:to], notZero)
	})
}

func notZero(v float32) bool { return math.Float32bits(v) != 0 }

// decode fills dst with one of the moments, 0 or 1, of the weights from at on.
func (x *moment) decode(which int, dst []float32, at int) {
	if x.table == nil {
		for i := range dst {
			b := x.codes[which][2*(at+i):]
			dst[i] = math.Float32frombits(uint32(b[0])<<16 | uint32(b[1])<<24)
		}
		return
	}
	scale, table := x.scale[which][at/momentBlock], &x.table[which].values
	for i, c := range x.codes[which][at:][:len(dst)] {
		dst[i] = scale * table[c]
	}
}

func (x *moment) encode(which int, src []float32, at int) {
	if x.table == nil {
		_ = tensorfile.EncodeFloat32(x.codes[which][2*at:][:2*len(src)], x.dtype, src) // no error: the lengths agree
		return
	}
	var most float32
	for _, v := range src {
		most = max(most, v, -v)
	}
	x.scale[which][at/momentBlock] = most
	table, codes := &x.table[which], x.codes[which][at:][:len(src)]
	for i, v := range src {
		codes[i] = table.nearest(v, most)
	}
}

// codes8Bit is a table of multiples of a block's largest number, in ascending order.
type codes8Bit struct {
	values [256]float32
	zero   byte // code of 0
	least  bool // what is positive has the code of a positive number
}

// newTables are those of both moments.
func newTables() *[2]codes8Bit { return &[2]codes8Bit{newCodes8Bit(true), newCodes8Bit(false)} }

// newCodes8Bit has powers of ten from 10⁻⁶ to 1, each as often as the one before divided
// into twice as many parts, with the middles of the parts; 0, and 1. Signed, half of the codes are negative.
func newCodes8Bit(signed bool) (c codes8Bit) {
	var all []float64
	for power := range 7 {
		parts := 1 << power
		if !signed {
			parts *= 2
		}
		for k := range parts {
			v := (0.1 + 0.9*(float64(k)+0.5)/float64(parts)) * math.Pow10(power-6)
			if all = append(all, v); signed {
				all = append(all, -v)
			}
		}
	}
	all = append(all, 0, 1)
	slices.Sort(all)
	for i, v := range all {
		c.values[i] = float32(v)
	}
	c.zero, c.least = byte(slices.Index(all, 0)), !signed
	return c
}

// nearest is the code of v, of two that are as near the smaller one.
func (c *codes8Bit) nearest(v, most float32) byte {
	if most == 0 {
		return c.zero
	}
	v /= most
	low, high := 0, len(c.values)-1 // values[low] <= v <= values[high], or v is beyond all
	for high-low > 1 {
		if middle := (low + high) / 2; c.values[middle] <= v {
			low = middle
		} else {
			high = middle
		}
	}
	if v-c.values[low] > c.values[high]-v {
		low = high
	}
	if c.least && v > 0 && low == int(c.zero) {
		low++
	}
	return byte(low)
}
