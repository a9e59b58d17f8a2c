package command

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/goclip/goclip/encoder"
)

// store is a database, which a program of its own speaks to: goclip-store-postgres for
// postgres://…, and so on. It is asked and answers in lines of JSON; contrib/stores has four,
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
	Create bool              `json:"create,omitempty"`

	Keys    []string     `json:"keys,omitempty"`
	Entries []storeEntry `json:"entries,omitempty"`
	Vectors [][]float32  `json:"vectors,omitempty"`
}

type storeEntry struct {
	Key    string            `json:"key"`
	Meta   string            `json:"meta,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
}

type storeReply struct {
	Error string
	Hits  []struct {
		storeEntry
		Score float64
	}
	Entries []storeEntry
	Vectors [][]float32
	More    bool
}

var storeScheme = regexp.MustCompile(`^([a-z][a-z0-9-]*)(\+https?)?://`)

// mostReply bounds a line that a program answers, in bytes.
const mostReply = 256 << 20

// openStore starts the program for an address. With create it makes a table that is missing.
func openStore(s *session, address string, m *encoder.Model, create bool) (*store, error) {
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
		return nil, input(fmt.Errorf("%s://: the program %s is not installed: of postgres, chroma, weaviate and opensearch it is in goclip's contrib/stores (%w)", scheme[1], t.program, err))
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
	if _, err := t.ask(storeRequest{Op: "open", URL: address, Model: m.Fingerprint(), Dim: m.Config().EmbedDim(), Create: create}); err != nil {
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
	return t.answer(unsent)
}

// each asks for what is answered in several lines.
func (t *store) each(r storeRequest, use func(e storeEntry, vector []float32) error) error {
	reply, err := t.ask(r)
	for ; err == nil; reply, err = t.answer(nil) {
		for i, e := range reply.Entries {
			var vector []float32
			if i < len(reply.Vectors) {
				vector = reply.Vectors[i]
			}
			if err := use(e, vector); err != nil {
				return err
			}
		}
		if !reply.More {
			return nil
		}
	}
	return err
}

func (t *store) answer(unsent error) (*storeReply, error) {
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
