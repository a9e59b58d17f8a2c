package safetensors

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
)

// ChecksumKey is the metadata under which a file may carry the CRC-32C of each
// tensor's bytes: eight hexadecimal digits a tensor, in the order of the data.
// Every read of a tensor of such a file verifies it. [File.Metadata] leaves the
// key out, and other programs' readers pass over it.
const ChecksumKey = "goclip.crc32c"

// ErrChecksum is what reading a tensor fails with whose bytes are not those
// that were written.
var ErrChecksum = errors.New("the data differ from their checksum, " + ChecksumKey)

// castagnoli's checksum is an instruction of amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksums returns the value of [ChecksumKey] for a file of the given tensors.
func Checksums(tensors []Tensor) (string, error) {
	tensors, _, err := prepare(tensors, nil)
	if err != nil {
		return "", fmt.Errorf("safetensors: checksums: %w", err)
	}
	var b strings.Builder
	buf := make([]byte, 1<<16)
	for _, t := range tensors {
		h := crc32.New(castagnoli)
		if err := t.write(h, buf); err != nil {
			return "", fmt.Errorf("safetensors: checksums: tensor %q: %w", t.Name, err)
		}
		fmt.Fprintf(&b, "%08x", h.Sum32())
	}
	return b.String(), nil
}

// checksums gives the entries the checksums of the metadata, if it has them.
func (h *header) checksums() error {
	digits, ok := h.metadata[ChecksumKey]
	if !ok {
		return nil
	}
	delete(h.metadata, ChecksumKey) // not to be written again with other tensors
	if len(digits) != 8*len(h.entries) {
		return fmt.Errorf("metadata %q: %d digits for %d tensors, want 8 each", ChecksumKey, len(digits), len(h.entries))
	}
	for i := range h.entries {
		text := digits[8*i : 8*i+8]
		sum, err := strconv.ParseUint(text, 16, 32)
		if err != nil {
			return fmt.Errorf("metadata %q: %w", ChecksumKey, err)
		}
		if fmt.Sprintf("%08x", sum) != text { // a bit that flips a digit's case is damage, too
			return fmt.Errorf("metadata %q: %q, want lower-case digits", ChecksumKey, text)
		}
		h.entries[i].sum, h.entries[i].summed = uint32(sum), true
	}
	return nil
}

// Verify reads all tensors and compares them with their checksums, so that a
// file is known to be whole before anything is made of it. A file without
// checksums fails.
func (f *File) Verify() error {
	for _, name := range f.names {
		t := f.tensors[name]
		err := t.verify()
		if !t.summed {
			err = errors.New("the file has no checksum of it")
		}
		if err != nil {
			return f.errorf(t, err)
		}
	}
	return nil
}

// verify compares the bytes of t with their checksum, where there is one.
func (t tensor) verify() error {
	if !t.summed {
		return nil
	}
	sum, err := t.checksum()
	if err == nil && sum != t.sum {
		err = ErrChecksum
	}
	return err
}

// checksum lets what it has read of a mapping leave memory: a model is read once to be checked,
// and then as far as it is used.
func (t tensor) checksum() (sum uint32, err error) {
	if t.src.mapped {
		const part = 4 << 20
		for rest := t.mapping(); len(rest) > 0; {
			n := min(part, len(rest))
			sum = crc32.Update(sum, castagnoli, rest[:n])
			t.drop(len(t.mapping())-len(rest), n)
			rest = rest[n:]
		}
		return sum, nil
	}
	size := int64(t.Len() * t.DType.Size())
	h := crc32.New(castagnoli)
	n, err := io.Copy(h, io.NewSectionReader(t.src.r, t.off, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return h.Sum32(), err
}
