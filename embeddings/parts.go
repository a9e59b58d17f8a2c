package embeddings

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/output"
)

// settings are what all parts of a folder have in common, in its file goclip.json.
type settings struct {
	Version    int    `json:"goclip_embeddings"`
	Model      string `json:"model"` // its Fingerprint
	Dim        int    `json:"dim"`
	Normalized bool   `json:"normalized"` // always
	Format     Format `json:"format"`
	DType      string `json:"dtype"`
	PartSize   int    `json:"part_size"`
	Texts      bool   `json:"texts"`
	Upright    bool   `json:"upright"`
	Draft      int    `json:"draft,omitempty"`
	Truncated  bool   `json:"allow_truncated,omitempty"`
}

const (
	settingsName  = "goclip.json"
	receiptFolder = "parts"
	version       = 1
	maxSmallFile  = 1 << 20 // of settings and receipts
)

// readSettings are those of a folder; none, and no error, where there is no file.
func readSettings(dir string) (*settings, error) {
	name := filepath.Join(dir, settingsName)
	s := new(settings)
	if ok, err := readJSON(name, s); !ok || err != nil {
		return nil, err
	}
	if s.Version != version {
		return nil, fmt.Errorf("embeddings: %s: version %d, want %d", name, s.Version, version)
	}
	return s, nil
}

// readJSON reads a small file, if it is there.
func readJSON(name string, v any) (there bool, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case !info.Mode().IsRegular() || info.Size() > maxSmallFile:
		return true, fmt.Errorf("embeddings: %s: not a file of at most %d bytes", name, maxSmallFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return true, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return true, fmt.Errorf("embeddings: %s: %w", name, err)
	}
	return true, nil
}

func writeJSON(name string, v any) error {
	return journal.WriteFile(name, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}

// differences names the settings that are not the same.
func (s settings) differences(want settings) string {
	var list []string
	for _, c := range []struct {
		name     string
		got, was any
	}{
		{"the model", short(want.Model), short(s.Model)}, {"the embeddings' size", want.Dim, s.Dim}, {"the format", want.Format, s.Format}, {"the type of numbers", want.DType, s.DType},
		{"the part size", want.PartSize, s.PartSize}, {"embeddings of captions", want.Texts, s.Texts},
		{"upright", want.Upright, s.Upright}, {"draft", want.Draft, s.Draft}, {"allow truncated", want.Truncated, s.Truncated},
	} {
		if c.got != c.was {
			list = append(list, fmt.Sprintf("%s is %v, there %v", c.name, c.got, c.was))
		}
	}
	return strings.Join(list, "; ")
}

func short(id string) string { return id[:min(12, len(id))] }

// receipt says that a part is whole. It is written after all its files.
type receipt struct {
	Shard    string            `json:"shard"`
	Source   string            `json:"source"` // digest of what the part was made of
	Samples  int               `json:"samples"`
	Pictures int               `json:"pictures"`
	Failures int               `json:"failures"`
	Notes    int               `json:"notes,omitempty"`
	Cut      int               `json:"captions_cut,omitempty"`
	Last     bool              `json:"last"` // of its shard
	Files    map[string]digest `json:"files"`
}

type digest struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

func receiptName(dir, part string) string { return filepath.Join(dir, receiptFolder, part+".json") }

// readReceipt returns the receipt of a part, nil where there is none, and whether all its
// files are as they were written.
func readReceipt(dir, part string) (r *receipt, whole bool, err error) {
	r = new(receipt)
	there, err := readJSON(receiptName(dir, part), r)
	if !there || err != nil {
		return nil, false, err
	}
	for name, want := range r.Files {
		if !filepath.IsLocal(name) {
			return nil, false, fmt.Errorf("embeddings: %s names %q", receiptName(dir, part), name)
		}
		if got, err := digestOf(filepath.Join(dir, filepath.FromSlash(name))); err != nil || got != want {
			return r, false, nil
		}
	}
	return r, true, nil
}

func digestOf(name string) (digest, error) {
	f, err := os.Open(name)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return digest{n, hexOf(h)}, err
}

func hexOf(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// writeFile writes one file of a part, beside its place and then renamed.
func writeFile(dir string, f file) (d digest, err error) {
	name := filepath.Join(dir, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return d, err
	}
	h := sha256.New()
	err = journal.WriteFile(name, func(w io.Writer) error {
		c := &counted{w: io.MultiWriter(w, h)}
		err := f.write(c)
		d.Bytes = c.n
		return err
	})
	d.SHA256 = hexOf(h)
	return d, err
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func kind() output.Kind {
	return output.Kind{Name: "a folder of goclip's embeddings", Folder: true, Is: func(dir string) bool {
		s, err := readSettings(dir)
		return s != nil && err == nil
	}}
}

// Free is an error where embeddings may not be written to dir: where there is something else
// than goclip's embeddings, or it lies in one of the sets.
func Free(dir string, sets ...string) error {
	if err := output.Free(dir, kind(), true); err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	if err := output.Outside(dir, sets...); err != nil {
		return fmt.Errorf("embeddings: %w", err)
	}
	return nil
}

// removeParts removes all parts, and nothing that no receipt names.
func removeParts(dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, receiptFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	remove := func(name string) {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, e := range entries {
		part, ok := strings.CutSuffix(e.Name(), ".json")
		r := new(receipt)
		if there, err := readJSON(receiptName(dir, part), r); !ok || !there || err != nil {
			continue
		}
		remove(receiptName(dir, part)) // first, so that what is left is no whole part
		for _, name := range slices.Sorted(maps.Keys(r.Files)) {
			if filepath.IsLocal(name) {
				remove(filepath.Join(dir, filepath.FromSlash(name)))
			}
		}
	}
	return errors.Join(errs...)
}
