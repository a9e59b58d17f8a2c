package tokenizer

import (
	"strings"
	"testing"
)

// TestNothing: a missing argument is an error that names it, and no panic.
func TestNothing(t *testing.T) {
	for name, c := range map[string]struct {
		load func() (*BPE, error)
		want string
	}{
		"TrainBPE":  {func() (*BPE, error) { return TrainBPE(nil, TrainOptions{VocabSize: 1000}) }, "tokenizer: captions is nil"},
		"LoadCLIP":  {func() (*BPE, error) { return LoadCLIP(nil, BPEOptions{}) }, "tokenizer: the file system is nil"},
		"LoadJSON":  {func() (*BPE, error) { return LoadJSON(nil, BPEOptions{}) }, "the reader is nil"},
		"LoadBPE":   {func() (*BPE, error) { return LoadBPE(nil, BPEOptions{}) }, "the reader is nil"},
		"LoadVocab": {func() (*BPE, error) { return LoadVocab(nil, nil, BPEOptions{}) }, "the reader is nil"},
	} {
		if _, err := c.load(); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %s", name, err, c.want)
		}
	}
}
