package photos

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/goclip/goclip/encoder"
	"github.com/goclip/goclip/index"
	"github.com/goclip/goclip/internal/recordlog"
)

// journalKind begins a journal, whose first record is a header as JSON. Each of the others is
// a change:
//
//	'+' or '-'   an entry that is added, in place of one of its key, or removed
//	key, meta    each after its length, a uvarint; of a removed one the key alone
//	embedding    float32, little-endian
const journalKind = "goclip photos journal 1"

// maxChange bounds a record: an embedding of the largest dimension, a key and a caption.
const maxChange = 8 << 20

// header says to what a journal belongs.
type header struct {
	Folder string `json:"folder"` // that the library is of
	Base   string `json:"base"`   // stamp of the index file that the changes are to
}

// JournalPath is the file of a library's latest changes.
func JournalPath(index string) string { return index + ".journal" }

// stamp tells one state of an index file from another: its size, and its beginning, which
// holds the checksums of all the rest.
func stamp(path string) (string, error) {
	f, err := openRegular(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, info.Size())
	if _, err := io.Copy(h, io.LimitReader(f, 64<<10)); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// change is one record.
type change struct {
	entry   index.Entry
	removed bool
	row     []float32
}

func (c change) record() []byte {
	b := append(make([]byte, 0, 64+len(c.entry.Key)+len(c.entry.Meta)+4*len(c.row)), '+')
	if c.removed {
		b[0] = '-'
	}
	for _, s := range []string{c.entry.Key, c.entry.Meta} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	for _, v := range c.row {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// parseChange reads a record of an index of embeddings of dim numbers.
func parseChange(b []byte, dim int) (c change, err error) {
	bad := errors.New("a change that is none")
	if len(b) == 0 || b[0] != '+' && b[0] != '-' {
		return c, bad
	}
	c.removed = b[0] == '-'
	b = b[1:]
	for _, s := range []*string{&c.entry.Key, &c.entry.Meta} {
		n, size := binary.Uvarint(b)
		if size <= 0 || n > uint64(len(b)-size) {
			return c, bad
		}
		*s = string(b[size:][:n])
		b = b[size+int(n):]
	}
	switch {
	case c.removed && len(b) == 0:
		return c, nil
	case c.removed || len(b) != 4*dim:
		return c, fmt.Errorf("a change with %d bytes of an embedding, want %d", len(b), 4*dim)
	}
	c.row = make([]float32, dim)
	for i := range c.row {
		c.row[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return c, nil
}

// apply makes a change to an index.
func (c change) apply(x *index.Index) error {
	if c.removed {
		x.Delete(c.entry.Key)
		return nil
	}
	return x.Add([]index.Entry{c.entry}, &encoder.Embeddings{N: 1, Dim: len(c.row), Data: c.row})
}

// readJournal returns a journal's header and hands out its changes; the first one that is
// damaged ends them, and end is where they end. Of a file that is not there or holds no whole
// header, ok is false. Where use is nil the header alone is read.
func readJournal(path string, use func(header, []byte) error) (h header, end int64, ok bool, err error) {
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return h, 0, false, nil
	}
	if err != nil {
		return h, 0, false, fmt.Errorf("photos: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return h, 0, false, fmt.Errorf("photos: %w", err)
	}
	enough := errors.New("enough")
	end, err = recordlog.Each(f, info.Size(), journalKind, maxChange, func(b []byte) error {
		if !ok {
			d := json.NewDecoder(bytes.NewReader(b))
			d.DisallowUnknownFields()
			if err := d.Decode(&h); err != nil {
				return fmt.Errorf("its header: %w", err)
			}
			if ok = true; use == nil {
				return enough
			}
			return nil
		}
		return use(h, b)
	})
	if errors.Is(err, recordlog.ErrOther) && beginsLike(f, info.Size()) {
		return h, 0, false, nil
	}
	if err != nil && err != enough {
		return h, end, ok, fmt.Errorf("photos: %s: %w", path, err)
	}
	return h, end, ok, nil
}

// beginsLike tells whether a file is no more than the beginning of a journal's first line,
// which a process left that was killed as it made it.
func beginsLike(f *os.File, size int64) bool {
	b := make([]byte, min(size, int64(len(journalKind))))
	_, err := f.ReadAt(b, 0)
	return size <= int64(len(journalKind)) && (err == nil || err == io.EOF) && string(b) == journalKind[:len(b)]
}

// Folder is the folder that the library of an index is of, or "" where it is no library.
func Folder(index string) (string, error) {
	h, _, _, err := readJournal(JournalPath(index), nil)
	return h.Folder, err
}

// Open opens the index of a library, as [index.Open] does, with the changes of its journal
// made in memory: what a process that was killed, or is at work, has done so far. Any other
// index is opened as it is, and a folder of files by [index.OpenUnread]: it may be larger than
// what can be read for one search. Nothing is written.
func Open(path string, m *encoder.Model) (*index.Index, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return index.OpenUnread(path, m)
	}
	return open(path, m, index.Open)
}

func open(path string, m *encoder.Model, read func(string, *encoder.Model) (*index.Index, error)) (*index.Index, error) {
	for try := 0; ; try++ {
		before, err := stamp(path)
		if err != nil {
			return nil, fmt.Errorf("photos: %w", err)
		}
		x, err := read(path, m)
		if err != nil {
			return nil, err
		}
		_, _, _, err = readJournal(JournalPath(path), func(h header, b []byte) error {
			if h.Base != before {
				return nil // of another state, which the index holds already
			}
			c, err := parseChange(b, x.Dim())
			if err == nil {
				err = c.apply(x)
			}
			return err
		})
		if err != nil {
			return nil, errors.Join(err, x.Close())
		}
		// A writer may have replaced both files meanwhile.
		after, err := stamp(path)
		if err == nil && after == before || try == 10 {
			return x, nil
		}
		if err := x.Close(); err != nil {
			return nil, err
		}
	}
}
