// Package torchfile reads the tensors of PyTorch files without running them: the
// zip container of torch.save (state dicts and training checkpoints), TorchScript
// archives of torch.jit.save, and the container of PyTorch before 1.6.
//
// Such a file is a Python pickle, a program that in Python may call anything.
// Here a small machine interprets it that knows plain values, the names a
// checkpoint needs (collections.OrderedDict, torch._utils._rebuild_tensor_v2 and
// _rebuild_parameter, torch.Size, the storage classes, TorchScript's typed lists)
// and, as inert records, the classes of TorchScript modules and numpy scalars.
// Any other name is refused; globals.go has them all. No size that a file states
// is believed before it is checked against the file.
//
// The data of tensors stays in the file until it is asked for.
package torchfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/goclip/goclip/internal/tensorfile"
)

// Info describes one tensor of a file.
type Info = tensorfile.Info

// File is an open PyTorch file. Its methods may be called from several
// goroutines at once, Close excepted. They are those of a safetensors file, with
// Keys and Value besides.
type File struct {
	name    string
	r       io.ReaderAt
	close   func() error
	top     *dict
	names   []string
	tensors map[string]*tensor
}

// Open opens the file at path.
func Open(path string) (*File, error) {
	stat, err := os.Stat(path) // before it is opened: on a pipe that would wait for a writer
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("torchfile: %s: not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("torchfile: %w", err)
	}
	if stat, err = f.Stat(); err != nil {
		return nil, fmt.Errorf("torchfile: %s: %w", path, errors.Join(err, f.Close()))
	}
	file, err := OpenReader(f, stat.Size(), path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file.close = f.Close
	return file, nil
}

// OpenReader opens a file of the given size that is read through r; name is
// used in errors. Close leaves r open.
func OpenReader(r io.ReaderAt, size int64, name string) (*File, error) {
	f := &File{name: name, r: r, close: func() error { return nil }}
	if err := f.read(size); err != nil {
		return nil, fmt.Errorf("torchfile: %s: %w", name, err)
	}
	return f, nil
}

func (f *File) read(size int64) error {
	head := make([]byte, min(size, int64(len(legacyMagic))))
	if _, err := f.r.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	}
	var root any
	var pickle int64
	var err error
	switch {
	case len(head) >= 4 && string(head[:4]) == "PK\x03\x04":
		root, pickle, err = readZip(f.r, size)
	case string(head) == legacyMagic:
		root, pickle, err = readLegacy(f.r, size)
	default:
		return fmt.Errorf("neither a zip archive nor a legacy pickle of PyTorch; it begins with % x", head)
	}
	if err != nil {
		return err
	}
	var ok bool
	if f.top, ok = members(root); !ok {
		return fmt.Errorf("it holds %s, want a dict or a module", kind(root))
	}
	state := root
	for _, key := range wrappers() {
		s, ok := f.top.get(key)
		if !ok {
			continue
		}
		if _, ok := members(s); !ok {
			return fmt.Errorf("%s is %s, want a dict", key, kind(s))
		}
		state = s
		break
	}
	flat := flattener{tensors: map[string]*tensor{}, pickle: pickle, size: size}
	if err := flat.walk(state, "", 0); err != nil {
		return err
	}
	f.names, f.tensors = flat.names, flat.tensors
	return nil
}

// wrappers are the keys under which training programs put a model's tensors, beside
// their own: Lightning and open_clip, plain PyTorch loops, timm.
func wrappers() []string { return []string{"state_dict", "model_state_dict", "model"} }

// Close closes the file; every later read fails.
func (f *File) Close() error {
	err := f.close()
	f.r, f.close = closed{}, func() error { return nil }
	if err != nil {
		return fmt.Errorf("torchfile: %w", err)
	}
	return nil
}

type closed struct{}

func (closed) ReadAt([]byte, int64) (int, error) { return 0, os.ErrClosed }

// Keys returns the string keys of the top dict or module in their order. A
// training checkpoint of open_clip has epoch, name, state_dict and optimizer.
func (f *File) Keys() []string {
	var keys []string
	for _, it := range f.top.items {
		if k, ok := it.key.(string); ok {
			keys = append(keys, k)
		}
	}
	return keys
}

// Value returns a plain value of the top dict or module: nil, or a bool, int64,
// float64 or string. For tensors, dicts and other compounds ok is false.
func (f *File) Value(key string) (v any, ok bool) {
	v, ok = f.top.get(key)
	switch v.(type) {
	case nil, bool, int64, float64, string:
		return v, ok
	}
	return nil, false
}

// Names returns the names of the tensors in the order of the file, the keys of
// nested dicts and modules joined by dots. If the top dict has a state_dict, a
// model_state_dict or a model, they are those of that one alone, without its key; a
// prefix such as open_clip's "module." is kept.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info describes the named tensor, if the file has it.
func (f *File) Info(name string) (info Info, ok bool) {
	t, ok := f.tensors[name]
	if !ok {
		return Info{}, false
	}
	return Info{Name: name, DType: t.dtype, Shape: slices.Clone(t.shape)}, true
}

// Metadata returns nil: a PyTorch file has none. See [File.Value].
func (f *File) Metadata() map[string]string { return nil }

// Float32 reads the named tensor into dst, which must have its length, in
// row-major order. F32, F16 and BF16 are exact, F64 is rounded to nearest even;
// another type is an error.
func (f *File) Float32(name string, dst []float32) error {
	t, err := f.lookup(name)
	if err != nil {
		return err
	}
	if n := t.elements(); len(dst) != n {
		return f.errorf(name, fmt.Errorf("the destination has %d elements, but shape %v has %d", len(dst), t.shape, n))
	}
	if t.contiguous() || !t.dtype.Float() {
		return f.errorf(name, tensorfile.ReadFloat32(dst, t.dtype, f.r, t.start()))
	}
	b, err := t.read(f.r)
	if err != nil {
		return f.errorf(name, err)
	}
	return f.errorf(name, tensorfile.ReadFloat32(dst, t.dtype, tensorfile.Bytes(b), 0))
}

// Ints returns the elements of the named tensor, of an integer type or BOOL.
func (f *File) Ints(name string) ([]int64, error) {
	b, err := f.Bytes(name)
	if err != nil {
		return nil, err
	}
	v, err := tensorfile.Ints(f.tensors[name].dtype, b)
	return v, f.errorf(name, err)
}

// Bytes returns the named tensor's elements as stored, little-endian, in
// row-major order.
func (f *File) Bytes(name string) ([]byte, error) {
	t, err := f.lookup(name)
	if err != nil {
		return nil, err
	}
	b, err := t.read(f.r)
	return b, f.errorf(name, err)
}

// View returns false: the file is not mapped.
func (f *File) View(string) ([]float32, bool) { return nil, false }

// Release does nothing: the file is not mapped.
func (f *File) Release(string) {}

func (f *File) lookup(name string) (*tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return nil, fmt.Errorf("torchfile: %s has no tensor %q", f.name, name)
	}
	return t, f.errorf(name, t.verify(f.r))
}

func (f *File) errorf(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("torchfile: %s: tensor %q: %w", f.name, name, err)
}
