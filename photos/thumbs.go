package photos

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/goclip/goclip/internal/recordlog"
)

// thumbsKind begins a file of thumbnails; each record is a SHA-256 and a JPEG.
const thumbsKind = "goclip thumbnails 1"

// maxThumb bounds a record.
const maxThumb = sha256.Size + thumbBytes

// Thumbs are the thumbnails of a library: JPEGs of at most 256 pixels a side and 64 KiB, by
// the SHA-256 of the photographs' files. Methods may be called from several goroutines.
type Thumbs struct {
	mu   sync.RWMutex
	at   map[[sha256.Size]byte]recordlog.Span
	path string
	r    io.ReaderAt
	file io.Closer
	w    *recordlog.Writer
}

// ThumbsPath is the file of a library's thumbnails.
func ThumbsPath(index string) string { return index + ".thumbs" }

// OpenThumbs opens the thumbnails of a library, those that are there at the moment; a library
// without any has none.
func OpenThumbs(index string) (*Thumbs, error) {
	t := &Thumbs{at: map[[sha256.Size]byte]recordlog.Span{}, path: ThumbsPath(index)}
	f, err := openRegular(t.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return t, nil
	case err != nil:
		return nil, fmt.Errorf("photos: %w", err)
	}
	if _, err := t.scan(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	t.r, t.file = f, f
	return t, nil
}

// scan finds the records.
func (t *Thumbs) scan(f *os.File) (end int64, err error) {
	info, err := f.Stat()
	if err == nil {
		end, err = recordlog.Scan(f, info.Size(), thumbsKind, maxThumb, sha256.Size, func(at recordlog.Span, begins []byte) error {
			if len(begins) == sha256.Size {
				t.at[[sha256.Size]byte(begins)] = at
			}
			return nil
		})
	}
	if err != nil {
		return end, fmt.Errorf("photos: %s: %w", f.Name(), err)
	}
	return end, nil
}

// openRegular opens a regular file: a pipe would wait for a writer.
func openRegular(path string) (*os.File, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	return os.Open(path)
}

// append opens the thumbnails to add to them.
func appendThumbs(index string) (*Thumbs, error) {
	t := &Thumbs{at: map[[sha256.Size]byte]recordlog.Span{}, path: ThumbsPath(index)}
	f, err := openRegular(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		t.w, err = recordlog.Create(t.path, thumbsKind)
	} else if err == nil {
		var end int64
		end, err = t.scan(f)
		err = errors.Join(err, f.Close())
		if err == nil {
			t.w, err = recordlog.Continue(t.path, end)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("photos: %w", err)
	}
	t.r, t.file = t.w, t.w
	return t, nil
}

// Len is the number of thumbnails.
func (t *Thumbs) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.at)
}

// Get returns the JPEG of the photograph whose file has the SHA-256, in hexadecimal digits as
// [Photo] has it. It is fs.ErrNotExist where there is none, or it is damaged.
func (t *Thumbs) Get(sha string) ([]byte, error) {
	key, ok := digest(sha)
	t.mu.RLock()
	defer t.mu.RUnlock()
	at, there := t.at[key]
	if !ok || !there || t.r == nil {
		return nil, fs.ErrNotExist
	}
	record, err := recordlog.Read(t.r, at)
	if errors.Is(err, recordlog.ErrDamaged) || err == nil && (len(record) < sha256.Size || [sha256.Size]byte(record) != key) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("photos: %s: %w", t.path, err)
	}
	return record[sha256.Size:], nil
}

func (t *Thumbs) has(sha string) bool {
	key, ok := digest(sha)
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, there := t.at[key]
	return ok && there
}

func digest(sha string) (key [sha256.Size]byte, ok bool) {
	b, err := hex.DecodeString(sha)
	if err != nil || len(b) != len(key) {
		return key, false
	}
	return [sha256.Size]byte(b), true
}

func (t *Thumbs) add(sha string, jpeg []byte) error {
	key, ok := digest(sha)
	if !ok || len(jpeg) == 0 {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, there := t.at[key]; there {
		return nil
	}
	at, err := t.w.Add(append(key[:], jpeg...))
	if err != nil {
		return fmt.Errorf("photos: %s: %w", t.path, err)
	}
	t.at[key] = at
	return nil
}

// shrink writes the file anew where more than half of it is of photographs that are gone.
func (t *Thumbs) shrink(live map[string]bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var kept, all int64
	for key, at := range t.at {
		all += int64(at.Size)
		if live[hex.EncodeToString(key[:])] {
			kept += int64(at.Size)
		}
	}
	if all < 1<<20 || all <= 2*kept {
		return nil
	}
	temp := t.path + ".new"
	w, err := recordlog.Create(temp, thumbsKind)
	if err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	moved := map[[sha256.Size]byte]recordlog.Span{}
	for key, at := range t.at {
		if !live[hex.EncodeToString(key[:])] {
			continue
		}
		record, err := recordlog.Read(t.r, at)
		if errors.Is(err, recordlog.ErrDamaged) {
			continue
		}
		if err == nil {
			moved[key], err = w.Add(record)
		}
		if err != nil {
			return fmt.Errorf("photos: %w", errors.Join(err, w.Close(), os.Remove(temp)))
		}
	}
	// It is closed before it is renamed: Windows keeps what is open where it is.
	end := w.End()
	if err := errors.Join(w.Sync(), w.Close(), t.file.Close(), os.Rename(temp, t.path)); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	if t.w, err = recordlog.Continue(t.path, end); err != nil {
		return fmt.Errorf("photos: %w", err)
	}
	t.at, t.r, t.file = moved, t.w, t.w
	return nil
}

func (t *Thumbs) sync() error {
	if t.w == nil {
		return nil
	}
	return t.w.Sync()
}

// Close closes the file.
func (t *Thumbs) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.file == nil {
		return nil
	}
	err := t.file.Close()
	t.file, t.r, t.w, t.at = nil, nil, nil, nil
	return err
}
