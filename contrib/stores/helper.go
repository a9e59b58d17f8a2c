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
	Op     string `json:"op"`            // open, query, get, each, write, upsert, delete or len
	URL    string `json:"url,omitempty"` // of open: the database
	Model  string `json:"model,omitempty"`
	Dim    int    `json:"dim,omitempty"`
	Create bool   `json:"create,omitempty"`

	Vector []float32         `json:"vector,omitempty"` // of query, normalised
	K      int               `json:"k,omitempty"`
	Keys   []string          `json:"keys,omitempty"` // of query (filter), get and delete
	Labels map[string]string `json:"labels,omitempty"`

	Entries []Entry     `json:"entries,omitempty"` // of write and upsert
	Vectors [][]float32 `json:"vectors,omitempty"`
}

// Reply is the line that answers one. Those of get and each are several, all but the last with More.
type Reply struct {
	Error string `json:"error,omitempty"`
	Hits  []Hit  `json:"hits,omitempty"`
	Len   int    `json:"len"`

	Entries []Entry     `json:"entries,omitempty"` // of get and each
	Vectors [][]float32 `json:"vectors,omitempty"` // of get
	More    bool        `json:"more,omitempty"`
}

// mostLine bounds a request in bytes.
const mostLine = 64 << 20

// Numbers and bytes of text after which a reply goes on in another line.
const (
	replyNumbers = 1 << 18
	replyText    = 1 << 20
)

// Help answers requests, one line of JSON each, until in ends. A request that fails is answered
// by its error, and the next is read; a line that is no request ends it.
func Help(ctx context.Context, in io.Reader, out io.Writer, open func(ctx context.Context, url string, t Table) (*Store, error)) (err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), mostLine)
	var s *Store
	answer := func(r Reply) error {
		b, err := json.Marshal(r)
		if err == nil {
			_, err = out.Write(append(b, '\n'))
		}
		return err
	}
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
			reply, failed = r.do(ctx, s, answer)
		}
		if failed != nil {
			reply = Reply{Error: failed.Error()}
		}
		if err := answer(reply); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (r *Request) do(ctx context.Context, s *Store, answer func(Reply) error) (reply Reply, err error) {
	numbers, text := 0, 0
	take := func(e Entry, vector []float32) error {
		if numbers > replyNumbers || text > replyText {
			reply.More = true
			if err := answer(reply); err != nil {
				return err
			}
			reply, numbers, text = Reply{}, 0, 0
		}
		if reply.Entries = append(reply.Entries, e); vector != nil {
			reply.Vectors = append(reply.Vectors, vector)
		}
		numbers, text = numbers+len(vector), text+64+len(e.Key)+len(e.Meta)
		return nil
	}
	switch r.Op {
	case "query":
		reply.Hits, err = s.Query(ctx, r.Vector, r.K, Filter{r.Keys, r.Labels})
	case "get":
		err = s.Get(ctx, r.Keys, take)
	case "each":
		err = s.Each(ctx, func(e Entry) error { return take(e, nil) })
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
		err = fmt.Errorf("op %.40q, want open, query, get, each, write, upsert, delete or len", r.Op)
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
