package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
)

// store is a database, which a program of its own speaks to: goclip-store-postgres for
// postgres://…, and so on. It is asked and answers in lines of JSON; contrib/stores has three,
// and says in helper.go what the lines are.
type store struct {
	program string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	said    *bytes.Buffer
}

type storeRequest struct {
	Op     string            `json:"op"`
	URL    string            `json:"url,omitempty"` // not an argument, which others could see with its password
	Model  string            `json:"model,omitempty"`
	Dim    int               `json:"dim,omitempty"`
	Vector []float32         `json:"vector,omitempty"`
	K      int               `json:"k,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

type storeReply struct {
	Error string
	Hits  []struct {
		Key, Meta string
		Score     float64
	}
}

var storeScheme = regexp.MustCompile(`^([a-z][a-z0-9-]*)(\+https?)?://`)

// mostReply bounds a line that a program answers, in bytes.
const mostReply = 256 << 20

// openStore starts the program for an address.
func openStore(s *session, address string, m *encoder.Model) (*store, error) {
	scheme := storeScheme.FindStringSubmatch(address)
	if scheme == nil {
		return nil, wrong("--store is no address such as postgres://HOST/DATABASE or chroma+http://HOST:PORT")
	}
	t := &store{program: "goclip-store-" + strings.Replace(scheme[1], "postgresql", "postgres", 1), said: &bytes.Buffer{}}
	path, err := exec.LookPath(t.program)
	if own, failed := os.Executable(); err != nil && failed == nil {
		path, err = exec.LookPath(filepath.Join(filepath.Dir(own), t.program))
	}
	if err != nil {
		return nil, input(fmt.Errorf("%s://: the program %s is not installed: of postgres, chroma and weaviate it is in goclip's contrib/stores (%w)", scheme[1], t.program, err))
	}
	t.cmd = exec.CommandContext(s, path)
	t.cmd.Stderr, t.cmd.WaitDelay = &limited{t.said, 4096}, 5*time.Second
	if t.in, err = t.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := t.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	t.out = bufio.NewScanner(out)
	t.out.Buffer(make([]byte, 64<<10), mostReply)
	if err := t.cmd.Start(); err != nil {
		return nil, input(fmt.Errorf("%s: %w", t.program, err))
	}
	if _, err := t.ask(storeRequest{Op: "open", URL: address, Model: m.Fingerprint(), Dim: m.Config().EmbedDim()}); err != nil {
		_ = t.close()
		return nil, err
	}
	return t, nil
}

// limited keeps the beginning of what is written.
type limited struct {
	kept *bytes.Buffer
	most int
}

func (l *limited) Write(b []byte) (int, error) {
	l.kept.Write(b[:min(len(b), l.most-l.kept.Len())])
	return len(b), nil
}

func (t *store) ask(r storeRequest) (*storeReply, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	_, unsent := t.in.Write(append(line, '\n'))
	if unsent != nil || !t.out.Scan() {
		err := errors.Join(t.out.Err(), t.close())
		return nil, input(fmt.Errorf("%s ended without an answer: %w", t.program, errors.Join(err, errors.New(strings.TrimSpace(t.said.String())))))
	}
	var reply storeReply
	if err := json.Unmarshal(t.out.Bytes(), &reply); err != nil {
		return nil, input(fmt.Errorf("%s: its answer is not JSON: %w", t.program, err))
	}
	if reply.Error != "" {
		return nil, input(fmt.Errorf("%s: %s", t.program, reply.Error))
	}
	return &reply, nil
}

// close ends the program by ending its input.
func (t *store) close() error {
	_ = t.in.Close()
	return t.cmd.Wait()
}

// inStore is the command for a database in the place of an index.
func (c *searchCommand) inStore(s *session, asked [][]index.Part, n need) (err error) {
	if c.Min != nil || len(c.Path)+len(c.After)+len(c.Before) > 0 {
		return wrong("--min, --path, --after and --before are for an --index: of a --store choose by --label NAME=VALUE")
	}
	for _, parts := range asked {
		for _, p := range parts {
			if p.Kind == index.Like {
				return wrong("like:%s is for an --index: use image: and a file with a --store", p.Text)
			}
		}
	}
	c.upright = &c.Upright
	c.draft = c.Draft
	m, err := c.load(s, n)
	if err != nil {
		return err
	}
	defer closing(&err, m.Close)
	t, err := openStore(s, c.Store, m)
	if err != nil {
		return err
	}
	l := looking{searchCommand: c, session: s, model: m}
	look := func(query string, parts []index.Part) error {
		sum := make([]float32, m.Config().EmbedDim())
		for _, p := range parts {
			e, err := l.embed(query, p)
			if err != nil {
				return err
			}
			for i, v := range e {
				sum[i] += float32(p.Weight) * v
			}
		}
		if err := normalise(sum); err != nil {
			return input(fmt.Errorf("%q: %w", query, err))
		}
		reply, err := t.ask(storeRequest{Op: "query", Vector: sum, K: c.K, Labels: c.Label})
		if err != nil {
			return err
		}
		f := found{Query: query, Hits: []hit{}}
		for _, h := range reply.Hits {
			f.Hits = append(f.Hits, hit{Key: h.Key, Caption: h.Meta, Score: h.Score})
		}
		l.all = append(l.all, f)
		return nil
	}
	if err := l.each(asked, look); err != nil {
		_ = t.close()
		return err
	}
	if err := t.close(); err != nil {
		return input(fmt.Errorf("%s: %w %s", t.program, err, strings.TrimSpace(t.said.String())))
	}
	return l.tell()
}

func normalise(v []float32) error {
	var sum float64
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	length := math.Sqrt(sum)
	if !(length > 1e-6) {
		return errors.New("its parts cancel each other")
	}
	for i, x := range v {
		v[i] = float32(float64(x) / length)
	}
	return nil
}
