package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/goclip/goclip/internal/enum"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/unitrows"
)

// Rows say how a file holds embeddings. With bytes beside them a search reads a quarter of
// what it reads otherwise, and finds the same with the same scores: it computes the scores of
// all rows for which the rounding leaves open whether they are among the best.
type Rows uint8

const (
	AsBefore    Rows = iota // as in the file that the index was opened from or saved to last; else Float32
	Float32                 // embeddings as they are, four bytes a number
	Int8                    // bytes beside them, a fifth byte a number
	Int8Float16             // bytes beside embeddings that are rounded to float16, three bytes a number: scores are those of what was rounded
)

func rowsNames() map[Rows]string {
	return map[Rows]string{Float32: "float32", Int8: "int8", Int8Float16: "int8+float16"}
}

func (r Rows) String() string { return enum.String(r, rowsNames()) }

// MarshalText gives the name.
func (r Rows) MarshalText() ([]byte, error) { return enum.Marshal(r, rowsNames()) }

// UnmarshalText takes a name.
func (r *Rows) UnmarshalText(text []byte) error { return enum.Unmarshal(r, text, rowsNames()) }

// Files of version 5 have these tensors besides, the last four of them where there are bytes:
//
//	gone_ends  I64 (M, 2)    like ends, of keys without metas
//	gone       U8            keys that earlier files of a folder no longer have
//	bytes      U8 (N, D)     D filled up to a multiple of four
//	steps      F32 (N)       see byteRows, as for the rest
//	wrong      F32 (N)
//	centre     F32 (D)
//
// and embeddings may be F16.

func (h *head) names() []string {
	names := []string{"embeddings", "ends", "text"}
	if h.version == rowsVersion {
		names = append(names, "gone", "gone_ends")
	}
	if h.rows > Float32 {
		names = append(names, "bytes", "steps", "wrong", "centre")
	}
	slices.Sort(names)
	return names
}

// fits is an error where a tensor is not as it should be beside embeddings of a shape.
func (h *head) fits(f *safetensors.File, shape []int) error {
	for _, name := range h.names() {
		info, _ := f.Info(name)
		dtype, want := tensorfile.U8, info.Shape
		switch name {
		case "embeddings":
			continue
		case "ends":
			dtype, want = tensorfile.I64, []int{shape[0], 2}
		case "text", "gone":
			if len(want) != 1 {
				return fmt.Errorf("%s is %s%v, want U8 of one dimension", name, info.DType, want)
			}
		case "gone_ends":
			if dtype = tensorfile.I64; len(want) != 2 || want[1] != 2 {
				return fmt.Errorf("%s are %s%v, want I64 of entries by 2", name, info.DType, want)
			}
		case "bytes":
			want = []int{shape[0], kernel.RowBytes(shape[1])}
		case "steps", "wrong":
			dtype, want = tensorfile.F32, shape[:1]
		case "centre":
			dtype, want = tensorfile.F32, shape[1:]
		}
		if info.DType != dtype || !slices.Equal(info.Shape, want) {
			return fmt.Errorf("%s are %s%v, want %s%v", name, info.DType, info.Shape, dtype, want)
		}
	}
	return nil
}

func (b *byteRows) tensors() []safetensors.Tensor {
	return []safetensors.Tensor{
		{Name: "bytes", DType: tensorfile.U8, Shape: []int{len(b.steps), b.width}, Raw: b.codes},
		{Name: "steps", Shape: []int{len(b.steps)}, Float32: b.steps},
		{Name: "wrong", Shape: []int{len(b.steps)}, Float32: b.wrong},
		{Name: "centre", Shape: []int{len(b.centre)}, Float32: b.centre},
	}
}

// readPart maps what a file holds, or reads it where that cannot be mapped.
func readPart(f *safetensors.File, r Rows, shape []int, unread bool) (*part, error) {
	p := &part{n: shape[0], dim: shape[1]}
	var err error
	floats := func(name string, n int) []float32 {
		view := f.View
		if unread {
			view = f.ViewUnread
		}
		if v, ok := view(name); ok {
			return v
		}
		v := make([]float32, n)
		err = errors.Join(err, f.Float32(name, v))
		return v
	}
	raw := func(name string) []byte {
		if b, ok := f.ViewBytes(name, unread); ok {
			return b
		}
		b, failed := f.Bytes(name)
		err = errors.Join(err, failed)
		return b
	}
	if r == Int8Float16 {
		p.half = raw("embeddings")
	} else {
		p.exact = floats("embeddings", p.n*p.dim)
	}
	if r > Float32 {
		p.bytes = &byteRows{width: kernel.RowBytes(p.dim), codes: raw("bytes"), steps: floats("steps", p.n), wrong: floats("wrong", p.n), centre: floats("centre", p.dim)}
		p.bytes.known()
	}
	return p, err
}

// copied makes a part independent of its file.
func (p *part) copied() {
	p.exact, p.half = slices.Clone(p.exact), slices.Clone(p.half)
	if b := p.bytes; b != nil {
		b.codes, b.steps, b.wrong, b.centre = slices.Clone(b.codes), slices.Clone(b.steps), slices.Clone(b.wrong), slices.Clone(b.centre)
	}
}

// normalised is an error where an embedding of a file is not, or its bytes are of another.
func (x *Index) normalised() error {
	for _, p := range x.parts {
		name := func(i int) string { return x.entries[p.first+i].Key }
		row := func(i int) []float32 { return p.row(nil, i) }
		if p.exact == nil {
			if i := p.firstWrong(); i >= 0 {
				return fmt.Errorf("%q %s", name(i), unitrows.Fault(row(i)))
			}
		} else if i := unitrows.First(p.exact, x.dim); i >= 0 {
			return fmt.Errorf("%q %s", name(i), unitrows.Fault(row(i)))
		}
		if p.bytes != nil {
			if err := p.bytes.verify(row, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// firstWrong is of rows in float16, which may be twice as far from their length as others:
// once as they came, and once by rounding.
func (p *part) firstWrong() int {
	first := make([]int, (p.n+scanned-1)/scanned)
	parallel.For(len(first), func(t int) {
		first[t] = -1
		buffer := make([]float32, p.dim)
		for i := t * scanned; i < min(p.n, (t+1)*scanned) && first[t] < 0; i++ {
			row := p.row(buffer, i)
			if length := math.Sqrt(float64(kernel.Dot(row, row))); !(math.Abs(length-1) <= 2*unitrows.Tolerance) {
				first[t] = i
			}
		}
	})
	for _, i := range first {
		if i >= 0 {
			return i
		}
	}
	return -1
}

// part is what a file holds of an index. Rows are numbered from first in the index, and from 0
// in a part.
type part struct {
	first, n, dim int
	exact         []float32 // (n, D), nil where half is not
	half          []byte    // the same in float16
	bytes         *byteRows // nil without
}

// row returns the embedding of a row of the part; one in float16 needs memory.
func (p *part) row(buffer []float32, i int) []float32 {
	if p.exact != nil {
		return p.exact[i*p.dim : (i+1)*p.dim]
	}
	if len(buffer) != p.dim {
		buffer = make([]float32, p.dim)
	}
	for j := range buffer {
		buffer[j] = tensorfile.Float16(binary.LittleEndian.Uint16(p.half[2*(i*p.dim+j):]))
	}
	return buffer
}

// halved returns rows in float16, one behind the other.
func halved(rows [][]float32, dim int) []byte {
	half := make([]byte, 2*len(rows)*dim)
	parallel.For((len(rows)+block-1)/block, func(t int) {
		for i := t * block; i < min(len(rows), (t+1)*block); i++ {
			for j, v := range rows[i] {
				binary.LittleEndian.PutUint16(half[2*(i*dim+j):], tensorfile.ToFloat16(v))
			}
		}
	})
	return half
}
