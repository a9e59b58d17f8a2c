package index_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/kernel"
	"github.com/goclip/goclip/internal/parallel"
)

// surface draws normalised vectors as embeddings lie: around 4,000 centres, in few directions
// and with a little noise in all of them.
type surface struct {
	dim            int
	centres, basis []float32
}

func newSurface(dim int) *surface {
	r := rand.New(rand.NewPCG(5, 5))
	s := &surface{dim, make([]float32, 4000*dim), make([]float32, 48*dim)}
	for i := range s.basis {
		s.basis[i] = float32(r.NormFloat64())
	}
	for c := range 4000 {
		for range 12 {
			s.add(s.centres[c*dim:][:dim], float32(r.NormFloat64()), r.IntN(48))
		}
	}
	return s
}

func (s *surface) add(row []float32, by float32, b int) {
	kernel.Axpy(row, by, s.basis[b*s.dim:][:s.dim])
}

// draw gives n vectors, the same for each seed.
func (s *surface) draw(n int, seed uint64) *encoder.Embeddings {
	e := &encoder.Embeddings{N: n, Dim: s.dim, Data: make([]float32, n*s.dim)}
	const part = 1000
	parallel.For((n+part-1)/part, func(p int) {
		r := rand.New(rand.NewPCG(seed, uint64(p)))
		for i := p * part; i < min(n, (p+1)*part); i++ {
			row, sum, bits := e.Row(i), 0.0, uint64(0)
			copy(row, s.centres[r.IntN(4000)*s.dim:][:s.dim])
			for range 6 {
				s.add(row, 0.7*float32(r.NormFloat64()), r.IntN(48))
			}
			for j := range row {
				if j%4 == 0 {
					bits = r.Uint64()
				}
				row[j] += float32(bits&0xffff)/0x1p16 - 0.5
				bits >>= 16
				sum += float64(row[j]) * float64(row[j])
			}
			length := float32(1 / math.Sqrt(sum))
			for j := range row {
				row[j] *= length
			}
		}
	})
	return e
}

// TestManyRows: an index of many files, of bytes and float16, finds the ten nearest that a
// search of all embeddings finds, with the same scores, of one query and of 32 at once; it takes
// the memory of keys. GOCLIP_INDEX_ROWS is how many vectors of 512 numbers there are, 10,000,000
// in .ci/slow and 1,000,000 in .ci/run, and GOCLIP_INDEX_DIR where they are written, 15 GB or 1.6 then.
func TestManyRows(t *testing.T) {
	n, part := 20_000, 4_000
	if rows := os.Getenv("GOCLIP_INDEX_ROWS"); rows != "" {
		var err error
		n, err = strconv.Atoi(rows)
		check(t, err)
		part = min(max(n/20, 1000), 100_000)
	} else if testing.Short() {
		n, part = 3_000, 1_000
	}
	const dim, k = 512, 10
	dir := filepath.Join(t.TempDir(), "index")
	if at := os.Getenv("GOCLIP_INDEX_DIR"); at != "" {
		made, err := os.MkdirTemp(at, "goclip-index-")
		check(t, err)
		defer os.RemoveAll(made)
		dir = filepath.Join(made, "index")
	}
	s := newSurface(dim)
	queries := s.draw(32, 1<<40).Data
	best := make([][]index.Hit, 32)
	began, told := time.Now(), time.Now()
	for from := 0; from < n; from += part {
		if passed := time.Since(began); time.Since(told) > time.Minute {
			told = time.Now()
			t.Logf("%d × %d of %d written in %v, %v left", from, dim, n, passed.Round(time.Second), (passed * time.Duration(n-from) / time.Duration(from)).Round(time.Second))
		}
		e := s.draw(min(part, n-from), uint64(from))
		entries := make([]index.Entry, e.N)
		for i := range entries {
			entries[i].Key = fmt.Sprintf("%08d", from+i)
		}
		x := index.New(dim)
		check(t, x.Add(entries, e))
		check(t, index.Append(dir, x, nil, index.SaveOptions{Rows: index.Int8Float16}))
		plain := index.New(dim)
		check(t, plain.Add(entries, halves16(e)))
		found, err := plain.SearchEach(queries, k, nil)
		check(t, err)
		for q, hits := range found {
			best[q] = append(best[q], hits...)
			slices.SortFunc(best[q], func(a, b index.Hit) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Key, b.Key)) })
			best[q] = best[q][:min(k, len(best[q]))]
		}
	}
	t.Logf("%d × %d written in %v", n, dim, time.Since(began).Round(time.Second))
	began = time.Now()
	x, err := index.OpenUnread(dir, nil)
	check(t, err)
	defer x.Close()
	t.Logf("opened in %v, %s", time.Since(began).Round(time.Millisecond), resident())
	for _, many := range []int{32, 1, 32, 1, 1, 1} {
		before := index.Scored(x)
		began = time.Now()
		got, err := x.SearchEach(queries[:many*dim], k, nil)
		check(t, err)
		t.Logf("%d queries in %v, %d rows scored for each", many, time.Since(began).Round(100*time.Microsecond), (index.Scored(x)-before)/int64(many))
		for q := range got {
			if !slices.Equal(got[q], best[q]) {
				t.Errorf("query %d of %d: got %v, want %v", q, many, got[q], best[q])
			}
		}
	}
}

// resident says how much memory the process has and has had, where the system tells.
func resident() string {
	status, _ := os.ReadFile("/proc/self/status")
	var said []string
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM") || strings.HasPrefix(line, "RssAnon") {
			said = append(said, strings.Join(strings.Fields(line), " "))
		}
	}
	return strings.Join(said, ", ")
}

// BenchmarkRows looks for the ten nearest of GOCLIP_INDEX_ROWS (200,000) vectors of 512 numbers,
// with float32 rows and with bytes in turns, and reports the best time of each: on a busy machine the
// one that was disturbed least. With GOCLIP_VECTORS, a folder, it writes vectors.f32 and
// queries.f32 there, for others to search (tools/bench/search/peers.py).
func BenchmarkRows(b *testing.B) {
	n := 200_000
	if rows := os.Getenv("GOCLIP_INDEX_ROWS"); rows != "" {
		n, _ = strconv.Atoi(rows)
	}
	const dim = 512
	s := newSurface(dim)
	queries := s.draw(32, 1<<40).Data
	plain, dir := index.New(dim), b.TempDir()
	must := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	vectors := os.Getenv("GOCLIP_VECTORS")
	if vectors != "" {
		must(os.WriteFile(filepath.Join(vectors, "queries.f32"), bytesOf(queries), 0o666))
		_ = os.Remove(filepath.Join(vectors, "vectors.f32"))
	}
	for from := 0; from < n; from += 50_000 {
		e := s.draw(min(50_000, n-from), uint64(from))
		entries := make([]index.Entry, e.N)
		for i := range entries {
			entries[i].Key = fmt.Sprintf("%08d", from+i)
		}
		must(plain.Add(entries, e))
		if vectors != "" {
			f, err := os.OpenFile(filepath.Join(vectors, "vectors.f32"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
			must(err)
			_, err = f.Write(bytesOf(e.Data))
			must(err)
			must(f.Close())
		}
	}
	must(plain.SaveWith(filepath.Join(dir, "bytes"), index.SaveOptions{Rows: index.Int8Float16}))
	bytes, err := index.OpenUnread(filepath.Join(dir, "bytes"), nil)
	must(err)
	defer bytes.Close()
	took := map[string]float64{}
	for b.Loop() {
		for name, x := range map[string]*index.Index{"float32": plain, "int8": bytes} {
			for _, many := range []int{1, 32} {
				began := time.Now()
				_, err := x.SearchEach(queries[:many*dim], 10, nil)
				must(err)
				name := fmt.Sprintf("ms/%s/%d", name, many)
				if t := 1e3 * time.Since(began).Seconds(); took[name] == 0 || t < took[name] {
					took[name] = t
				}
			}
		}
	}
	for name, t := range took {
		b.ReportMetric(t, name)
	}
	b.ReportMetric(0, "ns/op")
}

func bytesOf(v []float32) []byte {
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		u := math.Float32bits(x)
		b = append(b, byte(u), byte(u>>8), byte(u>>16), byte(u>>24))
	}
	return b
}
