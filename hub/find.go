package hub

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/encoder"
)

// Find looks for a model on this machine alone: in the cache, and for a tag of open_clip's
// also where open_clip kept weights before. A path is returned whether it exists or not,
// since loading it says best what is wrong. What is not there fails with [ErrNotFound].
func (c *Client) Find(name string) (*Model, error) {
	s, err := Resolve(name)
	if err != nil {
		return nil, err
	}
	if s.Path != "" {
		return &Model{Name: name, Path: s.Path}, nil
	}
	m, err := c.find(name, s)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", name, err)
	}
	return m, nil
}

func (c *Client) find(name string, s Source) (*Model, error) {
	m, err := c.cached(name, s)
	if err != nil && s.Tag != nil && s.Tag.URL != "" && errors.Is(err, ErrNotFound) {
		if bad := c.checkOpenCLIP(*s.Tag); bad == nil {
			at := c.openCLIPFile(*s.Tag)
			m, err = &Model{Name: name, Path: at, Revision: s.Revision, Bytes: max(0, size(at)), tag: s.Tag}, nil
		} else if !errors.Is(bad, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrNotFound, bad)
		}
	}
	if err != nil {
		return nil, err
	}
	dir := m.Path
	if m.Repo == "" {
		dir = ""
	}
	if v := vocabularySource(s, dir); v.Repo != "" {
		m.Vocabulary = c.cachedVocabulary(v)
		m.partial = m.partial || m.Vocabulary == ""
		m.VocabularyLicense = readLicense(m.Vocabulary)
	}
	return m, nil
}

// cached looks for a repository in the cache.
func (c *Client) cached(name string, s Source) (*Model, error) {
	r := repository{c.cacheDir(), s.Repo}
	commit := r.commit(s.Revision)
	if commit == "" {
		return nil, fmt.Errorf("%w: the cache has no %s of %s (%s)", ErrNotFound, s.Revision, s.Repo, r.dir())
	}
	sizes, err := r.files(commit)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(sizes) == 0 {
		return nil, fmt.Errorf("%w: the cache has no files of commit %s of %s", ErrNotFound, commit, s.Repo)
	}
	if err != nil {
		return nil, err
	}
	dir := r.snapshot(commit)
	chosen, err := choose(s, slices.Sorted(maps.Keys(sizes)))
	if err != nil {
		return nil, fmt.Errorf("%w: the cache has no weights of %s at commit %s", ErrNotFound, s.Repo, commit)
	}
	for _, index := range slices.DeleteFunc(chosen.weights, func(n string) bool { return !isIndex(n) }) {
		text, err := readUpTo(filepath.Join(dir, filepath.FromSlash(index)), maxIndex)
		if err != nil {
			return nil, err
		}
		files, err := shards(index, text)
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			if _, ok := sizes[f]; !ok {
				return nil, fmt.Errorf("%w: the cache has no %s of %s at commit %s", ErrNotFound, f, s.Repo, commit)
			}
		}
	}
	m := &Model{Name: name, Path: dir, Repo: s.Repo, Revision: s.Revision, Commit: commit, License: readLicense(dir), tag: s.Tag}
	for _, n := range sizes {
		m.Bytes += n
	}
	m.partial = !s.OpenCLIP && !hasTokenizer(dir) && !(r.absent(commit, "tokenizer.json") && r.absent(commit, "vocab.json"))
	return m, nil
}

// cachedVocabulary is the folder of a tokenizer's files in the cache, or nothing.
func (c *Client) cachedVocabulary(v Source) string {
	r := repository{c.cacheDir(), v.Repo}
	if commit := r.commit(v.Revision); commit != "" && hasTokenizer(r.snapshot(commit)) {
		return r.snapshot(commit)
	}
	return ""
}

// openCLIPFile is where open_clip keeps the weights of a tag that it downloads by an address.
func (c *Client) openCLIPFile(t Tag) string {
	return filepath.Join(c.openCLIPDir(), path.Base(t.URL))
}

// checkOpenCLIP compares that file with the hash in its address, as open_clip does at each use.
func (c *Client) checkOpenCLIP(t Tag) error {
	at := c.openCLIPFile(t)
	info, err := os.Stat(at)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", at)
	}
	f, err := os.Open(at)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.HasPrefix(got, t.SHA256()) {
		return fmt.Errorf("%w: %s has the SHA-256 %s, want one that begins with %s; remove it", ErrCorrupt, at, got, t.SHA256())
	}
	return nil
}

// Load loads a model that was found.
func (m *Model) Load(opts *encoder.Options) (*encoder.Model, error) {
	return encoder.Load(m.Path, m.Options(opts))
}

// Options are opts with what [encoder.Load] must know to load the model from its Path: where the tokenizer is, and
// which of open_clip's configurations the weights are of.
func (m *Model) Options(opts *encoder.Options) *encoder.Options {
	var o encoder.Options
	if opts != nil {
		o = *opts
	}
	if m.Vocabulary != "" && o.Vocabulary == nil {
		o.Vocabulary = os.DirFS(m.Vocabulary)
	}
	if m.tag != nil && o.Architecture == "" {
		o.Architecture = m.tag.Architecture()
	}
	return &o
}

// List describes the models in the cache, each at each commit, by the order of their names, and the weights
// that open_clip keeps elsewhere. Whether goclip could load them it does not know.
func (c *Client) List() ([]Model, error) {
	entries, err := os.ReadDir(c.cacheDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []Model
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), modelPrefix)
		if !ok {
			continue
		}
		r := repository{c.cacheDir(), strings.ReplaceAll(name, "--", "/")}
		snapshots, err := os.ReadDir(filepath.Join(r.dir(), "snapshots"))
		if err != nil {
			continue // begun, and no file is there yet
		}
		refs := r.refs()
		for _, snapshot := range snapshots {
			commit := snapshot.Name()
			sizes, err := r.files(commit)
			if err != nil || len(sizes) == 0 {
				continue
			}
			m := Model{Name: r.name, Path: r.snapshot(commit), Repo: r.name, Revision: strings.Join(refs[commit], ", "), Commit: commit, License: readLicense(r.snapshot(commit))}
			for _, n := range sizes {
				m.Bytes += n
			}
			all = append(all, m)
		}
	}
	for _, t := range Tags() {
		at := c.openCLIPFile(t)
		if n := size(at); t.URL != "" && n >= 0 && !slices.ContainsFunc(all, func(m Model) bool { return m.Path == at }) {
			all = append(all, Model{Name: t.Name(), Path: at, Bytes: n})
		}
	}
	return all, nil
}

// refs are the branches and tags of each commit.
func (r repository) refs() map[string][]string {
	names, dir := map[string][]string{}, filepath.Join(r.dir(), "refs")
	_ = filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		rel, err2 := filepath.Rel(dir, at)
		if err == nil && err2 == nil && e.Type().IsRegular() {
			if commit := r.commit(filepath.ToSlash(rel)); commit != "" {
				names[commit] = append(names[commit], filepath.ToSlash(rel))
			}
		}
		return nil // what cannot be read names nothing
	})
	return names
}
