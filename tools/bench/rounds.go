package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// measurement is what either side prints of one work, a line of JSON.
type measurement struct {
	What  string  `json:"what"`
	Batch int     `json:"batch,omitempty"`
	Rate  float64 `json:"items_per_s"`
	RSS   float64 `json:"peak_rss_mib"`
}

func (m measurement) key() string {
	if m.Batch > 0 {
		return fmt.Sprintf("%s, batch %d", m.What, m.Batch)
	}
	return m.What
}

// results hold each work by its key: the best rate of all rounds, and the largest
// resident set, since what the system took back early in one is no saving.
type results struct{ ours, peer map[string]measurement }

// work is done by both sides, one after the other.
type work struct {
	name string
	peer func(o *options, round int) []string // command line; nil where ours stands alone
}

var (
	//go:embed sgemm.py
	sgemmScript []byte
	//go:embed photos.py
	photosScript []byte
	//go:embed tokenize.py
	tokenizeScript []byte
)

// python is the system's, which Debian's python3-torch belongs to.
const python = "/usr/bin/python3"

func torch(what, batch, runs string) func(*options, int) []string {
	return func(o *options, _ int) []string {
		return []string{python, filepath.Join(o.peers, "torch_clip.py"), "bench", what, "--batch", batch, "--runs", runs}
	}
}

func onnx(what string) func(*options, int) []string {
	return func(o *options, _ int) []string {
		return []string{"node", filepath.Join(o.peers, "ort_bench.mjs"), o.checkpoint, "--what", what}
	}
}

var works = []work{
	{"sgemm", func(o *options, _ int) []string { return []string{python, filepath.Join(o.scripts, "sgemm.py"), "0.5"} }},
	{"image", onnx("image")},
	{"text", onnx("text")},
	{"captions", nil},
	{"toy", torch("toy", "128", "4")},
	{"train", torch("train", "8", "4")},
	{"photos", func(o *options, round int) []string { // images are read by 0 to 2 processes: the best counts
		files, _ := filepath.Glob(filepath.Join(o.data, "photos", "*.jpg"))
		return append([]string{python, filepath.Join(o.scripts, "photos.py"), o.checkpoint, fmt.Sprint(photos), fmt.Sprint(round % 3)}, files...)
	}},
	{"load", nil},
	{"tokenize", func(o *options, _ int) []string {
		args := []string{o.python, filepath.Join(o.scripts, "tokenize.py"), filepath.Join(o.tokenizers, "captions-10k.txt")}
		for _, t := range tokenized() {
			args = append(args, t.name, o.vocabularyOf(t.folder))
		}
		return args
	}},
}

// run does every work on both sides, round after round.
func (o *options) run(ctx context.Context) (results, error) {
	r := results{map[string]measurement{}, map[string]measurement{}}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	if o.scripts, err = os.MkdirTemp("", "bench"); err != nil {
		return r, err
	}
	defer os.RemoveAll(o.scripts)
	for name, text := range map[string][]byte{"sgemm.py": sgemmScript, "photos.py": photosScript, "tokenize.py": tokenizeScript} {
		if err := os.WriteFile(filepath.Join(o.scripts, name), text, 0o666); err != nil {
			return r, err
		}
	}
	for round := range o.rounds {
		for _, w := range works {
			if !o.only.MatchString(w.name) || (w.name == "tokenize") != (o.tokenizers != "") {
				continue
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, o.rounds, w.name)
			own := []string{self, "-ours", w.name, "-checkpoint", o.checkpoint, "-data", o.data, "-vocab", o.vocab,
				"-tokenizers", o.tokenizers, "-vocabularies", o.vocabularies}
			if err := o.side(ctx, r.ours, own); err != nil {
				return r, err
			}
			if w.peer != nil {
				if err := o.side(ctx, r.peer, w.peer(o, round)); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}

// environment is ours without settings of the peers' libraries, for them to
// choose by the processor.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "OPENBLAS_") || strings.HasPrefix(v, "OMP_") || strings.HasPrefix(v, "MKL_")
	})
}

// side runs a command and joins what it prints to the results of rounds before.
func (o *options) side(ctx context.Context, best map[string]measurement, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = append(environment(), "PYTHONPATH="+o.peers)
	var failed bytes.Buffer
	cmd.Stderr = &failed
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, failed.String())
	}
	for line := range bytes.Lines(out) {
		var m measurement
		if err := json.Unmarshal(line, &m); err != nil || m.What == "" {
			return fmt.Errorf("%s printed %q, want a measurement", strings.Join(args, " "), line)
		}
		if b, ok := best[m.key()]; ok {
			m.Rate, m.RSS = max(m.Rate, b.Rate), max(m.RSS, b.RSS)
		}
		best[m.key()] = m
	}
	return nil
}
