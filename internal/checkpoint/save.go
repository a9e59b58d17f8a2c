package checkpoint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goclip/goclip/internal/journal"
	"github.com/goclip/goclip/internal/safetensors"
	"github.com/goclip/goclip/internal/tensorfile"
	"github.com/goclip/goclip/nn"
)

// File is a further file to save with a checkpoint, for example a tokenizer's.
type File struct {
	Name string // without folder
	Data []byte
}

// Save writes a model to a folder, which it makes if need be, in the layout
// HuggingFace or OpenCLIP. The bytes depend on the arguments alone, and [Open]
// gives back the same spec and weights, bit for bit. Params must be all of the
// spec's, as for [Checkpoint.Fill]. The weights carry checksums, which Fill
// verifies.
//
// The files change at once for readers of ours, those that the folder had as part of
// an older model included; see package journal. A setting that the layout cannot
// express is an error that names it, and so is a folder with another model, unless
// opts allow to replace it. It returns the file of weights, for [SaveOptions.Own].
func Save(dir, layout string, spec Spec, params []*nn.Param, opts *SaveOptions, files ...File) (fs.FileInfo, error) {
	var o SaveOptions
	if opts != nil {
		o = *opts
	}
	info, err := save(dir, layout, spec, params, o, files)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: save %s: %w", dir, err)
	}
	return info, nil
}

func save(dir, layout string, spec Spec, params []*nn.Param, o SaveOptions, files []File) (info fs.FileInfo, err error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	l, err := layoutNamed(layout)
	if err != nil {
		return nil, err
	}
	spec.dtype = dtypeNames()[o.DType]
	own, names, err := l.write(&spec)
	if err != nil {
		return nil, err
	}
	if err := checkParams(&spec, params); err != nil {
		return nil, err
	}
	all := append(own, files...)
	if err := checkNames(slices.Concat(all, o.Beside), l.weights[0]); err != nil {
		return nil, err
	}
	tensors, err := tensorsOf(layout, names, params)
	if err != nil {
		return nil, err
	}
	if err := halve(tensors, o.DType); err != nil {
		return nil, err
	}
	err = journal.Write(dir, nil, func(s *journal.Stage) error {
		info, err = writeAll(s, l, all, tensors, o)
		return err
	})
	return info, err
}

// Writable reports why a layout cannot hold a model; nil if it can.
func Writable(layout string, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	l, err := layoutNamed(layout)
	if err == nil {
		_, _, err = l.write(&spec)
	}
	return err
}

func unwritable(layout, format string, args ...any) error {
	return fmt.Errorf("layout %s has no place for %s", layout, fmt.Sprintf(format, args...))
}

func checkNames(files []File, weightsFile string) error {
	seen := map[string]bool{weightsFile: true}
	for _, f := range files {
		if f.Name == "" || f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) || strings.ContainsAny(f.Name, `/\:`) {
			return fmt.Errorf("file %q is not the plain name of a file", f.Name)
		}
		if seen[f.Name] {
			return fmt.Errorf("file %q is there twice", f.Name)
		}
		seen[f.Name] = true
	}
	return nil
}

// checkParams reports how params differ from those of the spec's towers.
func checkParams(s *Spec, params []*nn.Param) error {
	want, err := paramShapes(s)
	if err != nil {
		return err
	}
	var wrong problems
	for _, p := range params {
		shape, ok := want[p.Name]
		delete(want, p.Name)
		switch {
		case !ok:
			wrong.unexpected = append(wrong.unexpected, p.Name)
		case !slices.Equal(p.Shape, shape) && !(scalar(p.Shape) && scalar(shape)):
			wrong.misshapen = append(wrong.misshapen, fmt.Sprintf("%s: has %v, want %v", p.Name, p.Shape, shape))
		case len(p.Data) != p.Size():
			wrong.misshapen = append(wrong.misshapen, fmt.Sprintf("%s: has %d elements, want %d", p.Name, len(p.Data), p.Size()))
		}
	}
	wrong.missing = slices.Collect(maps.Keys(want))
	return wrong.err("the model")
}

// paramShapes are the shapes of all parameters of the spec's model.
func paramShapes(s *Spec) (map[string][]int, error) {
	want := map[string][]int{"logit_scale": nil}
	if s.LogitBias {
		want["logit_bias"] = nil
	}
	var params []*nn.Param
	if s.Vision != nil {
		t, err := s.Vision.New()
		if err != nil {
			return nil, err
		}
		params = append(params, t.Params()...)
	}
	if s.Text != nil {
		t, err := s.Text.New()
		if err != nil {
			return nil, err
		}
		params = append(params, t.Params()...)
	}
	for _, p := range append(params, s.Captioner.Params()...) {
		want[p.Name] = p.Shape
	}
	return want, nil
}

// tensorsOf lists what is stored of params, in their order.
func tensorsOf(layout string, names naming, params []*nn.Param) ([]safetensors.Tensor, error) {
	byName := map[string]*nn.Param{}
	for _, p := range params {
		byName[p.Name] = p
	}
	var tensors []safetensors.Tensor
	done := map[string]bool{}
	for _, p := range params {
		parts, form := names.stored(p.Name)
		if parts == nil {
			return nil, unwritable(layout, "the parameter %s", p.Name)
		}
		for _, part := range parts {
			if done[part.name] {
				continue
			}
			done[part.name] = true
			tensors = append(tensors, tensorOf(part.name, names.canonical(part.name), form, byName))
		}
		// PyTorch's BatchNorm counts its training steps; the count is not read.
		if norm, ok := strings.CutSuffix(p.Name, ".running_var"); ok {
			tensors = append(tensors, safetensors.Tensor{Name: norm + ".num_batches_tracked", DType: tensorfile.I64, Raw: make([]byte, 8)})
		}
	}
	return tensors, nil
}

// tensorOf joins the pieces of parameters that a stored tensor consists of.
func tensorOf(name string, pieces []piece, f form, params map[string]*nn.Param) safetensors.Tensor {
	var parts [][]float32
	shape := []int{0}
	for _, part := range pieces {
		p := params[part.name]
		each := len(p.Data) / part.of
		parts = append(parts, p.Data[part.from*each:part.to*each])
		if scalar(p.Shape) && strings.HasPrefix(part.name, "logit_") {
			shape = nil
			continue
		}
		shape = append([]int{shape[0] + part.rows(p.Shape[0])}, p.Shape[1:]...)
	}
	t := safetensors.Tensor{Name: name, Shape: shape, Parts: parts}
	if len(parts) == 1 {
		t.Parts, t.Float32 = nil, parts[0]
	}
	if f.transposed {
		t.Float32, t.Shape = transpose(t.Float32, shape[0], shape[1]), []int{shape[1], shape[0]}
	}
	if f.rank > 0 {
		t.Shape = ranked(t.Shape, f.rank)
	}
	return t
}

// writeAll writes the new state of a folder.
func writeAll(s *journal.Stage, l layout, files []File, tensors []safetensors.Tensor, o SaveOptions) (fs.FileInfo, error) {
	if o.Tokenizer != nil {
		written, err := s.Collect(o.Tokenizer)
		if err != nil {
			return nil, err
		}
		for _, name := range slices.Sorted(maps.Keys(written)) {
			files = append(files, File{name, written[name]})
		}
		if err := checkNames(slices.Concat(files, o.Beside), l.weights[0]); err != nil {
			return nil, err
		}
	}
	before := s.Before()
	defer before.Close()
	kept := []string{l.weights[0]}
	for _, f := range slices.Concat(files, o.Beside) {
		kept = append(kept, f.Name)
	}
	gone, err := stale(before, l, kept, o)
	if err != nil {
		return nil, err
	}
	sums, err := safetensors.Checksums(tensors)
	if err != nil {
		return nil, err
	}
	digests, err := formatDigests(files)
	if err != nil {
		return nil, err
	}
	// transformers asks for the format.
	metadata := map[string]string{"format": "pt", safetensors.ChecksumKey: sums, FilesKey: digests}
	info, err := s.Write(l.weights[0], func(w io.Writer) error { return safetensors.Write(w, tensors, metadata) })
	if err != nil {
		return nil, err
	}
	for _, f := range slices.Concat(files, o.Beside) {
		if _, err := s.Write(f.Name, func(w io.Writer) error { _, err := w.Write(f.Data); return err }); err != nil {
			return nil, err
		}
	}
	for _, name := range gone {
		if err := s.Remove(name); err != nil {
			return nil, err
		}
	}
	return info, nil
}

// marshal returns v as JSON; keys of maps are sorted.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// decimals returns numbers whose shortest decimals round to v.
func decimals(v [3]float32) (d [3]float64) {
	for i, x := range v {
		d[i], _ = strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	}
	return d
}
