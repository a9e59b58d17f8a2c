package encoder

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/goclip/goclip/internal/checkpoint"
	"github.com/goclip/goclip/nn"
)

// SaveOptions say how [Model.SaveWith] writes a model.
type SaveOptions struct {
	// Overwrite replaces another model in the folder, whatever its layout. Its files
	// are removed: weights, configuration, tokenizer, preprocessing, adapters. Other
	// files in the folder stay, including training checkpoints.
	//
	// Without it, Save accepts only a folder that holds no model, or the one that this
	// Model was loaded from or saved to before, in the same layout.
	Overwrite bool
	// Merged adds the adapters of a model that has some to the weights that are written,
	// as [Model.MergeLoRA] does. The model itself keeps them apart.
	Merged bool
	// Beside are further files, by name, that are written together with the model,
	// such as the adapters merged into it.
	Beside map[string][]byte
	// Precision is how the weights are stored; zero is float32, which loses nothing.
	Precision Precision
}

// SaveWith is [Model.SaveAs] with options; an empty layout is the one that [Model.Save]
// chooses. All files change at once: even if the process is killed, or several write at
// a time, [Load] finds either the old model or the new one; leftovers of a killed
// process are removed by the next save. Other programs see plain files, the new ones
// once SaveWith returns. A model with LoRA adapters is refused unless Merged is set: see
// [Model.SaveLoRA] and [Model.MergeLoRA].
func (m *Model) SaveWith(dir, layout string, o SaveOptions) error {
	end, err := m.begin()
	if err != nil {
		return err
	}
	defer end()
	err = guarded("towers", func() error { return m.saveWith(dir, layout, o) })
	if err != nil {
		return fmt.Errorf("encoder: save %s: %w", dir, err)
	}
	return nil
}

func (m *Model) saveWith(dir, layout string, o SaveOptions) error {
	spec, layout, err := m.toSave(layout)
	if err != nil {
		return err
	}
	dtype, err := o.Precision.dtype()
	if err != nil {
		return err
	}
	params := m.Params()
	if slices.ContainsFunc(params, (*nn.Param).Halves) {
		return fmt.Errorf("the model's weights are kept as %v: load it without Options.Precision, and set SaveOptions.Precision", m.Precision())
	}
	if o.Merged {
		params = merged(params)
	} else if len(m.Adapters()) > 0 {
		return errors.New("the model has adapters: SaveLoRA writes them, MergeLoRA or SaveOptions.Merged makes them part of the weights")
	}
	m.own.saving.Lock() // or one save would find another's files in the place of its own
	defer m.own.saving.Unlock()
	replace := &checkpoint.SaveOptions{Overwrite: o.Overwrite, Own: m.own.list(), DType: dtype}
	if tok, ok := m.tok.(saver); ok {
		replace.Tokenizer = func(dir string) error {
			return guarded("tokenizer", func() error { return tok.Save(dir) })
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Beside)) {
		replace.Beside = append(replace.Beside, checkpoint.File{Name: name, Data: o.Beside[name]})
	}
	saved, err := checkpoint.Save(dir, layout, spec, params, replace)
	if err != nil {
		return err
	}
	m.own.add(saved)
	return nil
}

// merged returns the parameters of a model without adapters, for which those that have
// one are copied.
func merged(params []*nn.Param) []*nn.Param {
	params = slices.Clone(params)
	for i, p := range params {
		if p.Adapter() != nil {
			params[i] = &nn.Param{Name: p.Name, Shape: p.Shape, Data: p.Merged(), Buffer: p.Buffer}
		}
	}
	return params
}

// toSave returns what a checkpoint says of the model, and the layout, chosen where none
// is given.
func (m *Model) toSave(layout string) (checkpoint.Spec, string, error) {
	if layout == "" {
		var err error
		if layout, err = m.savedAs(); err != nil {
			return checkpoint.Spec{}, "", err
		}
	}
	spec, err := m.toSpec()
	return spec, layout, err
}

// own are the files of weights that a model was loaded from and saved as, the last few.
type own struct {
	saving sync.Mutex
	mu     sync.Mutex
	files  []fs.FileInfo
}

func (o *own) add(f fs.FileInfo) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.files = append(o.files[max(0, len(o.files)-15):], f)
}

func (o *own) list() []fs.FileInfo {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.files)
}

// Saved reports whether a folder holds a model, or a tokenizer, preprocessing or adapters
// of one: the files that [SaveOptions].Overwrite removes.
func Saved(dir string) bool { return len(checkpoint.Occupied(dir)) > 0 }
