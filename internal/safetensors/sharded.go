package safetensors

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// OpenSharded opens the shards that an index file such as
// model.safetensors.index.json names, which lie in the folder of the index, and
// returns them as one file. A shard's name that could lead out of the folder is
// refused before any shard is opened: a path, a name with "..", a symbolic link
// to elsewhere. The one exception is the cache of the Hugging Face hub, in which
// snapshots/<revision>/<name> links to ../../blobs/<hash>.
//
// The index and the shards must agree on every tensor; an error lists all
// tensors that are missing, in another shard than the index says, or unlisted.
func OpenSharded(indexPath string) (*File, error) {
	f, err := openSharded(indexPath)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", indexPath, err)
	}
	return f, nil
}

// faults are what is wrong with tensors' names. An error lists the first few in order.
type faults struct {
	n     int
	lines []string // of the first thousand
}

func (f *faults) add(format string, args ...any) {
	if f.n++; f.n <= 1000 {
		f.lines = append(f.lines, fmt.Sprintf(format, args...))
	}
}

func (f *faults) err() error {
	if f.n == 0 {
		return nil
	}
	slices.Sort(f.lines)
	list, more := f.lines[:min(20, len(f.lines))], ""
	if n := f.n - len(list); n > 0 {
		more = fmt.Sprintf("; and %d more", n)
	}
	return fmt.Errorf("%d tensors: %s%s", f.n, strings.Join(list, "; "), more)
}

func openSharded(indexPath string) (*File, error) {
	weights, err := readIndex(indexPath)
	if err != nil {
		return nil, err
	}
	shards := slices.Compact(slices.Sorted(maps.Values(weights)))
	paths, shardOf := make([]string, len(shards)), make(map[string]string)
	for i, s := range shards {
		if paths[i], err = shardPath(filepath.Dir(indexPath), s); err != nil {
			return nil, err
		}
		shardOf[paths[i]] = s
	}
	f := &File{name: indexPath, tensors: map[string]tensor{}, sources: make([]source, 0, len(shards))}
	var wrong faults
	for i, path := range paths {
		if err := f.addShard(path, shards[i], weights, &wrong); err != nil {
			return nil, errors.Join(fmt.Errorf("shard %s: %w", shards[i], err), f.Close())
		}
	}
	for name, shard := range weights {
		if t, ok := f.tensors[name]; !ok {
			wrong.add("%q is missing from %s", name, shard)
		} else if at := shardOf[t.src.name]; at != shard {
			wrong.add("%q is listed in %s but found in %s", name, shard, at)
		}
	}
	if err := wrong.err(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Shard is a file that an index names, with the tensors that it says are in it.
type Shard struct {
	Path    string
	Tensors []string
}

// Shards reads an index file, of any format's shards, and returns them in the order of
// their names. The same names are refused as by [OpenSharded]; no shard is opened.
func Shards(indexPath string) ([]Shard, error) {
	weights, err := readIndex(indexPath)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", indexPath, err)
	}
	tensors := map[string][]string{}
	for name, shard := range weights {
		tensors[shard] = append(tensors[shard], name)
	}
	var shards []Shard
	for _, s := range slices.Sorted(maps.Keys(tensors)) {
		path, err := shardPath(filepath.Dir(indexPath), s)
		if err != nil {
			return nil, fmt.Errorf("safetensors: %s: %w", indexPath, err)
		}
		slices.Sort(tensors[s])
		shards = append(shards, Shard{path, tensors[s]})
	}
	return shards, nil
}

// addShard opens one shard and notes what is wrong with its tensors' names.
func (f *File) addShard(path, shard string, weights map[string]string, wrong *faults) error {
	src, size, err := openSource(path)
	if err != nil {
		return err
	}
	f.sources = append(f.sources, src) // never beyond its capacity: tensors point into it
	h, err := readHeader(src.r, size)
	if err != nil {
		return err
	}
	for _, e := range h.entries {
		if _, ok := weights[e.Name]; !ok {
			wrong.add("%q in %s is not listed", e.Name, shard)
		}
		if t, ok := f.tensors[e.Name]; ok {
			wrong.add("%q is both in %s and in %s", e.Name, filepath.Base(t.src.name), shard)
		}
	}
	f.add(h, &f.sources[len(f.sources)-1])
	for k, v := range h.metadata {
		if f.metadata == nil {
			f.metadata = map[string]string{}
		}
		if _, ok := f.metadata[k]; !ok {
			f.metadata[k] = v
		}
	}
	return nil
}

// readIndex returns the weight_map of an index file.
func readIndex(path string) (map[string]string, error) {
	stat, err := os.Stat(path) // before it is opened: on a pipe that would wait for a writer
	switch {
	case err != nil:
		return nil, err
	case !stat.Mode().IsRegular():
		return nil, errors.New("the index is not a regular file")
	case stat.Size() > maxHeader:
		return nil, fmt.Errorf("the index exceeds %d bytes", maxHeader)
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := readText(r, 0, stat.Size())
	if err != nil {
		return nil, err
	}
	return parseIndex(text)
}

func parseIndex(text string) (map[string]string, error) {
	var weights map[string]string
	s := &scanner{text: text}
	if !utf8.ValidString(s.text) {
		return nil, errors.New("not UTF-8")
	}
	err := s.object(func(key string) (err error) {
		if key != "weight_map" {
			return s.skip(0)
		}
		if weights != nil {
			return errTwice
		}
		weights, err = s.strings()
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && len(weights) == 0 {
		err = errors.New("no weight_map, or an empty one")
	}
	return weights, err
}

// shardPath returns the real path of a shard in the folder dir.
func shardPath(dir, shard string) (string, error) {
	if strings.ContainsAny(shard, `/\:`) || strings.Contains(shard, "..") || !filepath.IsLocal(shard) || shard == "." {
		return "", fmt.Errorf("shard %q is not the plain name of a file", shard)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return "", err
	}
	path, err := filepath.EvalSymlinks(filepath.Join(dir, shard))
	if err != nil {
		return "", fmt.Errorf("shard %q: %w", shard, err)
	}
	cache := filepath.Base(filepath.Dir(dir)) == "snapshots"
	switch filepath.Dir(path) {
	case dir:
		return path, nil
	case filepath.Join(dir, "..", "..", "blobs"):
		if cache {
			return path, nil
		}
	}
	return "", fmt.Errorf("shard %q links out of its folder", shard)
}
