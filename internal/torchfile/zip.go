package torchfile

import (
	"archive/zip"
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// maxDirectory bounds what is read of a zip file's directory, and so the
// entries it can list. Checkpoints need some 100 bytes a tensor.
const maxDirectory = 8 << 20

// archive is the zip container of torch.save and torch.jit.save: a folder with
// data.pkl, one entry data/<key> for each storage, and much that is no weight.
// PyTorch stores these entries uncompressed, and no others are read, so that
// there is nothing to decompress.
type archive struct {
	entries  map[string]*zip.File
	root     string // the folder, with its slash
	size     int64
	storages map[string]*storage
}

// budget is a reader that gives out only so many bytes.
type budget struct {
	r    io.ReaderAt
	left int64
}

func (b *budget) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, fmt.Errorf("the zip directory exceeds %d bytes", maxDirectory)
	}
	return b.r.ReadAt(p, off)
}

// readZip returns the value of data.pkl, its storages placed, and the bytes of
// that pickle.
func readZip(r io.ReaderAt, size int64) (value any, pickle int64, err error) {
	a, err := openArchive(r, size)
	if err != nil {
		return nil, 0, err
	}
	if err := a.checkByteOrder(r); err != nil {
		return nil, 0, err
	}
	off, n, err := a.place("data.pkl")
	if err != nil {
		return nil, 0, err
	}
	if n > maxPickle {
		return nil, 0, fmt.Errorf("%sdata.pkl has %d bytes, at most %d are read", a.root, n, maxPickle)
	}
	in := &input{r: bufio.NewReader(io.NewSectionReader(r, off, n))}
	value, err = run(in, a.storage)
	if err == nil && in.pos != n {
		err = fmt.Errorf("%d bytes follow the pickle", n-in.pos)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%sdata.pkl: %w", a.root, err)
	}
	return value, n, nil
}

func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	limited := &budget{r, maxDirectory}
	z, err := zip.NewReader(limited, size)
	if err != nil {
		return nil, err
	}
	limited.left = math.MaxInt64 // from here on only local headers are read
	a := &archive{entries: make(map[string]*zip.File, len(z.File)), size: size, storages: map[string]*storage{}}
	for _, f := range z.File {
		if a.entries[f.Name] != nil {
			return nil, fmt.Errorf("the archive has two entries %q", f.Name)
		}
		a.entries[f.Name] = f
		if folder, ok := strings.CutSuffix(f.Name, "/data.pkl"); ok && folder != "" && !strings.Contains(folder, "/") {
			if a.root != "" {
				return nil, fmt.Errorf("the archive has both %sdata.pkl and %s", a.root, f.Name)
			}
			a.root = folder + "/"
		}
	}
	if a.root == "" {
		return nil, errors.New("the archive has no entry <name>/data.pkl, so it was not written by torch.save or torch.jit.save")
	}
	return a, nil
}

// place returns where the content of an entry lies in the file.
func (a *archive) place(name string) (off, n int64, err error) {
	name = a.root + name
	f := a.entries[name]
	if f == nil {
		return 0, 0, fmt.Errorf("the archive has no entry %q", name)
	}
	if f.Method != zip.Store || f.Flags&1 != 0 {
		return 0, 0, fmt.Errorf("entry %q is compressed or encrypted; PyTorch stores it as it is", name)
	}
	off, err = f.DataOffset()
	if err != nil {
		return 0, 0, fmt.Errorf("entry %q: %w", name, err)
	}
	if n := f.UncompressedSize64; n != f.CompressedSize64 || off < 0 || off > a.size || n > uint64(a.size-off) {
		return 0, 0, fmt.Errorf("entry %q, %d bytes from %d, leaves the file of %d bytes", name, n, off, a.size)
	}
	return off, int64(f.UncompressedSize64), nil
}

// checkByteOrder reads the record that PyTorch 2.1 and later write.
func (a *archive) checkByteOrder(r io.ReaderAt) error {
	if a.entries[a.root+"byteorder"] == nil {
		return nil
	}
	off, n, err := a.place("byteorder")
	if err != nil {
		return err
	}
	b := make([]byte, min(n, 16))
	if _, err := r.ReadAt(b, off); err != nil && err != io.EOF {
		return err
	}
	if string(b) != "little" {
		return fmt.Errorf("byteorder is %q, want little", b)
	}
	return nil
}

func (a *archive) storage(id tuple) (*storage, error) {
	s, err := newStorage(id, 5)
	if err != nil {
		return nil, err
	}
	if old := a.storages[s.key]; old != nil {
		return old, s.same(old)
	}
	off, n, err := a.place("data/" + s.key)
	if err != nil {
		return nil, err
	}
	if n != s.bytes() {
		return nil, fmt.Errorf("storage %q has %d bytes, but %d of %s need %d", s.key, n, s.len, s.dtype, s.bytes())
	}
	s.off, s.crc = off, a.entries[a.root+"data/"+s.key].CRC32
	a.storages[s.key] = s
	return s, nil
}

// same reports an error if two mentions of a storage differ.
func (s *storage) same(old *storage) error {
	if s.dtype != old.dtype || s.len != old.len {
		return fmt.Errorf("storage %q is both %d of %s and %d of %s", s.key, old.len, old.dtype, s.len, s.dtype)
	}
	return nil
}
