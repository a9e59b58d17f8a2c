package inflate

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
)

// pieces cuts data into pieces of at most size bytes, some of them empty.
func pieces(data []byte, size int) func() []byte {
	empty := false
	return func() []byte {
		if empty = !empty; empty && size < 100 {
			return []byte{}
		}
		if len(data) == 0 {
			return nil
		}
		p := data[:min(size, len(data))]
		data = data[len(p):]
		return p
	}
}

// readAll reads a stream by rows of some length.
func readAll(data []byte, size, row int) ([]byte, error) {
	d, out, buf := New(pieces(data, size)), []byte(nil), make([]byte, row)
	for {
		n, err := d.Read(buf)
		if out = append(out, buf[:n]...); err != nil || len(out) > 1<<24 {
			return out, err
		}
	}
}

// compare holds a stream to compress/flate.
func compare(t *testing.T, data []byte, size, row int) {
	t.Helper()
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(data)), 1<<23))
	got, err := readAll(data, size, row)
	if len(want) == 1<<23 {
		got, err = got[:min(len(got), 1<<23)], nil
	} else if errors.Is(err, io.EOF) {
		err = nil
	}
	if errors.Is(wantErr, io.ErrUnexpectedEOF) && len(got) <= len(want)+15*longest {
		// compress/flate takes no symbol where fewer bits are left than the block's end has; zlib does.
		got = got[:min(len(got), len(want))]
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%d bytes in pieces of %d: %d bytes, want %d (%v, want %v)", len(data), size, len(got), len(want), err, wantErr)
	}
	if (err == nil) != (wantErr == nil) || errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(wantErr, io.ErrUnexpectedEOF) {
		t.Fatalf("%d bytes in pieces of %d: %v, want %v", len(data), size, err, wantErr)
	}
}

// contents are of several kinds of redundancy.
func contents(rng *rand.Rand) []byte {
	data := make([]byte, rng.IntN(200_000))
	kind := rng.IntN(5)
	for i := range data {
		switch kind {
		case 0:
			data[i] = byte(rng.Uint32())
		case 1:
			data[i] = byte(rng.NormFloat64() * 5)
		case 2:
			data[i] = byte(i / 1000)
		case 3:
			data[i] = byte(i * i >> 7)
		default:
			if back := rng.IntN(40_000); i > back && rng.IntN(4) > 0 {
				data[i] = data[i-back]
			}
		}
	}
	return data
}

func compressed(rng *rand.Rand, data []byte) []byte {
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, rng.IntN(12)-2)
	if err != nil {
		panic(err)
	}
	for len(data) > 0 {
		n := min(len(data), 1+rng.IntN(100_000))
		w.Write(data[:n])
		if rng.IntN(2) == 0 {
			w.Flush()
		}
		data = data[n:]
	}
	w.Close()
	return out.Bytes()
}

// TestLikeFlate: streams, whole, cut and damaged, in pieces of any size, are what
// compress/flate makes of them.
func TestLikeFlate(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 8))
	for range 20 {
		data := compressed(rng, contents(rng))
		for _, size := range []int{1, 7, 1000, 1 << 20} {
			compare(t, data, size, 1+rng.IntN(10_000))
		}
		for range 20 {
			bad := bytes.Clone(data[:1+rng.IntN(len(data))])
			for range rng.IntN(3) {
				bad[rng.IntN(min(len(bad), 300))] ^= 1 << rng.IntN(8)
			}
			compare(t, bad, 1+rng.IntN(5000), 1+rng.IntN(10_000))
		}
	}
}

// TestTrailer: what follows a stream is found behind it, as far as End allows.
func TestTrailer(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 8))
	for range 50 {
		content := contents(rng)
		data := append(compressed(rng, content), 1, 2, 3, 4, 5)
		for _, size := range []int{1, 3, 1 << 20} {
			d := New(pieces(data, size))
			if n, err := d.Read(make([]byte, len(content)+1)); n != len(content) || !errors.Is(err, io.EOF) {
				t.Fatalf("%d bytes and %v, want %d", n, err, len(content))
			}
			if sum, ok := d.Trailer(); !ok || sum != 0x01020304 {
				t.Errorf("in pieces of %d: %#x, %v", size, sum, ok)
			}
		}
	}
	data := compressed(rng, bytes.Repeat([]byte{7, 8}, 100))
	d := New(pieces(append(data, 1, 2, 3, 4), len(data)+2))
	d.Read(make([]byte, 200))
	d.End()
	if _, err := d.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if _, ok := d.Trailer(); ok {
		t.Error("a sum that ends in the next piece was read behind End")
	}
}

func FuzzLikeFlate(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 8))
	for range 10 {
		data := compressed(rng, contents(rng))
		f.Add(data[:min(len(data), 3000)], uint16(rng.IntN(300)))
	}
	f.Fuzz(func(t *testing.T, data []byte, size uint16) {
		compare(t, data, 1+int(size), 1000)
	})
}

func BenchmarkRead(b *testing.B) {
	rng := rand.New(rand.NewPCG(6, 8))
	noise := make([]byte, 1<<20)
	for i := range noise {
		noise[i] = byte(rng.NormFloat64() * 5)
	}
	for name, content := range map[string][]byte{"noise": noise, "runs": bytes.Repeat([]byte("abcdabceabcf"), 1<<20/12)} {
		var buf bytes.Buffer
		w, _ := flate.NewWriter(&buf, 6)
		w.Write(content)
		w.Close()
		out := make([]byte, 4096)
		for _, flates := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/flate=%v", name, flates), func(b *testing.B) {
				b.SetBytes(int64(len(content)))
				for range b.N {
					var r io.Reader = New(pieces(buf.Bytes(), 1<<20))
					if flates {
						r = flate.NewReader(bytes.NewReader(buf.Bytes()))
					}
					for {
						if _, err := r.Read(out); err != nil {
							break
						}
					}
				}
			})
		}
	}
}
