package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/goclip/goclip/internal/journal"
)

// repository is the folder of one in the cache, as huggingface_hub lays it out:
//
//	models--timm--ViT-B-16-SigLIP2/
//	    blobs/<etag>                     the files, by their hashes
//	    snapshots/<commit>/config.json   a link to ../../blobs/<etag>
//	    refs/main                        the commit that a branch or tag stood for
//	    .no_exist/<commit>/vocab.json    an empty file: the commit has no such file
//
// Without links, as on most machines with Windows, the files themselves are in snapshots.
type repository struct {
	cache string
	name  string // timm/ViT-B-16-SigLIP2
}

const modelPrefix = "models--"

func (r repository) folder() string { return modelPrefix + strings.ReplaceAll(r.name, "/", "--") }
func (r repository) dir() string    { return filepath.Join(r.cache, r.folder()) }

func (r repository) blob(etag string) string { return filepath.Join(r.dir(), "blobs", etag) }

func (r repository) snapshot(commit string) string {
	return filepath.Join(r.dir(), "snapshots", commit)
}

func (r repository) lock(etag string) string {
	return filepath.Join(r.cache, ".locks", r.folder(), etag+".lock")
}

// commit is what a revision stands for by the cache, or nothing.
func (r repository) commit(revision string) string {
	text, err := readUpTo(filepath.Join(r.dir(), "refs", filepath.FromSlash(revision)), 1<<10)
	if commit := strings.TrimSpace(string(text)); err == nil && commitHash.MatchString(commit) {
		return commit
	}
	if commitHash.MatchString(revision) {
		return revision
	}
	return ""
}

// setCommit keeps what a revision stands for.
func (r repository) setCommit(revision, commit string) error {
	if revision == commit || r.commit(revision) == commit {
		return nil
	}
	ref := filepath.Join(r.dir(), "refs", filepath.FromSlash(revision))
	if err := os.MkdirAll(filepath.Dir(ref), 0o777); err != nil {
		return err
	}
	return journal.WriteFile(ref, func(w io.Writer) error {
		_, err := io.WriteString(w, commit)
		return err
	})
}

// files lists a snapshot with the files' sizes.
func (r repository) files(commit string) (map[string]int64, error) {
	dir, sizes := r.snapshot(commit), map[string]int64{}
	err := filepath.WalkDir(dir, func(at string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := os.Stat(at)
		if err != nil || !info.Mode().IsRegular() {
			return nil // a link whose blob is gone
		}
		rel, err := filepath.Rel(dir, at)
		if err == nil {
			sizes[filepath.ToSlash(rel)] = info.Size()
		}
		if len(sizes) > maxFiles {
			return fmt.Errorf("%s has more than %d files", dir, maxFiles)
		}
		return err
	})
	return sizes, err
}

// absent reports whether a commit is known to have no such file.
func (r repository) absent(commit, name string) bool {
	_, err := os.Stat(filepath.Join(r.dir(), ".no_exist", commit, filepath.FromSlash(name)))
	return err == nil
}

// setAbsent keeps that a commit has no such file. Nothing depends on it.
func (r repository) setAbsent(commit, name string) {
	at := filepath.Join(r.dir(), ".no_exist", commit, filepath.FromSlash(name))
	if os.MkdirAll(filepath.Dir(at), 0o777) != nil {
		return
	}
	if f, err := os.OpenFile(at, os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
		_ = f.Close()
	}
}

// place makes a blob a file of a snapshot: by a link, and where there are none by moving
// a new blob and copying an old one, as huggingface_hub does.
func (r repository) place(etag, commit, name string, isNew bool) error {
	blob, at := r.blob(etag), filepath.Join(r.snapshot(commit), filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
		return err
	}
	err := errors.ErrUnsupported
	if !isTrue("HF_HUB_DISABLE_SYMLINKS") {
		target := filepath.Join(strings.Repeat(".."+string(filepath.Separator), 2+strings.Count(name, "/")), "blobs", etag)
		err = os.Symlink(target, at)
		if errors.Is(err, fs.ErrExist) {
			if _, err := os.Stat(at); err == nil {
				return nil
			}
			err = errors.Join(os.Remove(at), os.Symlink(target, at)) // its blob was gone
		}
	}
	switch {
	case err == nil:
		return nil
	case isNew:
		return os.Rename(blob, at)
	}
	return copyFile(blob, at)
}

func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return journal.WriteFile(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// The limits of what a repository may hold.
const (
	maxFiles = 100_000 // listed
	maxName  = 1024    // bytes of a file's name
)

// plainName reports whether a file's name, which a server chose, is a path below the
// folder that it is put in, here and on Windows.
func plainName(name string) bool {
	if name == "" || len(name) > maxName || path.Clean(name) != name || path.IsAbs(name) || strings.ContainsAny(name, "\\:\x00") {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "." || part == ".." || strings.TrimRight(part, ". ") != part {
			return false
		}
	}
	return filepath.IsLocal(filepath.FromSlash(name))
}

// plainETag reports whether a hash, which a server chose, is the name of a blob that can
// be checked.
func plainETag(etag string) bool {
	return hexadecimal.MatchString(etag) && (len(etag) == 40 || len(etag) == 64)
}

// readUpTo reads a regular file of at most limit bytes.
func readUpTo(name string, limit int64) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAllUpTo(f, limit, name)
}

func readAllUpTo(r io.Reader, limit int64, what string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", what, limit)
	}
	return text, err
}
