package inflate

import (
	"bytes"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
)

// compareGzip reads a file as compress/gzip does, which may have read less than we have
// where the file ends too soon.
func compareGzip(t *testing.T, data []byte) {
	t.Helper()
	read := func(r io.Reader, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		return io.ReadAll(r)
	}
	g, err := NewGzip(data)
	got, gotErr := read(g, err)
	z, err := gzip.NewReader(bytes.NewReader(data))
	want, wantErr := read(z, err)
	switch {
	case (gotErr == nil) != (wantErr == nil):
		t.Fatalf("%x…, %d bytes: got error %v, want %v", data[:min(len(data), 20)], len(data), gotErr, wantErr)
	case wantErr == nil && !bytes.Equal(got, want):
		t.Fatalf("%x…: got %d bytes, want %d, or others", data[:min(len(data), 20)], len(got), len(want))
	case !bytes.HasPrefix(got, want[:min(len(want), len(got))]):
		t.Fatalf("%x…: %d bytes, read before an error, are others", data[:min(len(data), 20)], len(got))
	}
}

// gzipped is a file of so many members, each with another header.
func gzipped(rng *rand.Rand, members int) []byte {
	var b bytes.Buffer
	for i := range members {
		w, err := gzip.NewWriterLevel(&b, rng.IntN(10))
		if err != nil {
			panic(err)
		}
		if i%2 == 0 {
			w.Name, w.Comment, w.Extra = "a name", "a comment", []byte("more")
		}
		w.Write(contents(rng))
		w.Close()
	}
	return b.Bytes()
}

// TestLikeGzip: files of one member and several, whole, cut anywhere, with a bit flipped or
// with something behind them, are what compress/gzip makes of them.
func TestLikeGzip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 40 {
		data := gzipped(rng, i%4)
		compareGzip(t, data)
		compareGzip(t, append(slices.Clone(data), 0))
		for range 30 {
			compareGzip(t, data[:rng.IntN(len(data)+1)])
			if len(data) > 0 {
				bad := slices.Clone(data)
				bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
				compareGzip(t, bad)
			}
		}
	}
}

// TestGzipHeaders: the sum of a header counts where there is one.
func TestGzipHeaders(t *testing.T) {
	empty := []byte{3, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, header := range [][]byte{
		{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255},
		{0x1f, 0x8b, 8, headerSum, 0, 0, 0, 0, 0, 255, 0x6d, 0xdd},
		{0x1f, 0x8b, 8, headerSum, 0, 0, 0, 0, 0, 255, 0, 0},
		{0x1f, 0x8b, 8, headerExtra, 0, 0, 0, 0, 0, 255, 2, 0, 1, 2},
		{0x1f, 0x8b, 8, headerName | headerComment, 0, 0, 0, 0, 0, 255, 'a', 0, 0},
		{0x1f, 0x8b, 7, 0, 0, 0, 0, 0, 0, 255},
	} {
		data := append(slices.Clone(header), empty...)
		for n := range len(data) + 1 {
			compareGzip(t, data[:n])
		}
	}
}

func FuzzLikeGzip(f *testing.F) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 6 {
		f.Add(gzipped(rng, i))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 3 && data[3]&(headerName|headerComment) != 0 {
			return // compress/gzip refuses names of 512 bytes
		}
		compareGzip(t, data)
	})
}
