package torchfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/goclip/goclip/internal/tensorfile"
)

// legacyMagic is the pickle of 0x1950a86a20f9469cfc6c that opens the container
// of PyTorch before 1.6 (torch/serialization.py, MAGIC_NUMBER).
const legacyMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e"

const legacyProtocol = 1001

// readLegacy reads the five pickles of the container (magic, protocol, system,
// value, keys of the storages) and then finds the storages, which follow in the
// order of the keys, each after its length in elements. It returns the value and
// the bytes of the pickles.
func readLegacy(r io.ReaderAt, size int64) (value any, pickle int64, err error) {
	skip := int64(len(legacyMagic))
	in := &input{r: bufio.NewReader(io.NewSectionReader(r, skip, min(size-skip, maxPickle))), pos: skip}
	storages := map[string]*storage{}
	load := func(id tuple) (*storage, error) {
		s, err := newStorage(id, 6)
		if err != nil {
			return nil, err
		}
		if old := storages[s.key]; old != nil {
			return old, s.same(old)
		}
		storages[s.key] = s
		return s, nil
	}
	refuse := func(tuple) (*storage, error) { return nil, errors.New("a storage outside the value") }
	var values [4]any
	for i := range values {
		known := refuse
		if i == 2 {
			known = load
		}
		if values[i], err = run(in, known); err != nil {
			return nil, 0, err
		}
	}
	if values[0] != int64(legacyProtocol) {
		return nil, 0, fmt.Errorf("legacy protocol %v, want %d", values[0], legacyProtocol)
	}
	if err := checkSystem(values[1]); err != nil {
		return nil, 0, err
	}
	return values[2], in.pos, placeLegacy(r, size, in.pos, values[3], storages)
}

func checkSystem(v any) error {
	info, ok := v.(*dict)
	if !ok {
		return fmt.Errorf("system information is %s, want a dict", kind(v))
	}
	little, ok := info.get("little_endian")
	if !ok || little != true {
		return fmt.Errorf("system information says little_endian %v, want true", little)
	}
	return nil
}

func placeLegacy(r io.ReaderAt, size, at int64, keys any, storages map[string]*storage) error {
	list, ok := keys.(*list)
	if !ok {
		return fmt.Errorf("keys of storages are %s, want a list", kind(keys))
	}
	for _, k := range list.items {
		key, ok := k.(string)
		if !ok {
			return fmt.Errorf("key of a storage is %s, want a string", kind(k))
		}
		s := storages[key]
		if s == nil {
			return fmt.Errorf("storage %q is listed twice or not used", key)
		}
		delete(storages, key)
		if size-at < 8 {
			return fmt.Errorf("storage %q: the file ends at %d", key, size)
		}
		b, err := tensorfile.ReadBytes(r, at, 8)
		if err != nil {
			return err
		}
		if n := binary.LittleEndian.Uint64(b); n != uint64(s.len) {
			return fmt.Errorf("storage %q has length %d, but its tensors say %d", key, n, s.len)
		}
		s.off = at + 8
		if s.bytes() > size-s.off {
			return fmt.Errorf("storage %q, %d bytes from %d, leaves the file of %d bytes", key, s.bytes(), s.off, size)
		}
		at = s.off + s.bytes()
	}
	for key := range storages {
		return fmt.Errorf("storage %q and %d others are not in the file", key, len(storages)-1)
	}
	if at != size {
		return fmt.Errorf("%d bytes follow the last storage", size-at)
	}
	return nil
}
