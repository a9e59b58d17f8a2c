package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// remote is a file of a repository, as the server announces it.
type remote struct {
	name string
	etag string // SHA-256 of a large file, git's SHA-1 of a small one; empty where not known yet
	size int64
}

// listing is the files of a repository at one commit.
type listing struct {
	commit string
	files  map[string]remote
}

func (l listing) names() []string { return slices.Sorted(maps.Keys(l.files)) }

// list asks which files a repository has. Where the server has no such call, as some
// mirrors have not, it asks for each file that a model could have.
func (c *caller) list(ctx context.Context, s Source) (listing, error) {
	address := c.base + "/api/models/" + s.Repo + "/revision/" + url.PathEscape(s.Revision) + "?blobs=true"
	answer, err := c.do(ctx, http.MethodGet, address, nil, false)
	var status statusError
	if errors.As(err, &status) && (status.code == http.StatusNotFound || status.code == http.StatusMethodNotAllowed) && status.errorCode() == "" {
		return c.probe(ctx, s, err)
	}
	if err != nil {
		return listing{}, err
	}
	defer answer.Body.Close()
	text, err := readAllUpTo(answer.Body, maxListing, "the list of files")
	if err != nil {
		return listing{}, err
	}
	return parseListing(text)
}

const maxListing = 32 << 20

// parseListing reads what the hub says about a repository.
func parseListing(text []byte) (listing, error) {
	var info struct {
		SHA      string `json:"sha"`
		Siblings []struct {
			Name string `json:"rfilename"`
			Size *int64 `json:"size"`
			Blob string `json:"blobId"`
			LFS  *struct {
				SHA256 string `json:"sha256"`
				Size   int64  `json:"size"`
			} `json:"lfs"`
		} `json:"siblings"`
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return listing{}, fmt.Errorf("the list of files: %w", err)
	}
	if !commitHash.MatchString(info.SHA) {
		return listing{}, fmt.Errorf("the list of files is of the commit %.60q, want 40 hexadecimal digits", info.SHA)
	}
	if len(info.Siblings) > maxFiles {
		return listing{}, fmt.Errorf("the repository has %d files, want at most %d", len(info.Siblings), maxFiles)
	}
	l := listing{info.SHA, map[string]remote{}}
	for _, f := range info.Siblings {
		if !plainName(f.Name) {
			continue // nothing of ours has such a name
		}
		r := remote{name: f.Name}
		switch {
		case f.LFS != nil:
			r.etag, r.size = f.LFS.SHA256, f.LFS.Size
		case f.Size != nil:
			r.etag, r.size = f.Blob, *f.Size
		}
		if !plainETag(r.etag) || r.size < 0 {
			r.etag, r.size = "", 0 // asked for later
		}
		l.files[f.Name] = r
	}
	return l, nil
}

// probe asks for each file that a model could have.
func (c *caller) probe(ctx context.Context, s Source, unlisted error) (listing, error) {
	l := listing{files: map[string]remote{}}
	for _, name := range candidates(s) {
		f, commit, err := c.head(ctx, s.Repo, s.Revision, name)
		var status statusError
		switch {
		case errors.As(err, &status) && status.code == http.StatusNotFound && (status.errorCode() == "EntryNotFound" || status.errorCode() == ""):
			continue
		case err != nil:
			return listing{}, err
		}
		if l.commit = firstOf(l.commit, commit); l.commit != commit {
			return listing{}, errors.New("the repository changed meanwhile")
		}
		l.files[name] = f
	}
	if len(l.files) == 0 {
		return listing{}, unlisted
	}
	return l, nil
}

// head asks what the server has under a name.
func (c *caller) head(ctx context.Context, repo, revision, name string) (f remote, commit string, err error) {
	// A redirect to another host says all of the file that the hub knows.
	answer, err := c.do(ctx, http.MethodHead, c.address(repo, revision, name), nil, true)
	if err != nil {
		return remote{}, "", err
	}
	defer answer.Body.Close()
	h := answer.Header
	f = remote{name: name, size: -1}
	f.etag = strings.Trim(strings.TrimPrefix(firstOf(h.Get("X-Linked-Etag"), h.Get("ETag")), "W/"), `"`)
	size := h.Get("X-Linked-Size")
	if size == "" && answer.StatusCode < 300 {
		size = h.Get("Content-Length")
	}
	if n, err := strconv.ParseInt(size, 10, 64); err == nil && n >= 0 {
		f.size = n
	}
	commit = h.Get("X-Repo-Commit")
	switch {
	case !commitHash.MatchString(commit):
		err = fmt.Errorf("%s: the server does not say of which commit it is (X-Repo-Commit), so it is no hub; is HF_ENDPOINT right?", name)
	case !plainETag(f.etag):
		err = fmt.Errorf("%s: the server's ETag is %.80q, neither a SHA-256 nor git's SHA-1, so the file could not be checked", name, f.etag)
	case f.size < 0:
		err = fmt.Errorf("%s: the server does not say how large it is", name)
	}
	return f, commit, err
}

// address is where a file is.
func (c *caller) address(repo, revision, name string) string {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return c.base + "/" + repo + "/resolve/" + url.PathEscape(revision) + "/" + strings.Join(parts, "/")
}
