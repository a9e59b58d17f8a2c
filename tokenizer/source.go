package tokenizer

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goclip/goclip/internal/output"
)

// A source is the files that a tokenizer was loaded from. They are not kept, and so must
// be as they were when the tokenizer is saved.
type source struct {
	fsys fs.FS
	sums map[string][sha256.Size]byte

	options  HuggingFaceOptions
	encoding string // tiktoken's name, where the rest is as follows
	tikToken TikTokenOptions
}

// sourceFiles are the names of what a tokenizer may be loaded from, and of what says how.
func sourceFiles() []string {
	return []string{
		tokenizerFile, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", wordsFile, vocabFile, mergesFile,
		"spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
	}
}

// sourceOf takes the sums of those files that are there.
func sourceOf(fsys fs.FS, names []string) (*source, error) {
	s := &source{fsys: fsys, sums: map[string][sha256.Size]byte{}}
	for _, name := range names {
		data, err := readFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return s, in(name, err)
		}
		s.sums[name] = sha256.Sum256(data)
	}
	return s, nil
}

// Options returns what [LoadHuggingFace] loaded the tokenizer with; ok is false where it
// was made otherwise.
func (f *Framed) Options() (o HuggingFaceOptions, ok bool) {
	if f.source == nil || f.source.encoding != "" {
		return o, false
	}
	return f.source.options, true
}

// Save writes the files that the tokenizer was loaded from, by [LoadHuggingFace] or
// [LoadTikToken], into dir, byte for byte. It reads them
// again: that they have changed or gone is an error. The options are not in these files.
// Files of these names that say something else are never replaced.
func (f *Framed) Save(dir string) error {
	if f.source == nil {
		return errors.New("tokenizer: it was not loaded from files, which could be saved")
	}
	files := map[string][]byte{}
	for name, sum := range f.source.sums {
		data, err := readFile(f.source.fsys, name)
		if err == nil && sha256.Sum256(data) != sum {
			err = errors.New("it is not the file any more that was loaded")
		}
		if err != nil {
			return fmt.Errorf("tokenizer: %s: %w", name, err)
		}
		files[name] = data
	}
	return saveFiles(dir, files)
}

// saveFiles writes the files of one tokenizer: all, or where one would replace another
// file none.
func saveFiles(dir string, files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	for _, name := range names {
		same := func(path string) bool {
			there, err := os.ReadFile(path)
			return err == nil && bytes.Equal(there, files[name])
		}
		if err := output.Free(filepath.Join(dir, name), output.Kind{Name: "this tokenizer's", Is: same}, true); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), files[name], 0o666); err != nil {
			return fmt.Errorf("tokenizer: %w", err)
		}
	}
	return nil
}
