package dataset

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// archive is a tar; r is nil for one that is read from front to back.
type archive struct {
	name string
	r    io.ReaderAt
}

// listTar lists a tar by its headers, so that each file can be read by itself.
// Where the archive is damaged the listing ends. Of files with the same name the last
// one counts, as when a tar is unpacked.
func (t *tree) listTar(a *archive, size int64, o *Options) {
	section := io.NewSectionReader(a.r, 0, size)
	headers := tar.NewReader(section)
	end, n := int64(0), 0
	first := len(t.files)
	at := map[string]int{}
	for {
		h, err := headers.Next()
		// The tar reader has read the header and not yet a byte of the file.
		offset, _ := section.Seek(0, io.SeekCurrent)
		if err == io.EOF {
			err = endMark(offset, end)
		}
		if err != nil {
			if err != io.EOF {
				t.faults = append(t.faults, record{tree: t, file: file{tar: a}, fault: fmt.Errorf("the archive is damaged after %d files: %w", n, err)})
			}
			return
		}
		f, ok := tarFile(h)
		end = offset + f.size
		if !ok || !t.mine(f, o) {
			continue
		}
		n++
		f.tar, f.offset = a, offset
		if f.fault == nil && f.size > size-f.offset {
			f.fault = fmt.Errorf("the archive ends within this file, %d bytes too early", f.size-(size-f.offset))
		}
		if i, twice := at[f.path]; twice {
			t.files[first+i] = f
			t.notes = append(t.notes, Bad{File: a.name, Key: f.path, Reason: "it is in the archive more than once; the last one counts"})
			continue
		}
		at[f.path] = len(t.files) - first
		t.files = append(t.files, f)
	}
}

// mine tells whether a file of an archive is to be listed, and counts it otherwise.
func (t *tree) mine(f file, o *Options) bool {
	why := foreignPath(f.path)
	if why == "" && excluded(f.path, o.Exclude) {
		why = "excluded"
	}
	if why == "" {
		return true
	}
	if t.left == nil {
		t.left = leftOut{}
	}
	t.left.add(why, f.path, 0)
	return false
}

// endMark tells the end of an archive from a cut between two files: blocks of
// zeros follow the last one.
func endMark(position, end int64) error {
	if end > 0 && position < end+512 {
		return errors.New("no end mark: more files may have been cut off")
	}
	return io.EOF
}

// tarFile tells whether an entry is a file.
func tarFile(h *tar.Header) (file, bool) {
	name := strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	f := file{path: name, size: h.Size}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse:
	case tar.TypeLink, tar.TypeSymlink:
		f.fault = fmt.Errorf("a link to %q, not a file", h.Linkname)
	default:
		return f, false
	}
	sparse := h.Typeflag == tar.TypeGNUSparse
	for key := range h.PAXRecords {
		sparse = sparse || strings.HasPrefix(key, "GNU.sparse.")
	}
	if sparse {
		f.size, f.fault = 0, errors.New("a sparse file, which only a file system can hold")
	}
	return f, true
}
