package stores

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/goclip/goclip/encoder"
)

// Request is a line that "goclip search --store" and others write to a helper: the first one
// is "open".
type Request struct {
	Op     string `json:"op"`            // open, query, write, upsert, delete or len
	URL    string `json:"url,omitempty"` // of open: the database
	Model  string `json:"model,omitempty"`
	Dim    int    `json:"dim,omitempty"`
	Create bool   `json:"create,omitempty"`

	Vector []float32         `json:"vector,omitempty"` // of query, normalised
	K      int               `json:"k,omitempty"`
	Keys   []string          `json:"keys,omitempty"` // of query (filter) and delete
	Labels map[string]string `json:"labels,omitempty"`

	Entries []Entry     `json:"entries,omitempty"` // of write and upsert
	Vectors [][]float32 `json:"vectors,omitempty"`
}

// Reply is the line that answers one.
type Reply struct {
	Error string `json:"error,omitempty"`
	Hits  []Hit  `json:"hits,omitempty"`
	Len   int    `json:"len"`
}

// mostLine bounds a request in bytes.
const mostLine = 64 << 20

// Help answers requests, one line of JSON each, until in ends. A request that fails is answered
// by its error, and the next is read; a line that is no request ends it.
func Help(ctx context.Context, in io.Reader, out io.Writer, open func(ctx context.Context, url string, t Table) (*Store, error)) (err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), mostLine)
	var s *Store
	defer func() {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	for n := 1; lines.Scan(); n++ {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("line %d is no request: %w", n, err)
		}
		var reply Reply
		var failed error
		switch {
		case r.Op == "open" && s == nil:
			s, failed = open(ctx, r.URL, Table{Model: r.Model, Dim: r.Dim, Create: r.Create})
		case s == nil:
			failed = fmt.Errorf("line %d: op %.40q before open", n, r.Op)
		default:
			reply, failed = r.do(ctx, s)
		}
		if failed != nil {
			reply = Reply{Error: failed.Error()}
		}
		b, err := json.Marshal(reply)
		if err == nil {
			_, err = out.Write(append(b, '\n'))
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

func (r *Request) do(ctx context.Context, s *Store) (reply Reply, err error) {
	switch r.Op {
	case "query":
		reply.Hits, err = s.Query(ctx, r.Vector, r.K, Filter{r.Keys, r.Labels})
	case "delete":
		err = s.Delete(ctx, r.Keys...)
	case "len":
		reply.Len, err = s.Len(ctx)
	case "write", "upsert":
		e := &encoder.Embeddings{N: len(r.Vectors), Dim: s.dim}
		for i, v := range r.Vectors {
			if len(v) != s.dim {
				return reply, fmt.Errorf("vector %d has %d numbers, want %d", i, len(v), s.dim)
			}
			e.Data = append(e.Data, v...)
		}
		err = s.put(ctx, r.Entries, e, r.Op == "upsert")
	default:
		err = fmt.Errorf("op %.40q, want open, query, write, upsert, delete or len", r.Op)
	}
	return reply, err
}

// Main is a helper program.
func Main(open func(ctx context.Context, url string, t Table) (*Store, error)) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := Help(ctx, os.Stdin, os.Stdout, open); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}
