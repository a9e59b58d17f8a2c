package all_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goclip/goclip/contrib/stores"
	"github.com/goclip/goclip/contrib/stores/all"
	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// servers are the addresses of real ones, which `.ci/run stores` and `.ci/slow stores` start.
func servers() map[string]string {
	s := map[string]string{}
	for _, name := range []string{"POSTGRES", "CHROMA", "WEAVIATE", "OPENSEARCH"} {
		if address := os.Getenv("GOCLIP_" + name); address != "" {
			s[strings.ToLower(name)] = address
		}
	}
	return s
}

// each runs a test on a fresh table of every server.
func each(t *testing.T, dim int, f func(t *testing.T, s *stores.Store)) {
	t.Helper()
	if len(servers()) == 0 {
		t.Skip("GOCLIP_POSTGRES, GOCLIP_CHROMA, GOCLIP_WEAVIATE and GOCLIP_OPENSEARCH name no database")
	}
	for name, address := range servers() {
		t.Run(name, func(t *testing.T) {
			if name == "postgres" { // which with so few rows would look at all of them
				address += map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")] + "enable_seqscan=off"
			}
			s, err := all.Open(t.Context(), address, table(t, dim))
			check(t, err)
			t.Cleanup(func() {
				check(t, s.Drop(context.Background()))
				check(t, s.Close())
			})
			f(t, s)
		})
	}
}

func table(t *testing.T, dim int) stores.Table {
	return stores.Table{Model: fmt.Sprintf("%016x", rand.Uint64()), Dim: dim, Create: true}
}

// clusters are n normalised vectors around some centres, as embeddings lie.
func clusters(n, dim int, seed uint64) ([]stores.Entry, *encoder.Embeddings) {
	r := rand.New(rand.NewPCG(5, 5))
	centres := make([]float64, 100*dim)
	for i := range centres {
		centres[i] = r.NormFloat64()
	}
	r = rand.New(rand.NewPCG(seed, 1))
	e := &encoder.Embeddings{N: n, Dim: dim, Data: make([]float32, n*dim)}
	entries := make([]stores.Entry, n)
	for i := range n {
		centre, sum := centres[r.IntN(100)*dim:], 0.0
		entries[i] = stores.Entry{Key: fmt.Sprintf("%d/%05d.jpg", i%7, i), Meta: fmt.Sprintf("image %d", i), Labels: map[string]string{"third": fmt.Sprint(i % 3), "rare": fmt.Sprint(i % 100)}}
		row := e.Row(i)
		for j := range row {
			v := centre[j] + 0.8*r.NormFloat64()
			row[j], sum = float32(v), sum+v*v
		}
		for j := range row {
			row[j] /= float32(math.Sqrt(sum))
		}
	}
	return entries, e
}

func exact(t *testing.T, entries []stores.Entry, e *encoder.Embeddings) *index.Index {
	t.Helper()
	x, named := index.New(e.Dim), make([]index.Entry, len(entries))
	for i, entry := range entries {
		named[i] = index.Entry{Key: entry.Key, Meta: entry.Meta}
	}
	check(t, x.Add(named, e))
	return x
}

// TestRecall: of 3,000 vectors of 256 numbers nearly all of the ten nearest are found, with
// their scores; the share is printed.
func TestRecall(t *testing.T) {
	each(t, 256, func(t *testing.T, s *stores.Store) {
		entries, e := clusters(3000, 256, 1)
		began := time.Now()
		check(t, s.Write(t.Context(), entries, e))
		wrote := time.Since(began)
		if n, err := s.Len(t.Context()); err != nil || n != 3000 {
			t.Fatalf("%d entries, want 3000 (%v)", n, err)
		}
		_, queries := clusters(100, 256, 2)
		got, err := stores.Recall(t.Context(), s, exact(t, entries, e), queries.Data, 10)
		check(t, err)
		fmt.Printf("recall@10 %.4f, %v a query, 3000 × 256 written in %v (%s)\n", got.Recall, got.Query.Round(10*time.Microsecond), wrote.Round(time.Millisecond), t.Name())
		if !(got.Recall >= 0.95) {
			t.Errorf("recall@10 %.4f, want 0.95", got.Recall)
		}
	})
}

// TestFilters: what is found are the nearest of those that pass, rare or not.
func TestFilters(t *testing.T) {
	each(t, 16, func(t *testing.T, s *stores.Store) {
		entries, e := clusters(2000, 16, 3)
		check(t, s.Write(t.Context(), entries, e))
		x := exact(t, entries, e)
		of := map[string]stores.Entry{}
		for _, entry := range entries {
			of[entry.Key] = entry
		}
		for name, f := range map[string]stores.Filter{
			"third":      {Labels: map[string]string{"third": "1"}},
			"rare":       {Labels: map[string]string{"rare": "17"}},
			"two labels": {Labels: map[string]string{"rare": "17", "third": "2"}},
			"keys":       {Keys: []string{entries[5].Key, entries[1200].Key, "none"}},
			"both":       {Keys: []string{entries[17].Key, entries[18].Key}, Labels: map[string]string{"rare": "17"}},
			"none":       {Labels: map[string]string{"rare": "none"}},
		} {
			passes := func(e index.Entry) bool {
				ok := len(f.Keys) == 0 || slices.Contains(f.Keys, e.Key)
				for name, value := range f.Labels {
					ok = ok && of[e.Key].Labels[name] == value
				}
				return ok
			}
			want, err := x.Search(e.Row(4), 10, passes)
			check(t, err)
			got, err := s.Query(t.Context(), e.Row(4), 10, f)
			check(t, err)
			found := 0
			for _, h := range got {
				if !passes(index.Entry{Key: h.Key}) {
					t.Errorf("%s: %q does not pass", name, h.Key)
				}
				for _, w := range want {
					if w.Key == h.Key {
						found++
						if h.Meta != w.Meta || !(math.Abs(h.Score-w.Score) <= 1e-5) || h.Labels["rare"] != of[h.Key].Labels["rare"] {
							t.Errorf("%s: got %+v, want %+v", name, h, w)
						}
					}
				}
			}
			if len(got) != len(want) || found < len(want)-1 {
				t.Errorf("%s: %d hits with %d of the nearest, want %d", name, len(got), found, len(want))
			}
		}
	})
}

// TestUpsertAndDelete: a key is there once, with what was written last.
func TestUpsertAndDelete(t *testing.T) {
	each(t, 8, func(t *testing.T, s *stores.Store) {
		ctx := t.Context()
		entries, e := clusters(30, 8, 4)
		check(t, s.Write(ctx, entries[:20], &encoder.Embeddings{N: 20, Dim: 8, Data: e.Data[:160]}))
		if err := s.Write(ctx, entries[15:], &encoder.Embeddings{N: 15, Dim: 8, Data: e.Data[120:]}); !errors.Is(err, stores.ErrExists) || !strings.Contains(err.Error(), ".jpg") {
			t.Errorf("written twice: got error %v, want one that names a key", err)
		}
		if n, err := s.Len(ctx); err != nil || n != 20 {
			t.Errorf("%d entries, want 20 (%v)", n, err)
		}
		changed := slices.Clone(entries[10:])
		changed[0].Meta, changed[0].Labels = "", map[string]string{"other": "x=y"}
		turned := &encoder.Embeddings{N: 20, Dim: 8, Data: slices.Clone(e.Data[80:])}
		copy(turned.Row(0), e.Row(29))
		check(t, s.Upsert(ctx, changed, turned))
		check(t, s.Delete(ctx, entries[0].Key, "none", entries[29].Key))
		hits, err := s.Query(ctx, e.Row(29), 1, stores.Filter{})
		check(t, err)
		if len(hits) != 1 || hits[0].Key != changed[0].Key || hits[0].Meta != "" || len(hits[0].Labels) != 1 || hits[0].Labels["other"] != "x=y" || !(hits[0].Score >= 1-1e-5) {
			t.Errorf("got %+v, want %+v", hits, changed[0])
		}
		there := map[string]int{}
		check(t, s.Each(ctx, func(e stores.Entry) error { there[e.Key]++; return nil }))
		if len(there) != 28 || there[entries[0].Key] != 0 || there[entries[10].Key] != 1 {
			t.Errorf("%d entries, want 28: %v", len(there), there)
		}
		got := map[string][]float32{}
		check(t, s.Get(ctx, []string{entries[10].Key, "none", entries[11].Key}, func(e stores.Entry, row []float32) error {
			if e.Key == entries[11].Key && (e.Meta != entries[11].Meta || e.Labels["third"] != entries[11].Labels["third"]) {
				t.Errorf("got %+v, want %+v", e, entries[11])
			}
			got[e.Key] = row
			return nil
		}))
		for i, key := range []string{entries[10].Key, entries[11].Key} {
			for j, v := range turned.Row(i) {
				if row := got[key]; len(row) != 8 || len(got) != 2 || !(math.Abs(float64(row[j]-v)) <= 1e-6) {
					t.Fatalf("%q is %v among %d, want %v", key, row, len(got), turned.Row(i))
				}
			}
		}
		stop := errors.New("stop")
		if err := s.Each(ctx, func(stores.Entry) error { return stop }); !errors.Is(err, stop) {
			t.Errorf("got error %v, want %v", err, stop)
		}
	})
}

// TestHostileWords: what would be SQL, JSON or GraphQL is only text, in keys, metas, labels and
// filters.
func TestHostileWords(t *testing.T) {
	words := []string{
		`'; DROP TABLE "x"; --`, `"}], operator:Or, operands:[{path:["key"], operator:Like, valueText:"*"}`, `{"$ne":""}`, `a\"b\\`, "line\nbreak\t", "é 日本 🙂 \u202e", `$1`, `%`, `*`, strings.Repeat("long ", 300), " ", "*=*",
	}
	each(t, 8, func(t *testing.T, s *stores.Store) {
		_, e := clusters(len(words), 8, 4)
		entries := make([]stores.Entry, len(words))
		for i, w := range words {
			entries[i] = stores.Entry{Key: w, Meta: w, Labels: map[string]string{"w": w}}
		}
		check(t, s.Write(t.Context(), entries, e))
		for i, w := range words {
			for _, f := range []stores.Filter{{Labels: map[string]string{"w": w}}, {Keys: []string{w}}} {
				hits, err := s.Query(t.Context(), e.Row(i), 5, f)
				if err != nil || len(hits) != 1 || hits[0].Key != w || hits[0].Meta != w || hits[0].Labels["w"] != w {
					t.Errorf("%q by %v: got %v, %v", w, f, hits, err)
				}
			}
		}
		for _, w := range words {
			if hits, err := s.Query(t.Context(), e.Row(0), 5, stores.Filter{Labels: map[string]string{"w": w + "'"}}); err != nil || len(hits) != 0 {
				t.Errorf("%q', which no label is: got %v, %v", w, hits, err)
			}
			check(t, s.Delete(t.Context(), w))
		}
		if n, err := s.Len(t.Context()); err != nil || n != 0 {
			t.Errorf("%d entries are left (%v)", n, err)
		}
	})
}

// TestCancelled: work ends with its context.
func TestCancelled(t *testing.T) {
	each(t, 64, func(t *testing.T, s *stores.Store) {
		entries, e := clusters(2000, 64, 4)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		began := time.Now()
		if err := s.Upsert(ctx, entries, e); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it went on for %v", took)
		}
		check(t, s.Upsert(t.Context(), entries, e)) // and afterwards all is as ever
	})
}

// TestServerGone: a server that is gone in the middle is an error, at once.
func TestServerGone(t *testing.T) {
	if len(servers()) == 0 {
		t.Skip("no database")
	}
	for name, address := range servers() {
		t.Run(name, func(t *testing.T) {
			to, cut := between(t, address)
			drop, err := all.Open(t.Context(), address, stores.Table{Model: "00000000000000aa", Dim: 8, Create: true})
			check(t, err)
			defer drop.Close()
			defer drop.Drop(context.Background())
			s, err := all.Open(t.Context(), to, stores.Table{Model: "00000000000000aa", Dim: 8})
			check(t, err)
			defer s.Close()
			entries, e := clusters(20, 8, 4)
			check(t, s.Write(t.Context(), entries, e))
			cut()
			for what, f := range map[string]func() error{
				"query":  func() error { _, err := s.Query(t.Context(), e.Row(0), 3, stores.Filter{}); return err },
				"upsert": func() error { return s.Upsert(t.Context(), entries, e) },
				"delete": func() error { return s.Delete(t.Context(), "a") },
			} {
				began := time.Now()
				if err := f(); err == nil || !strings.HasPrefix(err.Error(), "stores: ") {
					t.Errorf("%s: got error %v", what, err)
				}
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("%s took %v", what, took)
				}
			}
		})
	}
}

// between is an address whose connections go to a server, until they are cut.
func between(t *testing.T, address string) (to string, cut func()) {
	t.Helper()
	u, err := url.Parse(address)
	check(t, err)
	network, target := "tcp", u.Host
	if dir := u.Query().Get("host"); dir != "" {
		network, target = "unix", dir+"/.s.PGSQL.5432"
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	var mu sync.Mutex
	var open []net.Conn
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial(network, target)
			if err != nil {
				c.Close()
				continue
			}
			mu.Lock()
			open = append(open, c, s)
			mu.Unlock()
			go func() { _, _ = io.Copy(c, s); c.Close() }()
			go func() { _, _ = io.Copy(s, c); s.Close() }()
		}
	}()
	cut = func() {
		l.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	}
	t.Cleanup(cut)
	if strings.HasPrefix(u.Scheme, "postgres") {
		return "postgres://" + u.User.Username() + "@" + l.Addr().String() + u.Path + "?sslmode=disable", cut
	}
	return u.Scheme + "://" + l.Addr().String(), cut
}

// TestTables: what is not there is said, and nothing is made; another dimension is refused.
func TestTables(t *testing.T) {
	for name, address := range servers() {
		t.Run(name, func(t *testing.T) {
			at := table(t, 8)
			at.Create = false
			if _, err := all.Open(t.Context(), address, at); !errors.Is(err, stores.ErrNoTable) {
				t.Errorf("got error %v, want %v", err, stores.ErrNoTable)
			}
			at.Create = true
			s, err := all.Open(t.Context(), address, at)
			check(t, err)
			defer s.Close()
			defer s.Drop(context.Background())
			entries, e := clusters(3, 8, 1)
			check(t, s.Write(t.Context(), entries, e))
			at.Dim, at.Create = 9, false
			s9, err := all.Open(t.Context(), address, at)
			if err == nil { // Weaviate knows only when something comes
				entries, e = clusters(3, 9, 2)
				err = s9.Upsert(t.Context(), entries, e)
			}
			if err == nil {
				t.Error("embeddings of 9 numbers among those of 8: no error")
			}
		})
	}
	for _, c := range []stores.Table{{}, {Model: "'; DROP TABLE x; --", Dim: 3}, {Model: "0123456789abcdef"}, {Model: "0123456789abcdef", Dim: 4000}} {
		if _, err := all.Open(t.Context(), "postgres://", c); err == nil || !strings.HasPrefix(err.Error(), "stores: Table.") {
			t.Errorf("%+v: got error %v", c, err)
		}
	}
	for _, address := range []string{"", "mysql://x", "chroma://x", "chroma+ftp://x", "weaviate+http://", "opensearch+http://", "postgres://%"} {
		if _, err := all.Open(t.Context(), address, stores.Table{Model: "0123456789abcdef", Dim: 4}); err == nil {
			t.Errorf("%q: no error", address)
		}
	}
}

// nothing is an engine that must not be asked.
type nothing struct{ stores.Engine }

func (nothing) Batch() int { return 10 }

// TestRefused: what no database should see is refused before, by its row.
func TestRefused(t *testing.T) {
	s := stores.New(nothing{}, 4)
	one := []float32{1, 0, 0, 0}
	nan := []float32{float32(math.NaN()), 0, 0, 0}
	rows := func(r ...[]float32) *encoder.Embeddings {
		return &encoder.Embeddings{N: len(r), Dim: 4, Data: slices.Concat(r...)}
	}
	for _, c := range []struct {
		want    string
		entries []stores.Entry
		e       *encoder.Embeddings
	}{
		{"embeddings are nil", nil, nil},
		{"embeddings of 3 numbers, want 4", nil, &encoder.Embeddings{Dim: 3}},
		{"1 entries for 2 embeddings", []stores.Entry{{Key: "a"}}, rows(one, one)},
		{`key "a" is given twice`, []stores.Entry{{Key: "a"}, {Key: "a"}}, rows(one, one)},
		{"entry 1: the key is empty", []stores.Entry{{Key: "a"}, {}}, rows(one, one)},
		{`entry 1, "b": the embedding has length`, []stores.Entry{{Key: "a"}, {Key: "b"}}, rows(one, nan)},
		{`entry 0, "a": the embedding has length 2`, []stores.Entry{{Key: "a"}}, rows([]float32{2, 0, 0, 0})},
		{"zero byte", []stores.Entry{{Key: "a\x00"}}, rows(one)},
		{"not UTF-8", []stores.Entry{{Key: "a", Meta: "\xff"}}, rows(one)},
		{"a label is called", []stores.Entry{{Key: "a", Labels: map[string]string{"a=b": ""}}}, rows(one)},
	} {
		for _, put := range []func(context.Context, []stores.Entry, *encoder.Embeddings) error{s.Write, s.Upsert} {
			if err := put(t.Context(), c.entries, c.e); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want …%s…", err, c.want)
			}
		}
	}
	for _, c := range []struct {
		want  string
		query []float32
		k     int
		f     stores.Filter
	}{
		{"a query of 3 numbers, want 4", one[:3], 1, stores.Filter{}}, {"0 hits, want 1 to 1000", one, 0, stores.Filter{}}, {"1001 hits", one, 1001, stores.Filter{}},
		{"length NaN", nan, 1, stores.Filter{}}, {"zero byte", one, 1, stores.Filter{Labels: map[string]string{"a": "\x00"}}}, {"10001 keys", one, 1, stores.Filter{Keys: make([]string, 10001)}},
	} {
		if _, err := s.Query(t.Context(), c.query, c.k, c.f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want …%s…", err, c.want)
		}
	}
}

// TestHelper: requests are answered in their order, and errors are answers.
func TestHelper(t *testing.T) {
	address := servers()["postgres"]
	if address == "" {
		t.Skip("GOCLIP_POSTGRES names no database")
	}
	at := table(t, 3)
	in, w := io.Pipe()
	r, out := io.Pipe()
	done := make(chan error)
	go func() {
		done <- stores.Help(t.Context(), in, out, all.Open)
	}()
	lines := bufio.NewReader(r)
	for _, c := range [][2]string{
		{`{"op":"query"}`, `{"error":"line 1: op \"query\" before open","len":0}`},
		{fmt.Sprintf(`{"op":"open","url":%q,"model":%q,"dim":3,"create":true}`, address, at.Model), `{"len":0}`},
		{`{"op":"write","entries":[{"key":"a","labels":{"x":"y"}},{"key":"b"}],"vectors":[[1,0,0],[0,1,0]]}`, `{"len":0}`},
		{`{"op":"upsert","entries":[{"key":"a"}],"vectors":[[1,0]]}`, `{"error":"vector 0 has 2 numbers, want 3","len":0}`},
		{`{"op":"query","vector":[1,0,0],"k":5,"labels":{"x":"y"}}`, `{"hits":[{"key":"a","labels":{"x":"y"},"score":1}],"len":0}`},
		{`{"op":"get","keys":["b","none"]}`, `{"len":0,"entries":[{"key":"b"}],"vectors":[[0,1,0]]}`},
		{`{"op":"delete","keys":["a"]}`, `{"len":0}`},
		{`{"op":"each"}`, `{"len":0,"entries":[{"key":"b"}]}`},
		{`{"op":"len"}`, `{"len":1}`},
		{`{"op":"dance"}`, `{"error":"op \"dance\", want open, query, get, each, write, upsert, delete or len","len":0}`},
	} {
		fmt.Fprintln(w, c[0])
		got, err := lines.ReadString('\n')
		check(t, err)
		if strings.TrimSpace(got) != c[1] || !json.Valid([]byte(got)) {
			t.Errorf("%s: got %s want %s", c[0], got, c[1])
		}
	}
	fmt.Fprintln(w, "no request")
	if err := <-done; err == nil || !strings.Contains(err.Error(), "line 11 is no request") {
		t.Errorf("got error %v", err)
	}
	s, err := all.Open(t.Context(), address, at)
	check(t, err)
	check(t, s.Drop(t.Context()))
	check(t, s.Close())
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
