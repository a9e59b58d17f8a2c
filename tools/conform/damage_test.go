package main

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/goclip/goclip/internal/safetensors"
)

// clone copies a file or a folder.
func clone(t *testing.T, from, to string) {
	t.Helper()
	check(t, filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, _ := filepath.Rel(from, path)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		out := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return err
		}
		return os.WriteFile(out, b, 0o644)
	}))
}

// edit writes a file of tensors again, as change leaves them.
func edit(file string, change func([]safetensors.Tensor) []safetensors.Tensor) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(file))
		f, err := safetensors.Open(path)
		check(t, err)
		var all []safetensors.Tensor
		for _, name := range f.Names() {
			info, _ := f.Info(name)
			raw, err := f.Bytes(name)
			check(t, err)
			all = append(all, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape, Raw: raw})
		}
		check(t, f.Close())
		check(t, safetensors.WriteFile(path, change(all), nil))
	}
}

// bump adds v to the first number of a tensor; of bytes it changes one by one.
func bump(file, name string, v float32) func(*testing.T, string) {
	return edit(file, func(all []safetensors.Tensor) []safetensors.Tensor {
		for _, x := range all {
			switch {
			case x.Name != name:
			case v == 0:
				x.Raw[0] ^= 1
			default:
				old := math.Float32frombits(binary.LittleEndian.Uint32(x.Raw))
				binary.LittleEndian.PutUint32(x.Raw, math.Float32bits(old+v))
			}
		}
		return all
	})
}

func remove(file, name string) func(*testing.T, string) {
	return edit(file, func(all []safetensors.Tensor) []safetensors.Tensor {
		return slices.DeleteFunc(all, func(x safetensors.Tensor) bool { return x.Name == name })
	})
}

func add(file, name string) func(*testing.T, string) {
	return edit(file, func(all []safetensors.Tensor) []safetensors.Tensor {
		return append(all, safetensors.Tensor{Name: name, Shape: []int{1}, Float32: []float32{1}})
	})
}

// rewrite changes the bytes of a file.
func rewrite(file string, change func([]byte) []byte) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		path := filepath.Join(dir, filepath.FromSlash(file))
		b, err := os.ReadFile(path)
		check(t, err)
		check(t, os.WriteFile(path, change(b), 0o644))
	}
}

func truncate(file string) func(*testing.T, string) {
	return rewrite(file, func(b []byte) []byte { return b[:len(b)/2] })
}

func replace(file, old, new string) func(*testing.T, string) { return substitute(file, old, new, 1) }

func all(file, old, new string) func(*testing.T, string) { return substitute(file, old, new, -1) }

func substitute(file, old, new string, n int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		rewrite(file, func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%s has no %q", file, old)
			}
			return bytes.Replace(b, []byte(old), []byte(new), n)
		})(t, dir)
	}
}

func create(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		check(t, os.WriteFile(filepath.Join(dir, filepath.FromSlash(file)), []byte("?"), 0o644))
	}
}

func unlink(files ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		t.Helper()
		for _, file := range files {
			check(t, os.RemoveAll(filepath.Join(dir, filepath.FromSlash(file))))
		}
	}
}
