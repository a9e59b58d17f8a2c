package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"

	"github.com/goclip/goclip/tokenizer"
)

// tokenized are the tokenizers that are timed: each side has the same files, captions and
// one thread, and is charged with its processor time.
func tokenized() []struct{ name, folder string } {
	return []struct{ name, folder string }{
		{"Unigram 32k", "t5-small"}, {"BPE 256k", "gemma-256k"}, {"WordPiece 30k", "bert-base-uncased"}, {"byte-level BPE 50k", "roberta-base"},
	}
}

// vocabularyOf returns the folder of a tokenizer: in the set, or where those are that are
// too large for it.
func (o *options) vocabularyOf(folder string) string {
	if dir := filepath.Join(o.tokenizers, folder); exists(filepath.Join(dir, "tokenizer.json")) {
		return dir
	}
	return filepath.Join(o.vocabularies, folder)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// tokenize does our side: tokens a second, special ones included, and loading.
func (o *options) tokenize() error {
	runtime.GOMAXPROCS(1)
	captions, err := os.ReadFile(filepath.Join(o.tokenizers, "captions-10k.txt"))
	if err != nil {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(captions), []byte("\n"))
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = string(line)
	}
	for _, t := range tokenized() {
		fsys := os.DirFS(o.vocabularyOf(t.folder))
		loading, spent := math.Inf(1), 0.0
		var p *tokenizer.Pipeline
		for range 3 {
			p = nil
			debug.FreeOSMemory()
			began := processorTime()
			if p, err = tokenizer.Load(fsys); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			loading = min(loading, processorTime()-began)
		}
		var ids []int32
		fastest := math.Inf(1)
		for range 6 {
			began, n := processorTime(), 0
			for _, s := range texts {
				if ids, err = p.IDs(ids[:0], s, true); err != nil {
					return err
				}
				n += len(ids)
			}
			spent = processorTime() - began
			fastest = min(fastest, spent/float64(n))
		}
		if err := print(t.name, 0, 1/fastest/1e6); err != nil {
			return err
		}
		if err := print("loading "+t.name, 0, 1/loading); err != nil {
			return err
		}
	}
	return nil
}
