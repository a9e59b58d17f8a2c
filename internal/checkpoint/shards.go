package checkpoint

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/internal/torchfile"
)

// shards are files of PyTorch's that together are one, as their index says. The index
// leads to no other folder: see [safetensors.Shards].
type shards struct {
	names []string
	of    map[string]*torchfile.File // by a tensor's name
	open  []*torchfile.File
}

func openShards(index string) (*shards, error) {
	listed, err := safetensors.Shards(index)
	if err != nil {
		return nil, err
	}
	s := &shards{of: map[string]*torchfile.File{}}
	var wrong []string
	for _, shard := range listed {
		file, err := torchfile.Open(shard.Path)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("shard %s: %w", filepath.Base(shard.Path), err), s.Close())
		}
		s.open = append(s.open, file)
		for _, name := range file.Names() {
			if s.of[name] != nil {
				wrong = append(wrong, fmt.Sprintf("%q is in two shards", name))
				continue
			}
			s.of[name], s.names = file, append(s.names, name)
			if _, ok := slices.BinarySearch(shard.Tensors, name); !ok {
				wrong = append(wrong, fmt.Sprintf("%q in %s is not listed there", name, filepath.Base(shard.Path)))
			}
		}
		for _, name := range shard.Tensors {
			if s.of[name] != file {
				wrong = append(wrong, fmt.Sprintf("%q is missing from %s", name, filepath.Base(shard.Path)))
			}
		}
	}
	if wrong != nil {
		n := len(wrong)
		if n > 20 {
			wrong = append(wrong[:20], "…")
		}
		return nil, errors.Join(fmt.Errorf("%s and its shards differ in %d tensors: %s", filepath.Base(index), n, strings.Join(wrong, "; ")), s.Close())
	}
	return s, nil
}

func (s *shards) Names() []string { return slices.Clone(s.names) }

func (s *shards) Info(name string) (tensorfile.Info, bool) {
	if s.of[name] == nil {
		return tensorfile.Info{}, false
	}
	return s.of[name].Info(name)
}

func (s *shards) Float32(name string, dst []float32) error {
	if s.of[name] == nil {
		return fmt.Errorf("no shard has a tensor %q", name)
	}
	return s.of[name].Float32(name, dst)
}

func (*shards) View(string) ([]float32, bool) { return nil, false }
func (*shards) Release(string)                {}

func (s *shards) Close() error {
	var errs []error
	for _, f := range s.open {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
