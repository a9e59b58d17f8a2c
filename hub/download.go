package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Download asks the hub for a model and fetches what the cache has not got of it: its
// configuration, tokenizer, card and the best weights. An interrupted download goes on where
// it ended. The same call in two processes downloads once.
//
// For a tag of open_clip's whose repository is not to be had, the weights come from the
// address that open_clip had for them before, into the folder where it kept them.
//
// A path that exists is returned as it is.
func (c *Client) Download(ctx context.Context, name string) (*Model, error) {
	s, err := Resolve(name)
	if err != nil {
		return nil, err
	}
	if s.Path != "" {
		return &Model{Name: name, Path: s.Path}, nil
	}
	m, err := c.download(ctx, name, s)
	if err != nil {
		return nil, fmt.Errorf("hub: %s: %w", name, err)
	}
	if s.Image != "" {
		m.Image, err = c.Download(ctx, s.Image)
	}
	return m, err
}

func (c *Client) download(ctx context.Context, name string, s Source) (*Model, error) {
	call, err := c.caller(name)
	if err != nil {
		return nil, err
	}
	err = call.repository(ctx, s)
	if s.Tag != nil && s.Tag.URL != "" && (errors.Is(err, ErrNotFound) || errors.Is(err, ErrDenied)) {
		if elsewhere := call.fromURL(ctx, *s.Tag); elsewhere != nil {
			err = fmt.Errorf("%s: %w; %s: %w", s.Repo, err, s.Tag.URL, elsewhere)
		} else {
			err = call.vocabulary(ctx, s, "")
		}
	}
	if err != nil {
		return nil, err
	}
	return c.find(name, s)
}

// repository fetches what is wanted of one.
func (c *caller) repository(ctx context.Context, s Source) error {
	l, err := c.list(ctx, s)
	if err != nil {
		return err
	}
	wanted, err := choose(s, l.names())
	if err != nil {
		return err
	}
	r := repository{c.cacheDir(), s.Repo}
	if err := c.begin(r, s.Revision, l); err != nil {
		return err
	}
	indexes := slices.DeleteFunc(slices.Clone(wanted.weights), func(name string) bool { return !isIndex(name) })
	small, err := c.fill(ctx, s, l, slices.Concat(wanted.small, indexes))
	if err != nil {
		return err
	}
	weights, err := c.fill(ctx, s, l, slices.DeleteFunc(wanted.weights, isIndex))
	if err != nil {
		return err
	}
	if err := c.expect(small, weights); err != nil {
		return err
	}
	if err := c.fetchAll(ctx, r, l.commit, small); err != nil {
		return err
	}
	for _, index := range indexes {
		text, err := readUpTo(filepath.Join(r.snapshot(l.commit), filepath.FromSlash(index)), maxIndex)
		if err != nil {
			return err
		}
		names, err := shards(index, text)
		if err != nil {
			return err
		}
		more, err := c.fill(ctx, s, l, names)
		if err != nil {
			return err
		}
		if err := c.expect(more); err != nil {
			return err
		}
		weights = append(weights, more...)
	}
	if err := c.vocabulary(ctx, s, l.commit); err != nil {
		return err
	}
	return c.fetchAll(ctx, r, l.commit, weights)
}

// expect adds the sizes of files to the whole, which has a limit.
func (c *caller) expect(files ...[]remote) error {
	for _, f := range slices.Concat(files...) {
		if f.size > c.maxBytes()-c.state.Total {
			return fmt.Errorf("its files are more than %s, want at most that (Client.MaxBytes)", bytesOf(c.maxBytes()))
		}
		c.state.Total += f.size
	}
	return nil
}

// begin makes a repository's folder and keeps what its revision stands for.
func (c *caller) begin(r repository, revision string, l listing) error {
	if err := os.MkdirAll(filepath.Join(r.dir(), "blobs"), 0o777); err != nil {
		return err
	}
	for _, name := range slices.Concat(configurations, tokenizers) {
		if _, ok := l.files[name]; !ok {
			r.setAbsent(l.commit, name)
		}
	}
	return r.setCommit(revision, l.commit)
}

// fill asks for what a listing left open of files.
func (c *caller) fill(ctx context.Context, s Source, l listing, names []string) ([]remote, error) {
	var files []remote
	for _, name := range names {
		f, ok := l.files[name]
		if !ok {
			f.name = name // a shard that a probe did not know of
		}
		if f.etag == "" {
			var commit string
			var err error
			if f, commit, err = c.head(ctx, s.Repo, l.commit, name); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			if commit != l.commit {
				return nil, fmt.Errorf("%s is of commit %s, want %s", name, commit, l.commit)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

func (c *caller) fetchAll(ctx context.Context, r repository, commit string, files []remote) error {
	for _, f := range files {
		c.state.File = f.name
		if err := c.fetch(ctx, r, commit, f); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		c.tell("")
	}
	return nil
}

// fetch makes a file of a repository be in the cache.
func (c *caller) fetch(ctx context.Context, r repository, commit string, f remote) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !plainName(f.name) || !plainETag(f.etag) {
		return fmt.Errorf("%.100q with the hash %.80q is no name of a file", f.name, f.etag)
	}
	at := filepath.Join(r.snapshot(commit), filepath.FromSlash(f.name))
	if size(at) == f.size {
		c.state.Done += f.size
		return nil
	}
	release, err := lock(ctx, r.lock(f.etag), func() { c.tell("another process is downloading it") })
	if err != nil {
		return err
	}
	defer release()
	blob := r.blob(f.etag)
	if size(at) == f.size { // put there meanwhile
		c.state.Done += f.size
		return nil
	}
	if size(blob) == f.size {
		c.state.Done += f.size
		return r.place(f.etag, commit, f.name, false)
	}
	if err := c.download(ctx, target{c.address(r.name, commit, f.name), blob, f.size, f.etag}); err != nil {
		return err
	}
	return r.place(f.etag, commit, f.name, true)
}

// size of a regular file, or -1.
func size(path string) int64 {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return info.Size()
	}
	return -1
}

// fromURL fetches the weights of a tag as open_clip did before they were on the hub.
func (c *caller) fromURL(ctx context.Context, t Tag) error {
	at := c.openCLIPFile(t)
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	release, err := lock(ctx, at+".lock", func() { c.tell("another process is downloading it") })
	if err != nil {
		return err
	}
	defer release()
	if c.checkOpenCLIP(t) == nil {
		return nil
	}
	c.state.File = filepath.Base(at)
	return c.download(ctx, target{t.URL, at, -1, t.SHA256()})
}

// vocabularySource is the repository of a model's tokenizer where its own has none, which
// only open_clip's may: CLIP's own tokenizer is part of that program.
func vocabularySource(s Source, dir string) Source {
	if !s.OpenCLIP || dir != "" && hasTokenizer(dir) {
		return Source{}
	}
	name := ""
	if dir != "" {
		var config struct {
			Model struct {
				Text struct {
					Tokenizer string `json:"hf_tokenizer_name"`
				} `json:"text_cfg"`
			} `json:"model_cfg"`
		}
		text, err := readUpTo(filepath.Join(dir, "open_clip_config.json"), 1<<20)
		if err == nil && json.Unmarshal(text, &config) == nil {
			name = config.Model.Text.Tokenizer
		}
	}
	if name == "" && s.Tag != nil {
		name = s.Tag.Tokenizer
	}
	v := Source{Repo: firstOf(name, clipVocabulary), Revision: "main"}
	if v.Repo == s.Repo || v.check() != nil {
		return Source{}
	}
	return v
}

// clipVocabulary has CLIP's vocab.json and merges.txt.
const clipVocabulary = "openai/clip-vit-base-patch32"

// hasTokenizer reports whether a folder has any tokenizer's files.
func hasTokenizer(dir string) bool {
	for _, name := range tokenizers {
		if !strings.HasSuffix(name, "_config.json") && !strings.HasSuffix(name, "_map.json") && name != "added_tokens.json" &&
			size(filepath.Join(dir, name)) >= 0 {
			return true
		}
	}
	return false
}

// vocabulary fetches the tokenizer of a model whose own repository has none.
func (c *caller) vocabulary(ctx context.Context, s Source, commit string) error {
	dir := ""
	if commit != "" {
		dir = repository{c.cacheDir(), s.Repo}.snapshot(commit)
	}
	v := vocabularySource(s, dir)
	if v.Repo == "" || c.cachedVocabulary(v) != "" {
		return nil
	}
	l, err := c.list(ctx, v)
	if err != nil {
		return fmt.Errorf("the tokenizer's files, %s: %w", v.Repo, err)
	}
	r := repository{c.cacheDir(), v.Repo}
	if err := c.begin(r, v.Revision, l); err != nil {
		return err
	}
	has := slices.DeleteFunc(slices.Concat(tokenizers, cards), func(name string) bool { _, ok := l.files[name]; return !ok })
	files, err := c.fill(ctx, v, l, has)
	if err != nil {
		return fmt.Errorf("the tokenizer's files, %s: %w", v.Repo, err)
	}
	if err := c.expect(files); err != nil {
		return err
	}
	if err := c.fetchAll(ctx, r, l.commit, files); err != nil {
		return fmt.Errorf("the tokenizer's files, %s: %w", v.Repo, err)
	}
	return nil
}
