package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/tokenizer"
)

// tokenizers give the ids of all captions of a folder, special ones included; loading-NAME
// loads the tokenizer. One that is not in the folder is looked for beside the root.
func tokenizers(root, folder string) (maker, error) {
	captions, err := os.ReadFile(filepath.Join(folder, "captions-10k.txt"))
	if err != nil {
		return nil, err
	}
	texts := strings.Split(strings.TrimSpace(string(captions)), "\n")
	return func(name string) (work, error) {
		name, loading := strings.CutPrefix(name, "loading-")
		dir := filepath.Join(folder, name)
		if _, err := os.Stat(filepath.Join(dir, "tokenizer.json")); err != nil {
			dir = filepath.Join(root, "..", "vocabularies", name)
		}
		p, err := tokenizer.Load(os.DirFS(dir))
		var ids []int32
		return func() ([]float32, error) {
			ids = ids[:0]
			if loading {
				if p, err = tokenizer.Load(os.DirFS(dir)); err != nil {
					return nil, err
				}
				return []float32{float32(p.VocabSize())}, nil
			}
			for _, s := range texts {
				if ids, err = p.IDs(ids, s, true); err != nil {
					return nil, err
				}
			}
			return []float32{float32(len(ids))}, nil
		}, err
	}, nil
}
